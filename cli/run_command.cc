#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "cli/attended_terminal.h"
#include "cli/commands.h"
#include "cli/container_flags.h"
#include "cli/container_parts.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/session.h"
#include "containers/run.h"

namespace mbuild::cli {
namespace {

int run_container(const ContainerFlags& flags) {
  const auto options = options_of(flags);
  const auto record = containers::new_record(options, flags.name, flags.remove, flags.less_isolation);
  warn_of_limits(options);
  const auto session = session_request(flags.root, flags.less_isolation);
  if (flags.detach) {
    containers::run_detached(session, record);
    print("{}\n", record.id);
    return 0;
  }
  if (options.terminal) {
    const auto keys = containers::parse_detach_keys(flags.detach_keys);
    return sit_from_here(true, options.open_stdin, keys, [&] { return containers::run_apart(session, record); });
  }
  return attend_from_here(options.terminal, options.open_stdin, [&](const containers::Streams& streams) {
    return containers::run_attended(session, record, streams);
  });
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
  Command command = top.add("run", "Run an image in a container");
  add_container_flags(command, *flags);
  command.run([flags] { return run(*flags); });
}

}  // namespace mbuild::cli
