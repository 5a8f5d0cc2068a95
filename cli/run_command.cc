#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
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

// --cidfile: scripts take it to be there when the container is.
void write_id(const ContainerFlags& flags, const containers::Record& record) {
  if (flags.cid_file.empty()) return;
  const Fd file(::open(flags.cid_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file && errno == EEXIST) {
    throw usage_error(fmt::format("the file of --cidfile is there already: {}", flags.cid_file))
        .with_advice("Remove it, or see whether the container that it names is still needed.");
  }
  if (!file) throw system_error(errno, "write " + flags.cid_file);
  write_all(file.get(), record.id);
}

int run_container(const ContainerFlags& flags) {
  const auto options = options_of(flags);
  const auto record = containers::new_record(options, flags.name, flags.remove, flags.less_isolation);
  write_id(flags, record);
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

int create(const ContainerFlags& flags) {
  const auto options = options_of(flags, false);
  const auto record = containers::new_record(options, flags.name, flags.remove, flags.less_isolation);
  write_id(flags, record);
  warn_of_limits(options);
  containers::create_container(session_request(flags.root, flags.less_isolation), record);
  print("{}\n", record.id);
  return 0;
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

void add_create_command(Command& top) {
  auto flags = std::make_shared<ContainerFlags>();
  Command command = top.add("create", "Make a container without starting it");
  add_container_flags(command, *flags, false);
  command.run([flags] { return create(*flags); });
}

}  // namespace mbuild::cli
