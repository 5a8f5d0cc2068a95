#include "cli/attended_terminal.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"

namespace mbuild::cli {

RawTerminal::RawTerminal(int terminal) : terminal_(terminal) {
  if (terminal_ < 0 || ::tcgetattr(terminal_, &before_) < 0) {
    terminal_ = -1;
    return;
  }
  termios raw = before_;
  ::cfmakeraw(&raw);
  ::tcsetattr(terminal_, TCSANOW, &raw);
}

RawTerminal::~RawTerminal() {
  if (terminal_ >= 0) ::tcsetattr(terminal_, TCSANOW, &before_);
}

Fd signals_for_container() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH}) {
    struct sigaction now;
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Fd out(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!out) throw system_error(errno, "signalfd", ExitClass::host);
  return out;
}

int attend_from_here(bool terminal, bool open_stdin, const std::function<int(const containers::Streams&)>& attended) {
  if (terminal && open_stdin && ::isatty(STDIN_FILENO) != 1) {
    throw usage_error("the input device is not a TTY").with_advice("Leave -t out where standard input is no terminal.");
  }
  const Fd signals = signals_for_container();
  const containers::Streams streams{.in = open_stdin ? STDIN_FILENO : -1,
                                    .write =
                                        [](int stream, std::string_view bytes) {
                                          const int to = stream == 2 ? STDERR_FILENO : STDOUT_FILENO;
                                          write_all(to, bytes);
                                        },
                                    .signals = signals.get(),
                                    .window = terminal ? STDOUT_FILENO : -1};
  const RawTerminal raw(terminal && open_stdin ? STDIN_FILENO : -1);
  return attended(streams);
}

}  // namespace mbuild::cli
