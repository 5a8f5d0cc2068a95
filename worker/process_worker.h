#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/message.h"
#include "worker/worker.h"

// A worker in another process of this program, with a store of its own: all that passes between them are bytes. It is
// how tests see that tasks mean the same everywhere; what reaches another machine is to work the same way.
//
// Every call has a socket of its own, which the worker gets by the one that it was started with: the request, then, in
// either direction, parts of what is too long or not known yet (a tar, the log of a step), then the result. A call is
// cancelled by closing its socket.
namespace mbuild::executor {

// argv[1] of the other process; argv[2] is the directory of its store.
inline constexpr const char* k_worker_argument = "internal-worker";

class ProcessWorker final : public Worker {
 public:
  // Starts the process. Throws Error (host).
  explicit ProcessWorker(const std::string& store_root);
  // Ends it, and waits until what it made is in order.
  ~ProcessWorker() override;
  ProcessWorker(const ProcessWorker&) = delete;
  ProcessWorker& operator=(const ProcessWorker&) = delete;

  bool lends() const override { return false; }
  LayerIds missing(const LayerIds& layers) override;
  std::optional<cache::Layer> find(const std::string& layer) override;
  void put(const cache::Layer& layer, const TarSource& tar, std::stop_token stop) override;
  void get(const std::string& layer, const TarSink& tar, std::stop_token stop) override;
  std::string prepare(const RunTask& task) override;
  bool needs_first_content(const TaskMount& cache) override;
  RunResult run(const RunTask& task, StepSink& sink, std::stop_token stop) override;
  FilesResult apply(const FilesTask& task, std::stop_token stop) override;
  ProbeResult probe(const FilesTask& task, std::stop_token stop) override;
  Digest digest(const LayerIds& snapshot, const std::string& selector, std::stop_token stop) override;

 private:
  using OnPart = std::function<void(const Message&)>;
  std::string call(const std::string& operation, std::string payload, std::stop_token stop, const OnPart& on_part = {},
                   const TarSource& tar = {});

  Fd control_;
  int process_ = -1;
};

// Sends bytes of a kind ("tar", "stdout") in messages of a bounded size; none for no bytes. Called on both sides.
void send_parts(int socket, const char* what, std::string_view bytes);

// What `digest` is asked about.
struct DigestTask {
  LayerIds snapshot;
  std::string selector;
};

// The whole life of such a process: does what comes by the socket until that hangs up. Returns its exit status.
int worker_main(int socket, const std::string& store_root);

}  // namespace mbuild::executor
