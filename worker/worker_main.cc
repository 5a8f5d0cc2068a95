#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "base/codec.h"
#include "base/error.h"
#include "worker/local_worker.h"
#include "worker/process_worker.h"

// The other side of ProcessWorker: a local worker with a store of its own.
namespace mbuild::executor {
namespace {

// What a worker that is a process of its own has that of a build has from the build.
class Service {
 public:
  explicit Service(const std::string& root)
      : map_(compute_id_map()),
        store_(root, std::string(digest_hex(map_.digest()).substr(0, 16))),
        directory_(store_),
        inner_(map_),
        network_([this]() -> Inner& { return inner_.get(); }, [](const std::string&) {}, stop_.get_token(),
                 NetworkProof(store_.network_proof_path())),
        work_([this] { return directory_.path(); }),
        layers_(store_, inner_, work_, [this](std::string path) { remove_later(std::move(path)); }),
        worker_({.inner = inner_,
                 .network = network_,
                 .store = store_,
                 .work = work_,
                 .layers = layers_,
                 .user_files = {},
                 .agent_socket = {}}) {}
  ~Service() {
    stop_.request_stop();
    try {
      if (directory_.is_made()) garbage_.push_back(directory_.path());
      if (!garbage_.empty()) jobs::remove(inner_.get(), garbage_, {});
    } catch (const std::exception&) {
      // who uses the store next sweeps it
    }
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  std::string answer(const Message& request, int socket, const std::stop_token& stop);

 private:
  std::string put(const cache::Layer& layer, int socket, const std::stop_token& stop);
  std::string get(const std::string& id, int socket, const std::stop_token& stop);
  std::string run(const RunTask& task, int socket, const std::stop_token& stop);
  void remove_later(std::string path) {
    const std::lock_guard lock(mutex_);
    garbage_.push_back(std::move(path));
  }

  const IdMap map_;
  cache::Store store_;
  const cache::BuildDirectory directory_;
  LazyInner inner_;
  std::stop_source stop_;
  BuildNetwork network_;
  WorkDirectories work_;
  std::mutex mutex_;
  std::vector<std::string> garbage_;
  LayerDirectories layers_;
  LocalWorker worker_;
};

// All of the tar is read, though another call may have brought the layer, or the disk be full: what is still unread
// when a socket is closed takes the reply away with it (ECONNRESET at the other end).
std::string Service::put(const cache::Layer& layer, int socket, const std::stop_token& stop) {
  bool ended = false;
  const auto receive = [&](const TarSink& sink) {
    while (!ended) {
      const auto part = receive_message(socket);
      ended = !part || part->operation != "tar";
      if (!ended) sink(part->body());
    }
  };
  std::exception_ptr failure;
  try {
    worker_.put(layer, receive, stop);
  } catch (...) {
    failure = std::current_exception();
  }
  receive([](std::string_view) {});
  if (failure) std::rethrow_exception(failure);
  return "";
}

std::string Service::get(const std::string& id, int socket, const std::stop_token& stop) {
  worker_.get(id, [&](std::string_view bytes) { send_parts(socket, "tar", bytes); }, stop);
  return "";
}

std::string Service::run(const RunTask& task, int socket, const std::stop_token& stop) {
  struct Sink final : StepSink {
    explicit Sink(int to) : socket(to) {}
    void log(int stream, std::string_view data) override {
      send_parts(socket, stream == 1 ? "stdout" : "stderr", data);
    }
    void usage(const ResourceUsage& usage) override { send_parts(socket, "usage", encode(usage)); }
    int socket;
  } sink(socket);
  auto result = worker_.run(task, sink, stop);
  if (result.exit_code == 0) layers_.add(result.layer);
  return encode(result);
}

std::string Service::answer(const Message& request, int socket, const std::stop_token& stop) {
  const auto& operation = request.operation;
  const auto body = request.body();
  if (operation == "missing") return encode(worker_.missing(decode<LayerIds>(body)));
  if (operation == "find") return encode(worker_.find(std::string(body)));
  if (operation == "put") return put(decode<cache::Layer>(body), socket, stop);
  if (operation == "get") return get(std::string(body), socket, stop);
  if (operation == "prepare") return worker_.prepare(decode<RunTask>(body));
  if (operation == "needs-first-content") return worker_.needs_first_content(decode<TaskMount>(body)) ? "yes" : "no";
  if (operation == "run") return run(decode<RunTask>(body), socket, stop);
  if (operation == "probe") return encode(worker_.probe(decode<FilesTask>(body), stop));
  if (operation == "apply") {
    auto result = worker_.apply(decode<FilesTask>(body), stop);
    layers_.add(result.layer);
    return encode(result);
  }
  if (operation == "digest") {
    const auto task = decode<DigestTask>(body);
    return worker_.digest(task.snapshot, task.selector, stop);
  }
  throw Error(ExitClass::internal, "no operation '" + operation + "' of a worker");
}

// One call, until it is answered or its caller has gone.
void serve_call(Service& service, Message request) {
  const Fd socket = std::move(request.fds.front());
  std::stop_source stop;
  std::jthread watch([&, fd = socket.get()] {
    pollfd gone = {fd, POLLRDHUP, 0};
    while (::poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
    stop.request_stop();
  });
  Message reply{MessageType::result, 0, "", "", {}};
  try {
    reply.payload = service.answer(request, socket.get(), stop.get_token());
  } catch (const Error& error) {
    reply = {MessageType::error, 0, "", encode_error(error), {}};
  } catch (const Cancelled&) {
    reply = {MessageType::error, 0, "", encode_error(Error(ExitClass::internal, "cancelled")), {}};
  } catch (const std::exception& error) {
    reply = {MessageType::error, 0, "", encode_error(Error(ExitClass::internal, error.what())), {}};
  }
  send_message(socket.get(), reply);
  ::shutdown(socket.get(), SHUT_RDWR);  // wakes the watch
}

// A call in a thread of its own.
struct Call {
  Call(Service& service, Message request)
      : thread([this, &service, request = std::move(request)]() mutable {
          serve_call(service, std::move(request));
          ended = true;
        }) {}
  std::atomic<bool> ended = false;
  std::jthread thread;
};

}  // namespace

int worker_main(int socket, const std::string& store_root) {
  const Fd control(socket);
  Service service(store_root);
  std::list<Call> calls;
  while (auto message = receive_message(control.get())) {
    calls.remove_if([](const Call& call) { return call.ended.load(); });
    if (!message->fds.empty()) calls.emplace_back(service, std::move(*message));
  }
  return 0;
}

}  // namespace mbuild::executor
