#include "cli/cancel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"

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

CancelOnSignal::CancelOnSignal() : wake_(::eventfd(0, EFD_CLOEXEC)) {
  if (!wake_) throw system_error(errno, "eventfd", ExitClass::host);
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  thread_ = std::jthread([this, set] {
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
    int seen = 0;
    for (;;) {
      pollfd waiting[2] = {{signals.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (::poll(waiting, 2, -1) < 0) continue;
      if (waiting[1].revents != 0) return;
      signalfd_siginfo info;
      if (::read(signals.get(), &info, sizeof info) != sizeof info) continue;
      if (++seen == 2) ::_exit(128 + static_cast<int>(info.ssi_signo));
      source_.request_stop();
    }
  });
}

CancelOnSignal::~CancelOnSignal() {
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace mbuild::cli
