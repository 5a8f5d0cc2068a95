#include "worker/sandbox/held_sockets.h"

#include <poll.h>

#include "base/error.h"
#include "worker/sandbox/socket_calls.h"

namespace mbuild::executor {

void HeldSockets::take(int events, int listener) {
  if (events == 0) return;
  coming_ = -1;
  if ((events & POLLIN) == 0) return;
  is_there_ = true;
  for (const auto& request : waiting_) answer_socket_request(listener, request);
  waiting_.clear();
}

bool HeldSockets::hold(const seccomp_notif& request) {
  if (is_there_) return false;
  waiting_.push_back(request);
  return true;
}

void wait_for_network(const Fd& coming) {
  pollfd wait = {coming.get(), POLLIN, 0};
  while (coming && ::poll(&wait, 1, -1) < 0) {
  }
  if (coming && (wait.revents & POLLIN) == 0) throw Error(ExitClass::host, "the network of the build ended early");
}

}  // namespace mbuild::executor
