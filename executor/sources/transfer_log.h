#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "executor/api/events.h"
#include "remote/transfer.h"

namespace mbuild::executor {

// Shows what is on its way from and to registries: a remote::TransferListener. What goes to or comes from one
// repository at one time is one vertex.
class TransferLog {
 public:
  explicit TransferLog(ProgressSink& sink) : sink_(sink) {}
  TransferLog(const TransferLog&) = delete;
  TransferLog& operator=(const TransferLog&) = delete;

  void operator()(const remote::Transfer& transfer);

 private:
  struct Vertex {
    VertexId id = 0;
    std::map<std::uint64_t, std::string> under_way;  // names of parts by transfer
    std::size_t streams = 0, failed = 0;
  };

  void report(VertexId id, VertexState state, const std::string& name);

  ProgressSink& sink_;
  std::mutex mutex_;
  VertexId last_ = 0xF2000000;
  std::map<std::string, Vertex> vertices_;  // by name
};

}  // namespace mbuild::executor
