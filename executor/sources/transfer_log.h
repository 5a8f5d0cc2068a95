#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "executor/api/vertex.h"
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
  struct UnderWay {
    Vertex vertex;
    std::map<std::uint64_t, std::string> parts = {};  // names by transfer
    std::size_t streams = 0, failed = 0;
  };

  ProgressSink& sink_;
  std::mutex mutex_;
  VertexId next_ = k_first_transfer_vertex;
  std::map<std::string, UnderWay> under_way_;  // by name
};

}  // namespace mbuild::executor
