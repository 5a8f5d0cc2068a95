#include "worker/process_worker.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/codec.h"
#include "base/error.h"
#include "base/subprocess.h"

namespace mbuild::executor {
namespace {

Error worker_gone() { return {ExitClass::host, "the process that runs steps has ended"}; }

}  // namespace

void send_parts(int socket, const char* what, std::string_view bytes) {
  constexpr std::size_t k_part = 32 << 10;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), k_part)))
    send_message(socket, {MessageType::request, 0, what, std::string(bytes.substr(0, k_part)), {}});
}

ProcessWorker::ProcessWorker(const std::string& store_root) {
  SocketPair sockets = make_socket_pair();
  process_ = start_self({k_worker_argument, store_root}, sockets.b.get());
  control_ = std::move(sockets.a);
}

ProcessWorker::~ProcessWorker() {
  control_.reset();
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string ProcessWorker::call(const std::string& operation, std::string payload, std::stop_token stop,
                                const OnPart& on_part, const TarSource& tar) {
  SocketPair sockets = make_socket_pair();
  const int theirs[] = {sockets.b.get()};
  if (!send_message(control_.get(), {MessageType::request, 0, operation, std::move(payload), {}}, theirs))
    throw worker_gone();
  sockets.b.reset();
  const int socket = sockets.a.get();
  const std::stop_callback cancel(stop, [socket] { ::shutdown(socket, SHUT_RDWR); });
  if (tar) {
    tar([&](std::string_view bytes) { send_parts(socket, "tar", bytes); });
    send_message(socket, {MessageType::request, 0, "end", {}, {}});
  }
  while (auto message = receive_message(socket)) {
    if (message->type == MessageType::result) return std::string(message->body());
    if (message->type == MessageType::error) throw decode_error(message->body());
    if (on_part) on_part(*message);
  }
  if (stop.stop_requested()) throw Cancelled();
  throw worker_gone();
}

LayerIds ProcessWorker::missing(const LayerIds& layers) {
  return decode<LayerIds>(call("missing", encode(layers), {}));
}

std::optional<cache::Layer> ProcessWorker::find(const std::string& layer) {
  return decode<std::optional<cache::Layer>>(call("find", layer, {}));
}

void ProcessWorker::put(const cache::Layer& layer, const TarSource& tar, std::stop_token stop) {
  call("put", encode(layer), std::move(stop), {}, tar);
}

void ProcessWorker::get(const std::string& layer, const TarSink& tar, std::stop_token stop) {
  call("get", layer, std::move(stop), [&](const Message& part) { tar(part.body()); });
}

std::string ProcessWorker::prepare(const RunTask& task) { return call("prepare", encode(task), {}); }

bool ProcessWorker::needs_first_content(const TaskMount& cache) {
  return call("needs-first-content", encode(cache), {}) == "yes";
}

RunResult ProcessWorker::run(const RunTask& task, StepSink& sink, std::stop_token stop) {
  return decode<RunResult>(call("run", encode(task), std::move(stop), [&](const Message& part) {
    if (part.operation == "usage") return sink.usage(decode<ResourceUsage>(part.body()));
    sink.log(part.operation == "stdout" ? 1 : 2, part.body());
  }));
}

FilesResult ProcessWorker::apply(const FilesTask& task, std::stop_token stop) {
  return decode<FilesResult>(call("apply", encode(task), std::move(stop)));
}

ProbeResult ProcessWorker::probe(const FilesTask& task, std::stop_token stop) {
  return decode<ProbeResult>(call("probe", encode(task), std::move(stop)));
}

Digest ProcessWorker::digest(const LayerIds& snapshot, const std::string& selector, std::stop_token stop) {
  return call("digest", encode(DigestTask{snapshot, selector}), std::move(stop));
}

}  // namespace mbuild::executor
