#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <memory>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cache/locks.h"
#include "cli/attended_terminal.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/container_flags.h"
#include "cli/container_json.h"
#include "cli/container_parts.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/filters.h"
#include "cli/inspect_command.h"
#include "cli/network_command.h"
#include "cli/prune_filters.h"
#include "cli/ps_command.h"
#include "cli/removals.h"
#include "cli/volume_command.h"
#include "containers/exec.h"
#include "containers/life.h"
#include "containers/log.h"
#include "containers/log_time.h"
#include "containers/option_values.h"
#include "containers/ports.h"
#include "containers/process.h"
#include "containers/run.h"

namespace mbuild::cli {
namespace {

using containers::Container;
using containers::State;

struct Flags {
  std::string root, signal, time, tail = "all", since, until, user, workdir;
  std::vector<std::string> names, words, env, env_files, filters;
  bool force = false, follow = false, times = false, interactive = false, tty = false, detach = false, volumes = false;
};

containers::Shelf shelf(const Flags& flags) { return containers::shelf_of(store_root(flags.root)); }

int show_ports(const Flags& flags) {
  if (flags.names.size() > 2) throw usage_error("mbuild port takes a container and one of its ports");
  const auto container = shelf(flags).find(flags.names.front());
  const auto asked = flags.names.size() == 2 ? flags.names[1] : "";
  const auto wanted = asked.find('/') == std::string::npos ? asked + "/tcp" : asked;
  bool found = false;
  for (const auto& port : containers::ports_of(container)) {
    const auto text = containers::to_string(port);
    const auto inside = fmt::format("{}/{}", port.container, port.udp ? "udp" : "tcp");
    const auto outside = text.substr(0, text.find("->"));
    if (asked.empty()) print("{} -> {}\n", inside, outside);
    if (inside != wanted) continue;
    if (!asked.empty()) print("{}\n", outside);
    found = true;
  }
  if (asked.empty() || found) return 0;
  say("ERROR: the container {} publishes no port {}\n", container.record.name, wanted);
  return 1;
}

int show_processes(const Flags& flags) {
  print("{:<10}  {:<10}  {}\n", "UID", "PID", "CMD");
  for (const auto& process : containers::processes_of(shelf(flags).find(flags.names.front()))) {
    print("{:<10}  {:<10}  {}\n", process.uid, process.number, clean_line(process.command));
  }
  return 0;
}

// ---- logs

std::string log_time(const char* flag, const std::string& text) {
  if (text.empty()) return "";
  return rfc3339(containers::parse_log_time(flag, text, unix_nanoseconds()));
}

int show_logs(const Flags& flags) {
  const auto all = shelf(flags);
  const auto container = all.find(flags.names.front());
  containers::LogQuestion question{.tail = {},
                                   .since = log_time("--since", flags.since),
                                   .until = log_time("--until", flags.until),
                                   .follow = flags.follow};
  if (flags.tail != "all" && !flags.tail.starts_with('-')) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(flags.tail.data(), flags.tail.data() + flags.tail.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != flags.tail.data() + flags.tail.size())
      throw usage_error(fmt::format("invalid --tail \"{}\"", flags.tail))
          .with_advice("It is a number of lines, or all.");
    question.tail = number;
  }
  const Fd held = containers::held_file(container);
  containers::read_log(
      containers::log_path(container), question,
      [&](const containers::LogEntry& entry) {
        const std::string text = (flags.times ? entry.time + " " : "") + entry.text;
        const int stream = entry.stream == 2 ? STDERR_FILENO : STDOUT_FILENO;
        write_all(stream, text);
      },
      [&] {
        const auto now = all.read(container.record.id);
        if (now && lives(*now)) return false;
        return !held || cache::FileLock::is_free(held);  // its process writes what is left
      });
  return 0;
}

// ---- ends

int stop_containers(const Flags& flags) {
  CancelOnSignal cancel;
  check_stop(flags.time, flags.signal);
  return with_all(
      shelf(flags), flags.names,
      [&](const Container& container) {
        containers::stop_container(container, seconds_of(flags.time, container), flags.signal, cancel.token());
      },
      [](const Container&) {});
}

// One that is about to be started again has no program that a signal could reach, and is not started again.
int kill_containers(const Flags& flags) {
  CancelOnSignal cancel;
  const int signal = containers::signal_number(flags.signal.empty() ? "KILL" : flags.signal);
  return with_each(shelf(flags), flags.names, [&](const Container& container) {
    if (lives(container) && (signal == SIGKILL || container.state == State::restarting)) {
      return containers::stop_container(container, 0, "KILL", cancel.token());
    }
    if (!containers::send_signal(container, signal)) {
      throw usage_error(fmt::format("the container {} does not run", container.record.name));
    }
  });
}

// The lives that they have now: of those that are waited for later it may be over by then.
int wait_for_containers(const Flags& flags) {
  CancelOnSignal cancel;
  const auto all = shelf(flags);
  std::vector<containers::SeenLife> seen;
  const int status = for_each_name(flags.names, [&](const auto& word) { seen.emplace_back(all.find(word)); });
  for (const auto& life : seen) {
    life.wait(-1, cancel.token());
    print("{}\n", life.status().value_or(128 + SIGKILL));
  }
  return status;
}

int remove_containers(const Flags& flags) {
  std::vector<Container> ended;
  CancelOnSignal cancel;
  const auto all = shelf(flags);
  auto names = flags.names;
  if (flags.force) {
    std::erase_if(names, [&](const auto& word) {
      const bool is_there = all.find_any(word).has_value();
      if (!is_there) say("no such container: {}\n", word);
      return !is_there;
    });
  }
  const int status = with_each(all, names, [&](const Container& container) {
    if (lives(container) && !flags.force) {
      throw usage_error(fmt::format("the container {} runs", container.record.name))
          .with_advice("Stop it first, or remove it with -f.");
    }
    containers::stop_container(container, 0, "KILL", cancel.token());
    if (path_exists(container.directory)) ended.push_back(container);
  });
  if (ended.empty()) return status;
  const auto running = containers::remove_containers(store_root(flags.root), ended, flags.volumes);
  for (const auto& container : running) say("ERROR: the container {} runs\n", container.record.name);
  return running.empty() ? status : 1;
}

std::function<bool(const Container&)> parse_container_filters(const std::vector<std::string>& filters) {
  return parse_filters(filters,
                       prune_filters<Container>({.created = [](const Container& one) { return one.record.created; },
                                                 .is_labelled =
                                                     [](const Container& one, const std::string& text) {
                                                       return has_label(config_of_container(one).image.labels, text);
                                                     }}));
}

int prune_containers(const Flags& flags) {
  parse_container_filters(flags.filters);  // before a question
  if (!flags.force && !confirm_removal("all containers that have ended", "mbuild container prune -f")) return 0;
  remove_ended_containers(store_root(flags.root), flags.filters, [](const auto& id) { print("{}\n", id); });
  return 0;
}

// ---- exec

int execute(const Flags& flags) {
  if (flags.words.size() < 2) throw usage_error("mbuild exec [OPTIONS] CONTAINER COMMAND [ARG...]");
  const auto container = shelf(flags).find(flags.words.front());
  containers::ExecOptions options;
  options.argv.assign(flags.words.begin() + 1, flags.words.end());
  for (const auto& file : flags.env_files) {
    for (const auto& line : containers::parse_env_file(read_file(file), file)) add_variable(line, options.env);
  }
  for (const auto& text : flags.env) add_variable(text, options.env);
  options.user = flags.user;
  options.working_directory = flags.workdir;
  options.terminal = flags.tty;
  options.open_stdin = flags.interactive;
  options.detach = flags.detach;
  return attend_from_here(options.terminal, options.open_stdin, [&](const containers::Streams& streams) {
    return containers::execute_in(container, options, streams);
  });
}

int execute_with_status(const Flags& flags) {
  try {
    return execute(flags);
  } catch (const Error& error) {
    print_error(error);
    const int status = containers::status_of(error);
    return status == containers::k_not_started ? 1 : status;
  }
}

// ---- the commands, each at the top and below `container`

using Action = int (*)(const Flags&);

void add_exec(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  Command command = parent.add("exec", "Run a program in a container that runs");
  command.rest(flags->words, "CONTAINER COMMAND [ARG...]");
  command.flag("-d,--detach", flags->detach, "Do not wait for it");
  command.values("-e,--env", flags->env, "Environment variable");
  command.values("--env-file", flags->env_files, "File with a variable a line");
  command.flag("-i,--interactive", flags->interactive, "Pass standard input on");
  command.flag("-t,--tty", flags->tty, "Give it a terminal");
  command.value("-u,--user", flags->user, "USER[:GROUP]");
  command.value("-w,--workdir", flags->workdir, "Working directory");
  add_root_option(command, flags->root);
  command.run([flags] { return execute_with_status(*flags); });
}

void add_all(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  const auto named = [&](const char* name, const char* help, Action action, const char* alias = "") {
    Command command = add_store_command(parent, flags, name, help, action, alias);
    command.values("container", flags->names, "Names or ids", Presence::required);
    return command;
  };
  named("logs", "Show what a container has written", show_logs)
      .flag("-f,--follow", flags->follow, "Go on until it has ended")
      .value("--since", flags->since, "From this time on (2026-01-31T10:00:00Z), or since so long ago (10m)")
      .value("-n,--tail", flags->tail, "So many of the last lines")
      .flag("-t,--timestamps", flags->times, "With the time of each line")
      .value("--until", flags->until, "Up to this time, or until so long ago");
  named("stop", "End containers: their stop signal, then SIGKILL", stop_containers)
      .value("-s,--signal", flags->signal, "Signal in the place of the image's stop signal")
      .value("-t,--time,--timeout", flags->time, "Seconds to wait before SIGKILL (10)");
  named("kill", "Send a signal to containers", kill_containers).value("-s,--signal", flags->signal, "Signal (KILL)");
  named("wait", "Wait until containers have ended, and print their statuses", wait_for_containers);
  add_store_command(parent, flags, "port", "Show the ports of the host that lead into a container", show_ports)
      .values("container=CONTAINER [PORT[/udp]]", flags->names, "CONTAINER [PORT[/udp]]", Presence::required);
  named("top", "Show the processes of a container", show_processes);
}

void add_rm(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  add_store_command(parent, flags, "rm", "Remove containers and what they have written", remove_containers)
      .flag("-f,--force", flags->force, "End those that run; nothing is wrong where there is none")
      .flag("-v,--volumes", flags->volumes, "And their volumes that nobody chose a name for")
      .values("container", flags->names, "Names or ids", Presence::required);
}

}  // namespace

void remove_ended_containers(const std::string& store_root, const std::vector<std::string>& filters, const Tell& tell) {
  const auto is_meant = parse_container_filters(filters);
  std::vector<Container> ended;
  for (auto& container : containers::shelf_of(store_root).list()) {
    const bool is_over = container.state == State::exited || container.state == State::dead;
    if (is_over && is_meant(container)) ended.push_back(std::move(container));
  }
  const auto running = containers::remove_containers(store_root, ended, false);
  for (const auto& container : ended) {
    const auto is_same = [&](const Container& other) { return other.record.id == container.record.id; };
    if (std::ranges::none_of(running, is_same)) tell(container.record.id);
  }
}

void add_container_commands(Command& top) {
  add_network_command(top);
  add_volume_command(top);
  add_container_files_commands(top);
  add_container_life_commands(top);
  add_stats_command(top);
  add_ps_command(top, "ps", "");
  add_exec(top);
  add_all(top);
  add_inspect_command(top);
  add_rm(top);
  Command container = top.add("container", "Work on containers");
  container.require_subcommand();
  add_run_command(container);
  add_create_command(container);
  add_container_files_commands(container);
  add_container_life_commands(container);
  add_stats_command(container);
  add_ps_command(container, "ls", "list");
  add_ps_command(container, "ps", "").hide();
  add_exec(container);
  add_all(container);
  add_container_inspect(container);
  add_rm(container);
  const auto flags = std::make_shared<Flags>();
  add_store_command(container, flags, "prune", "Remove all containers that have ended", prune_containers)
      .values("--filter", flags->filters, "Those alone: until=24h, label=a=b, label!=a")
      .flag("-f,--force", flags->force, "Do not ask");
}

}  // namespace mbuild::cli
