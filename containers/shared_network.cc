#include "containers/shared_network.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/message.h"
#include "containers/exec.h"
#include "containers/membership.h"
#include "worker/sandbox/exec_request.h"

namespace mbuild::containers {

SharedNetwork network_of_container(const Shelf& shelf, const std::string& id) {
  const auto container = shelf.read(id);
  if (!container) {
    throw usage_error(fmt::format("the container {}, whose network this one has, was removed", id.substr(0, 12)))
        .with_advice("Run another one with the network of one that is there.");
  }
  const auto& record = container->record;
  const auto not_there = [&] {
    return usage_error(fmt::format("the container {}, whose network this one has, does not run", record.name))
        .with_advice(fmt::format("Start it first: mbuild start {}", record.name));
  };
  if (container->state != State::running) throw not_there();
  const Fd socket = call_container(*container);
  auto told = executor::make_socket_pair();
  const int fds[] = {told.b.get()};
  executor::send_message(socket.get(), {executor::MessageType::request, 0, executor::k_network, "", {}}, fds);
  told.b.reset();
  auto answer = executor::receive_message(told.a.get());
  if (!answer) throw not_there();
  if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
  if (answer->fds.empty()) throw not_there();
  SharedNetwork out{.user = std::move(answer->fds[0]),
                    .network = {},
                    .resolv_conf = std::string(answer->body()),
                    .hosts = path_exists(hosts_path(*container)) ? hosts_path(*container) : "",
                    .hostname = record.options.hostname.empty() ? record.id.substr(0, 12) : record.options.hostname};
  if (answer->fds.size() > 1) out.network = std::move(answer->fds[1]);
  return out;
}

}  // namespace mbuild::containers
