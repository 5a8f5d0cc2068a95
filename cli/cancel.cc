#include "cli/cancel.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::cli {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

CancelOnSignal::CancelOnSignal() {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  thread_ = std::jthread([this, set](std::stop_token stop) {
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
    int seen = 0;
    while (!stop.stop_requested()) {
      pollfd waiting = {signals.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 50) <= 0) continue;
      signalfd_siginfo info;
      if (::read(signals.get(), &info, sizeof info) != sizeof info) continue;
      if (++seen == 2) ::_exit(128 + static_cast<int>(info.ssi_signo));
      source_.request_stop();
    }
  });
}

CancelOnSignal::~CancelOnSignal() {
  thread_.request_stop();
  thread_.join();
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace mbuild::cli
