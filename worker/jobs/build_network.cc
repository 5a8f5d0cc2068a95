#include "worker/jobs/build_network.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/error.h"
#include "base/message.h"
#include "base/subprocess.h"
#include "worker/sandbox/network_interfaces.h"

namespace mbuild::executor {

std::string network_warning(const jobs::NetworkReply& reply) {
  if (reply.kind != jobs::NetworkKind::host) return "";
  const std::string advice = reply.advice.empty() ? "" : fmt::format(" ({})", reply.advice);
  return fmt::format("RUN uses the host's network, because none of the build's own could be made: {}{}", reply.problem,
                     advice);
}

namespace {

// Of a network that leads to a bridge.
std::string no_way_out(const jobs::NetworkReply& reply) {
  if (reply.problem.empty()) return "";
  const std::string advice = reply.advice.empty() ? "" : fmt::format(" ({})", reply.advice);
  return fmt::format("The container reaches those of its network, and nothing outside: {}{}", reply.problem, advice);
}

}  // namespace

BuildNetwork::BuildNetwork(std::function<Inner&()> inner, std::function<void(std::string)> warn, std::stop_token stop,
                           NetworkProof proof)
    : inner_(std::move(inner)),
      warn_(std::move(warn)),
      on_stop_(std::move(stop), [this] { stop_.request_stop(); }),
      proof_(std::move(proof)) {}

BuildNetwork::~BuildNetwork() { stop_.request_stop(); }

void BuildNetwork::publish(std::vector<std::string> tcp, std::vector<std::string> udp) {
  const std::lock_guard lock(mutex_);
  tcp_ = std::move(tcp);
  udp_ = std::move(udp);
}

void BuildNetwork::join(Bridge bridge) {
  const std::lock_guard lock(mutex_);
  bridge_ = std::move(bridge);
}

void BuildNetwork::use(Fd name_space, std::string resolv_conf) {
  const std::lock_guard lock(mutex_);
  namespace_ = std::move(name_space);
  is_given_ = true;
  const auto kind = namespace_ ? jobs::NetworkKind::pasta : jobs::NetworkKind::host;
  joined_ = Joined{{.kind = kind, .resolv_conf = std::move(resolv_conf), .problem = {}, .advice = {}},
                   namespace_ ? namespace_.get() : -1};
}

void BuildNetwork::start() {
  const std::lock_guard lock(mutex_);
  if (job_.joinable() || is_given_) return;
  SocketPair sockets = make_socket_pair();
  report_ = std::move(sockets.a);
  pasta_ = find_program("pasta");
  const bool is_proven = !bridge_ && tcp_.empty() && udp_.empty() && proof_.holds(pasta_);
  if (is_proven) arrival_ = make_pipe();
  jobs::NetworkRequest request{.report = std::move(sockets.b),
                               .pasta = pasta_,
                               .slirp4netns = find_program("slirp4netns"),
                               .caller_is_root = ::geteuid() == 0,
                               .tcp = tcp_,
                               .udp = udp_,
                               .bridge = bridge_ ? std::move(bridge_->name_space) : Fd(),
                               .address = bridge_ ? bridge_->address : BridgeAddress(),
                               .closed = bridge_ && bridge_->closed,
                               .is_proven = is_proven};
  ear_ = std::jthread([this] { hear(); });
  job_ = std::jthread([this, request = std::move(request)]() mutable {
    try {
      jobs::network(inner_(), request, stop_.get_token());
    } catch (...) {
      const std::lock_guard failed(mutex_);
      failure_ = std::current_exception();  // seen after the socket has hung up
    }
    request.report.reset();
  });
}

BuildNetwork::Joined BuildNetwork::join() { return wait(false); }
BuildNetwork::Joined BuildNetwork::get() { return wait(true); }

BuildNetwork::Joined BuildNetwork::wait(bool until_there) {
  start();
  std::unique_lock lock(mutex_);
  heard_.wait(lock, [&] { return joined_ || is_over_ || (promised_ && !until_there); });
  if (!joined_ && promised_ && !is_over_) return *promised_;
  if (joined_) {
    if (auto text = std::exchange(warning_, ""); !text.empty()) warn_(std::move(text));
    return *joined_;
  }
  if (stop_.stop_requested()) throw Cancelled();
  if (failure_) std::rethrow_exception(failure_);
  throw Error(ExitClass::host, "the process that makes the network of the build ended early");
}

// What the job says until it ends.
void BuildNetwork::hear() {
  try {
    while (auto message = receive_message(report_.get())) {
      if (message->type == MessageType::request) {
        start_program(*message);
      } else {
        take(*message);
      }
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  heard_.notify_all();
  if (!promised_ || joined_ || stop_.stop_requested()) return;
  proof_.forget();
  failed_.request_stop();
}

void BuildNetwork::take(const Message& message) {
  const bool is_there = message.type == MessageType::result;
  if (!is_there && message.type != MessageType::ready) return;
  const std::lock_guard lock(mutex_);
  Joined joined{decode<jobs::NetworkReply>(message.body()), -1};
  const auto& about = joined.about;
  if ((!tcp_.empty() || !udp_.empty()) && about.kind != jobs::NetworkKind::pasta) {
    throw Error(ExitClass::host, "ports can't be published: " + about.problem).with_advice(about.advice);
  }
  if (!namespace_ && !message.fds.empty()) namespace_ = duplicate(message.fds.front().get());
  joined.name_space = namespace_.get();
  if (is_there) {
    warning_ = bridge_ ? no_way_out(about) : network_warning(about);
    if (about.kind == jobs::NetworkKind::pasta) proof_.note(pasta_);
    joined_ = std::move(joined);
    if (arrival_.write) write_all(arrival_.write.get(), "!");
  } else {
    joined.coming = arrival_.read.get();
    promised_ = std::move(joined);
  }
  heard_.notify_all();
}

namespace {

// On a thread of its own, since it enters the network. Without it the program makes one.
void make_tap_in(const Fd& network) {
  std::jthread([&] {
    try {
      if (::setns(network.get(), CLONE_NEWNET) == 0) make_lasting_tap(k_interface);
    } catch (const Error&) {
      // the program will say what is missing
    }
  }).join();
}

}  // namespace

// Root's part: see network_job.cc. The program enters the namespaces of the job, so that it ends with it. Nsenter is
// not ended before it has reaped the program: whoever reaps orphans out here may never do it, and the job's namespace
// of processes would not go.
void BuildNetwork::start_program(const Message& request) {
  std::vector<std::string> argv = {"nsenter"};
  const char* kinds[] = {"--mount", "--pid"};
  if (request.fds.size() < 3) return;
  make_tap_in(request.fds[2]);
  for (std::size_t i = 0; i < 2; ++i) {
    argv.push_back(fmt::format("{}=/proc/{}/fd/{}", kinds[i], ::getpid(), request.fds[i].get()));
  }
  argv.emplace_back("--");
  for (auto& word : decode<std::vector<std::string>>(request.body())) argv.push_back(std::move(word));
  SubprocessResult result;
  try {
    result = run_program(argv);
  } catch (const Error& error) {
    result = {127, {}, error.message};
  }
  send_message(report_.get(), {MessageType::result, static_cast<std::uint64_t>(result.status), "", result.error, {}});
}

}  // namespace mbuild::executor
