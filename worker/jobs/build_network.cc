#include "worker/jobs/build_network.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/error.h"
#include "base/message.h"
#include "base/subprocess.h"

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

BuildNetwork::BuildNetwork(std::function<Inner&()> inner, std::function<void(std::string)> warn, std::stop_token stop)
    : inner_(std::move(inner)), warn_(std::move(warn)), on_stop_(std::move(stop), [this] { stop_.request_stop(); }) {}

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
  jobs::NetworkRequest request{.report = std::move(sockets.b),
                               .pasta = find_program("pasta"),
                               .slirp4netns = find_program("slirp4netns"),
                               .caller_is_root = ::geteuid() == 0,
                               .tcp = tcp_,
                               .udp = udp_,
                               .bridge = bridge_ ? std::move(bridge_->name_space) : Fd(),
                               .address = bridge_ ? bridge_->address : BridgeAddress(),
                               .closed = bridge_ && bridge_->closed};
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

const BuildNetwork::Joined& BuildNetwork::get() {
  start();
  const std::lock_guard lock(hear_mutex_);
  if (!joined_) hear();
  return *joined_;
}

void BuildNetwork::hear() {
  while (auto message = receive_message(report_.get())) {
    if (message->type == MessageType::request) {
      start_program(*message);
      continue;
    }
    if (message->type != MessageType::result) continue;
    Joined joined{decode<jobs::NetworkReply>(message->body()), -1};
    if ((!tcp_.empty() || !udp_.empty()) && joined.about.kind != jobs::NetworkKind::pasta) {
      throw Error(ExitClass::host, "ports can't be published: " + joined.about.problem)
          .with_advice(joined.about.advice);
    }
    if (!message->fds.empty()) {
      namespace_ = std::move(message->fds.front());
      joined.name_space = namespace_.get();
    }
    joined_ = std::move(joined);
    auto text = bridge_ ? no_way_out(joined_->about) : network_warning(joined_->about);
    if (!text.empty()) warn_(std::move(text));
    return;
  }
  if (stop_.stop_requested()) throw Cancelled();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  throw Error(ExitClass::host, "the process that makes the network of the build ended early");
}

// Root's part: see network_job.cc. The program enters the namespaces of the job, so that it ends with it.
void BuildNetwork::start_program(const Message& request) {
  std::vector<std::string> argv = {"nsenter"};
  const char* kinds[] = {"--mount", "--pid"};
  for (std::size_t i = 0; i < 2 && i < request.fds.size(); ++i) {
    argv.push_back(fmt::format("{}=/proc/{}/fd/{}", kinds[i], ::getpid(), request.fds[i].get()));
  }
  argv.emplace_back("--");
  for (auto& word : decode<std::vector<std::string>>(request.body())) argv.push_back(std::move(word));
  SubprocessResult result;
  try {
    result = run_program(argv, {}, stop_.get_token());
  } catch (const Error& error) {
    result = {127, {}, error.message};
  }
  send_message(report_.get(), {MessageType::result, static_cast<std::uint64_t>(result.status), "", result.error, {}});
}

}  // namespace mbuild::executor
