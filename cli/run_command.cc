#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "cli/attended_terminal.h"
#include "cli/commands.h"
#include "cli/container_flags.h"
#include "cli/display/report.h"
#include "cli/session.h"
#include "containers/run.h"

namespace mbuild::cli {
namespace {

int run_container(const ContainerFlags& flags) {
  const auto options = options_of(flags);
  const bool has_terminal = ::isatty(STDIN_FILENO) == 1;
  if (options.terminal && options.open_stdin && !has_terminal) {
    throw usage_error("the input device is not a TTY").with_advice("Leave -t out where standard input is no terminal.");
  }
  const auto session = session_request(flags.root, flags.less_isolation);
  const Fd signals = signals_for_container();
  const bool raw = options.terminal && options.open_stdin;
  const containers::Streams streams{.in = options.open_stdin ? STDIN_FILENO : -1,
                                    .out = STDOUT_FILENO,
                                    .err = STDERR_FILENO,
                                    .signals = signals.get(),
                                    .window = options.terminal ? STDOUT_FILENO : -1};
  const RawTerminal terminal(raw ? STDIN_FILENO : -1);
  return containers::run_attended(session, options, streams);
}

// Statuses below 125 are the program's own.
int run(const ContainerFlags& flags) {
  try {
    return run_container(flags);
  } catch (const Error& error) {
    print_error(error);
    return containers::status_of(error);
  }
}

}  // namespace

void add_run_command(Command& top) {
  auto flags = std::make_shared<ContainerFlags>();
  Command command = top.add("run", "Run an image in a container: mbuild run [OPTIONS] IMAGE [COMMAND] [ARG...]");
  add_container_flags(command, *flags);
  command.run([flags] { return run(*flags); });
}

}  // namespace mbuild::cli
