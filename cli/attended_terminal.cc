#include "cli/attended_terminal.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "base/error.h"
#include "cli/display/terminal.h"

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

namespace {

void check_input(bool terminal, bool open_stdin) {
  if (terminal && open_stdin && ::isatty(STDIN_FILENO) != 1) {
    throw usage_error("the input device is not a TTY").with_advice("Leave -t out where standard input is no terminal.");
  }
}

containers::Streams own_streams(bool terminal, bool open_stdin, const Fd& signals) {
  return {.in = open_stdin ? STDIN_FILENO : -1,
          .write =
              [](int stream, std::string_view bytes) {
                const int to = stream == 2 ? STDERR_FILENO : STDOUT_FILENO;
                write_all(to, bytes);
              },
          .signals = signals.get(),
          .window = terminal ? STDOUT_FILENO : -1};
}

}  // namespace

int attend_from_here(bool terminal, bool open_stdin, const std::function<int(const containers::Streams&)>& attended) {
  check_input(terminal, open_stdin);
  const Fd signals = signals_for_container();
  const auto streams = own_streams(terminal, open_stdin, signals);
  const RawTerminal raw(terminal && open_stdin ? STDIN_FILENO : -1);
  return attended(streams);
}

int sit_from_here(bool terminal, bool open_stdin, const std::string& keys,
                  const std::function<containers::Attached()>& begin) {
  check_input(terminal, open_stdin);
  auto attached = begin();
  const Fd signals = signals_for_container();
  const auto streams = own_streams(terminal, open_stdin, signals);
  std::optional<int> status;
  {
    const RawTerminal raw(terminal && open_stdin ? STDIN_FILENO : -1);
    status = containers::sit(std::move(attached), streams, keys);
  }
  if (!status) say("detached: the container runs on\n");
  return status.value_or(0);
}

}  // namespace mbuild::cli
