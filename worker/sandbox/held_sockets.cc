#include "worker/sandbox/held_sockets.h"

#include <poll.h>

#include "worker/sandbox/socket_calls.h"

namespace mbuild::executor {

bool HeldSockets::hold(const seccomp_notif& request) {
  if (coming_ < 0) return false;
  waiting_.push_back(request);
  return true;
}

void HeldSockets::release(int listener) {
  coming_ = -1;
  for (const auto& request : waiting_) answer_socket_request(listener, request);
  waiting_.clear();
}

void wait_for_network(const Fd& coming) {
  pollfd wait = {coming.get(), 0, 0};
  while (coming && ::poll(&wait, 1, -1) < 0) {
  }
}

}  // namespace mbuild::executor
