#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/attended_terminal.h"
#include "cli/cancel.h"
#include "cli/config/store_root.h"
#include "cli/container_parts.h"
#include "cli/display/report.h"
#include "cli/session.h"
#include "containers/exec.h"
#include "containers/membership.h"
#include "containers/run.h"

// start, restart, rename: containers that are there.
namespace mbuild::cli {
namespace {

using containers::Container;
using containers::State;

struct LifeFlags {
  std::string root, time, signal;
  std::vector<std::string> names;
  std::string detach_keys = containers::k_usual_detach_keys;
  bool attach = false, interactive = false, no_stdin = false;
};

int attach(const LifeFlags& flags) {
  if (flags.names.size() != 1) throw usage_error("one container is attended at a time");
  const auto container = containers::shelf_of(store_root(flags.root)).find(flags.names.front());
  const auto keys = containers::parse_detach_keys(flags.detach_keys);
  const bool open_stdin = container.record.options.open_stdin && !flags.no_stdin;
  return sit_from_here(container.record.options.terminal, open_stdin, keys,
                       [&] { return containers::attach_to(container); });
}

int start_attended(const executor::SessionRequest& session, const Container& container, const LifeFlags& flags) {
  const bool open_stdin = flags.interactive && container.record.options.open_stdin;
  try {
    if (container.record.options.terminal) {
      const auto keys = containers::parse_detach_keys(flags.detach_keys);
      return sit_from_here(true, open_stdin, keys, [&] { return containers::start_apart(session, container); });
    }
    return attend_from_here(false, open_stdin, [&](const containers::Streams& streams) {
      return containers::run_attended_again(session, container, streams);
    });
  } catch (const Error& error) {
    print_error(error);
    return containers::status_of(error);
  }
}

// Somebody else may start it at the same time: then it runs, as it should. And a third may have ended that by now.
void start_unless_it_runs(const executor::SessionRequest& session, const Container& container) {
  warn_of_limits(container.record.options);
  for (;;) {
    try {
      return containers::start_again(session, container);
    } catch (const Error& error) {
      const auto now = containers::settle(container, {});
      if (now && now->state == State::running) return;
      if (!now || error.code != EBUSY) throw;
    }
  }
}

int start_containers(const LifeFlags& flags) {
  const auto session = session_request(flags.root, false);
  const auto shelf = containers::shelf_of(session.store_root);
  if (!flags.attach && !flags.interactive) {
    return with_each(shelf, flags.names, [&](const Container& container) {
      if (container.state == State::running) return;
      start_unless_it_runs(session, container);
    });
  }
  if (flags.names.size() != 1) throw usage_error("one container is attended at a time");
  const auto container = shelf.find(flags.names.front());
  if (container.state == State::running) throw usage_error("the container runs: " + flags.names.front());
  warn_of_limits(container.record.options);
  return start_attended(session, container, flags);
}

int restart_containers(const LifeFlags& flags) {
  check_stop(flags.time, flags.signal);
  const auto session = session_request(flags.root, false);
  const auto shelf = containers::shelf_of(session.store_root);
  CancelOnSignal cancel;
  return with_all(
      shelf, flags.names,
      [&](const Container& container) {
        containers::stop_container(container, seconds_of(flags.time, container), flags.signal, cancel.token(), true);
      },
      [&](const Container& container) { start_unless_it_runs(session, container); });
}

int rename_container(const LifeFlags& flags) {
  if (flags.names.size() != 2) throw usage_error("mbuild rename takes a container and its new name");
  const auto shelf = containers::shelf_of(store_root(flags.root));
  auto container = shelf.find(flags.names[0]);
  shelf.rename(container, flags.names[1]);
  container.record.name = flags.names[1];
  containers::announce_name(dir_name(container.directory), container.record);
  return 0;
}

}  // namespace

void add_container_life_commands(Command& parent) {
  const auto flags = std::make_shared<LifeFlags>();
  const auto add = [&](const char* name, const char* help, int (*action)(const LifeFlags&), const char* words) {
    Command command = add_store_command(parent, flags, name, help, action);
    command.values(std::string("container=") + words, flags->names, words, Presence::required);
    return command;
  };
  add("start", "Start containers that have ended; they go on with what they have written", start_containers,
      "CONTAINER...")
      .flag("-a,--attach", flags->attach, "In the foreground")
      .value("--detach-keys", flags->detach_keys, "Keys that leave its terminal (ctrl-p,ctrl-q)")
      .flag("-i,--interactive", flags->interactive, "In the foreground, and pass standard input on");
  add("restart", "Stop containers and start them again", restart_containers, "CONTAINER...")
      .value("-s,--signal", flags->signal, "Signal in the place of the image's stop signal")
      .value("-t,--time,--timeout", flags->time, "Seconds to wait before SIGKILL (10)");
  add("attach", "Sit before a container that runs in the background", attach, "CONTAINER")
      .value("--detach-keys", flags->detach_keys, "Keys that leave its terminal (ctrl-p,ctrl-q)")
      .flag("--no-stdin", flags->no_stdin, "Pass nothing on");
  add("rename", "Give a container another name", rename_container, "CONTAINER NEW-NAME");
}

}  // namespace mbuild::cli
