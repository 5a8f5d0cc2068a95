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

// SIGHUP: the terminal is gone. What is ignored stays so (nohup, the shell's &): while it is blocked it would be heard
// all the same.
sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now;
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
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
      // A lost terminal is told more than once: by the kernel and by the shell.
      if (info.ssi_signo != SIGHUP && ++seen == 2) ::_exit(128 + static_cast<int>(info.ssi_signo));
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
