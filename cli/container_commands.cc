#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

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
#include "cli/container_parts.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/network_command.h"
#include "cli/volume_command.h"
#include "containers/exec.h"
#include "containers/life.h"
#include "containers/log.h"
#include "containers/ports.h"
#include "containers/process.h"
#include "containers/run.h"

namespace mbuild::cli {
namespace {

using containers::Container;
using containers::State;
using nlohmann::ordered_json;

constexpr std::size_t k_short_id = 12;
constexpr std::size_t k_short_command = 20;

struct Flags {
  std::string root, format, signal, time = "10", tail = "all", since, user, workdir;
  std::vector<std::string> names, words, env;
  bool all = false, quiet = false, whole = false, force = false, follow = false, times = false, interactive = false,
       tty = false, detach = false, latest = false, volumes = false;
};

containers::Shelf shelf(const Flags& flags) { return containers::shelf_of(store_root(flags.root)); }

// ---- ps

std::string command_text(const Container& container) {
  const auto& options = container.record.options;
  const auto words = container.running ? container.running->argv : options.arguments;
  return join(words, " ");
}

std::string ports_text(const Container& container) {
  std::vector<std::string> out;
  if (container.state != State::running) return "";
  for (const auto& port : containers::ports_of(container)) out.push_back(containers::to_string(port));
  return join(out, ", ");
}

const char* state_name(State state) {
  switch (state) {
    case State::created:
      return "created";
    case State::running:
      return "running";
    case State::restarting:
      return "restarting";
    case State::exited:
      return "exited";
    case State::dead:
      return "dead";
  }
  return "";
}

ordered_json row_of(const Container& container, bool whole) {
  const auto now = unix_seconds();
  const auto& record = container.record;
  const auto command = command_text(container);
  return {{"ID", whole ? record.id : record.id.substr(0, k_short_id)},
          {"Image", record.options.image},
          {"Command",
           whole || command.size() <= k_short_command ? command : command.substr(0, k_short_command - 3) + "..."},
          {"CreatedAt", rfc3339(record.created)},
          {"RunningFor", containers::ago(now - record.created) + " ago"},
          {"State", state_name(container.state)},
          {"Status", containers::status_text(container, now)},
          {"Ports", ports_text(container)},
          {"Names", record.name}};
}

void print_rows(const std::vector<ordered_json>& rows) {
  const std::vector<std::pair<const char*, const char*>> columns = {
      {"CONTAINER ID", "ID"}, {"IMAGE", "Image"}, {"COMMAND", "Command"}, {"CREATED", "RunningFor"},
      {"STATUS", "Status"},   {"PORTS", "Ports"}, {"NAMES", "Names"}};
  std::vector<std::size_t> widths;
  for (const auto& [title, member] : columns) {
    std::size_t width = std::string_view(title).size();
    for (const auto& row : rows) width = std::max(width, clean_line(row[member].get<std::string>()).size());
    widths.push_back(width);
  }
  const auto line = [&](const auto& text_of) {
    std::string out;
    for (std::size_t i = 0; i < columns.size(); ++i) out += fmt::format("{:<{}}   ", text_of(columns[i]), widths[i]);
    print("{}\n", out.substr(0, out.find_last_not_of(' ') + 1));
  };
  line([](const auto& column) { return std::string(column.first); });
  for (const auto& row : rows) {
    line([&](const auto& column) { return clean_line(row[column.second].template get<std::string>()); });
  }
}

int list_containers(const Flags& flags) {
  std::vector<ordered_json> rows;
  for (const auto& container : shelf(flags).list()) {
    if (!flags.all && !flags.latest && !lives(container)) continue;
    rows.push_back(row_of(container, flags.whole));
    if (flags.latest) break;
  }
  if (flags.quiet) {
    for (const auto& row : rows) print("{}\n", row["ID"].get<std::string>());
  } else if (flags.format == "json") {
    for (const auto& row : rows) print("{}\n", json_text(row, -1));
  } else if (!flags.format.empty() && flags.format != "table") {
    for (const auto& row : rows) print("{}\n", fill_template(flags.format, row.dump()));
  } else {
    print_rows(rows);
  }
  return 0;
}

// ---- what one says of itself

const char* policy_name(const containers::Restart& restart) {
  switch (restart.when) {
    case containers::Restart::When::never:
      return "no";
    case containers::Restart::When::on_failure:
      return "on-failure";
    case containers::Restart::When::always:
      return "always";
  }
  return "";
}

// Null where nobody looks.
ordered_json health_of(const Container& container) {
  if (container.health.empty()) return nullptr;
  const auto end = container.health.find('\n');
  const auto status = container.health.substr(0, end);
  const auto text = end == std::string::npos ? "" : container.health.substr(end + 1);
  const auto value = ordered_json::parse(text, nullptr, false);
  return value.is_object() ? value
                           : ordered_json{{"Status", status}, {"FailingStreak", 0}, {"Log", ordered_json::array()}};
}

ordered_json networks_of(const Container& container) {
  const auto& network = container.record.options.network;
  auto out = ordered_json::object();
  if (network.name.empty()) return out;
  const bool runs = container.state == State::running;
  out[network.name] = {{"Aliases", network.aliases}, {"IPAddress", runs ? container.running->address : ""}};
  return out;
}

const char* network_mode(const containers::NetworkChoice& network) {
  switch (network.mode) {
    case graph::NetworkMode::standard:
      return "default";
    case graph::NetworkMode::none:
      return "none";
    case graph::NetworkMode::host:
      return "host";
  }
  return "";
}

std::string network_text(const containers::NetworkChoice& network) {
  if (!network.container.empty()) return "container:" + network.container;
  return network.name.empty() ? network_mode(network) : network.name;
}

ordered_json inspected(const Container& container) {
  const auto& record = container.record;
  const auto& options = record.options;
  const bool runs = container.state == State::running;
  ordered_json ports = ordered_json::object(), mounts = ordered_json::array();
  for (const auto& port : containers::ports_of(container)) {
    ports[fmt::format("{}/{}", port.container, port.udp ? "udp" : "tcp")].push_back(
        {{"HostIp", port.address.empty() ? "0.0.0.0" : port.address}, {"HostPort", std::to_string(port.host)}});
  }
  for (const auto& bind : options.binds) {
    if (!bind.volume.empty()) {
      mounts.push_back(
          {{"Type", "volume"}, {"Name", bind.volume}, {"Destination", bind.target}, {"RW", !bind.read_only}});
      continue;
    }
    mounts.push_back(
        {{"Type", "bind"}, {"Source", bind.source}, {"Destination", bind.target}, {"RW", !bind.read_only}});
  }
  const auto running = container.running.value_or(containers::Running());
  return {
      {"Id", record.id},
      {"Name", record.name},
      {"Created", rfc3339(record.created)},
      {"Image", running.image},
      {"State",
       {{"Status", state_name(container.state)},
        {"Running", lives(container)},
        {"Restarting", container.state == State::restarting},
        {"Pid", runs ? running.process : 0},
        {"ExitCode", container.ended ? container.ended->status : 0},
        {"StartedAt", container.running ? rfc3339(running.started) : ""},
        {"FinishedAt", container.ended ? rfc3339(container.ended->finished) : ""},
        {"Health", health_of(container)}}},
      {"Config",
       {{"Image", options.image},
        {"Hostname", options.hostname.empty() ? record.id.substr(0, k_short_id) : options.hostname},
        {"User", running.user},
        {"WorkingDir", running.cwd},
        {"Env", running.env},
        {"Cmd", running.argv},
        {"Tty", options.terminal},
        {"OpenStdin", options.open_stdin}}},
      {"HostConfig",
       {{"AutoRemove", record.remove},
        {"NetworkMode", network_text(options.network)},
        {"ReadonlyRootfs", options.read_only},
        {"RestartPolicy", {{"Name", policy_name(options.restart)}, {"MaximumRetryCount", options.restart.attempts}}},
        {"Memory", options.limits.memory},
        {"NanoCpus", options.limits.cpu_thousandths * 1'000'000},
        {"PidsLimit", options.limits.pids}}},
      {"Mounts", mounts},
      {"NetworkSettings", {{"Ports", ports}, {"Networks", networks_of(container)}}}};
}

int inspect_containers(const Flags& flags) {
  const auto all = shelf(flags);
  auto list = ordered_json::array();
  const int status = for_each_name(flags.names, [&](const auto& word) { list.push_back(inspected(all.find(word))); });
  if (flags.format.empty()) {
    print("{}\n", json_text(list));
  } else {
    for (const auto& one : list)
      print("{}\n", flags.format == "json" ? json_text(one, -1) : fill_template(flags.format, one.dump()));
  }
  return status;
}

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

// "2026-01-31T10:00:00Z", or how long ago: "90s", "10m", "2h".
std::string since_text(const std::string& text) {
  if (text.empty() || text.find('-') != std::string::npos) return text;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(parsed.ptr, text.data() + text.size());
  const std::int64_t factor = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (parsed.ec == std::errc() && factor != 0) return rfc3339(unix_seconds() - number * factor);
  if (parsed.ec == std::errc() && unit.empty()) return rfc3339(number);
  throw usage_error(fmt::format("invalid --since \"{}\"", text))
      .with_advice("It is a time (2026-01-31T10:00:00Z), seconds since 1970, or how long ago: 90s, 10m, 2h.");
}

int show_logs(const Flags& flags) {
  const auto all = shelf(flags);
  const auto container = all.find(flags.names.front());
  containers::LogQuestion question{.tail = {}, .since = since_text(flags.since), .follow = flags.follow};
  if (flags.tail != "all") {
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
  const double seconds = seconds_of(flags.time);
  return with_each(shelf(flags), flags.names, [&](const Container& container) {
    containers::stop_container(container, seconds, flags.signal, cancel.token());
  });
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
  const auto running = containers::remove_containers(store_root(flags.root), ended);
  for (const auto& container : running) say("ERROR: the container {} runs\n", container.record.name);
  return running.empty() ? status : 1;
}

int prune_containers(const Flags& flags) {
  if (!flags.force && !confirm_removal("all containers that have ended", "mbuild container prune -f")) return 0;
  std::vector<Container> ended;
  for (auto& container : shelf(flags).list()) {
    const bool is_over = container.state == State::exited || container.state == State::dead;
    if (is_over) ended.push_back(std::move(container));
  }
  const auto running = containers::remove_containers(store_root(flags.root), ended);
  for (const auto& container : ended) {
    const auto is_same = [&](const Container& other) { return other.record.id == container.record.id; };
    if (std::ranges::none_of(running, is_same)) print("{}\n", container.record.id);
  }
  return 0;
}

// ---- exec

int execute(const Flags& flags) {
  if (flags.words.size() < 2) throw usage_error("mbuild exec [OPTIONS] CONTAINER COMMAND [ARG...]");
  const auto container = shelf(flags).find(flags.words.front());
  containers::ExecOptions options;
  options.argv.assign(flags.words.begin() + 1, flags.words.end());
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

void add_ps(Command& parent, const char* name, const char* alias) {
  const auto flags = std::make_shared<Flags>();
  add_store_command(parent, flags, name, "List the containers that run", list_containers, alias)
      .flag("-a,--all", flags->all, "Those that have ended, too")
      .value("--format", flags->format, "table, json or a template ({{.Names}})")
      .flag("-l,--latest", flags->latest, "The newest one alone")
      .flag("--no-trunc", flags->whole, "Whole ids and commands")
      .flag("-q,--quiet", flags->quiet, "Ids only");
}

void add_exec(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  Command command = parent.add("exec", "Run a program in a container that runs");
  command.rest(flags->words, "CONTAINER COMMAND [ARG...]");
  command.flag("-d,--detach", flags->detach, "Do not wait for it");
  command.values("-e,--env", flags->env, "Environment variable");
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
      .value("--since", flags->since, "From this time on")
      .value("-n,--tail", flags->tail, "So many of the last lines")
      .flag("-t,--timestamps", flags->times, "With the time of each line");
  named("stop", "End containers: their stop signal, then SIGKILL", stop_containers)
      .value("-s,--signal", flags->signal, "Signal in the place of the image's stop signal")
      .value("-t,--time", flags->time, "Seconds to wait before SIGKILL (10)");
  named("kill", "Send a signal to containers", kill_containers).value("-s,--signal", flags->signal, "Signal (KILL)");
  named("wait", "Wait until containers have ended, and print their statuses", wait_for_containers);
  add_store_command(parent, flags, "port", "Show the ports of the host that lead into a container", show_ports)
      .values("container=CONTAINER [PORT[/udp]]", flags->names, "CONTAINER [PORT[/udp]]", Presence::required);
  named("top", "Show the processes of a container", show_processes);
}

void add_inspect(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  add_store_command(parent, flags, "inspect", "Show containers as JSON", inspect_containers)
      .value("-f,--format", flags->format, "json or a template ({{.State.Status}})")
      .values("container", flags->names, "Names or ids", Presence::required);
}

void add_rm(Command& parent) {
  const auto flags = std::make_shared<Flags>();
  add_store_command(parent, flags, "rm", "Remove containers and what they have written", remove_containers)
      .flag("-f,--force", flags->force, "End those that run; nothing is wrong where there is none")
      .flag("-v,--volumes", flags->volumes, "Accepted; a container has no volumes of its own")
      .values("container", flags->names, "Names or ids", Presence::required);
}

}  // namespace

void add_container_commands(Command& top) {
  add_network_command(top);
  add_volume_command(top);
  add_container_files_commands(top);
  add_container_life_commands(top);
  add_stats_command(top);
  add_ps(top, "ps", "");
  add_exec(top);
  add_all(top);
  add_inspect(top);
  add_rm(top);
  Command container = top.add("container", "Work on containers");
  container.require_subcommand();
  add_run_command(container);
  add_container_files_commands(container);
  add_container_life_commands(container);
  add_stats_command(container);
  add_ps(container, "ls", "list");
  add_exec(container);
  add_all(container);
  add_inspect(container);
  add_rm(container);
  const auto flags = std::make_shared<Flags>();
  add_store_command(container, flags, "prune", "Remove all containers that have ended", prune_containers)
      .flag("-f,--force", flags->force, "Do not ask");
}

}  // namespace mbuild::cli
