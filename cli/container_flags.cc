#include "cli/container_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "containers/networks.h"
#include "containers/option_values.h"
#include "containers/ports.h"
#include "containers/process.h"
#include "containers/shelf.h"
#include "executor/api/option_values.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

std::vector<std::string> variables_of(const ContainerFlags& flags) {
  std::vector<std::string> out;
  for (const auto& file : flags.env_file) {
    for (const auto& line : containers::parse_env_file(read_file(file), file)) add_variable(line, out);
  }
  for (const auto& text : flags.env) add_variable(text, out);
  return out;
}

containers::HealthOptions health_of(const ContainerFlags& flags) {
  const auto time = [](const char* flag, const std::string& text) { return containers::parse_health_time(flag, text); };
  return {.off = flags.no_health,
          .command = flags.health_cmd,
          .interval = time("--health-interval", flags.health_interval),
          .timeout = time("--health-timeout", flags.health_timeout),
          .start_period = time("--health-start-period", flags.health_start_period),
          .start_interval = time("--health-start-interval", flags.health_start_interval),
          .retries = static_cast<std::int64_t>(containers::parse_count("--health-retries", flags.health_retries))};
}

std::vector<std::pair<std::string, std::string>> labels_of(const ContainerFlags& flags) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& file : flags.label_file) containers::add_labels_of_file(read_file(file), out);
  for (const auto& text : flags.labels) containers::add_label(text, out);
  return out;
}

executor::NameServers name_servers_of(const ContainerFlags& flags) {
  executor::NameServers out{.addresses = {}, .search = flags.dns_search, .options = flags.dns_option};
  for (const auto& text : flags.dns) out.addresses.push_back(containers::parse_name_server(text));
  return out;
}

// --volumes-from CONTAINER[:ro]: all that another one sees, but where this one has something of its own.
void add_volumes_of_others(const ContainerFlags& flags, containers::Options& out) {
  if (flags.volumes_from.empty()) return;
  const containers::Shelf shelf(containers::containers_directory(executor::open_store(store_root(flags.root))));
  for (const auto& text : flags.volumes_from) {
    const auto colon = text.find(':');
    const std::string mode = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (!mode.empty() && mode != "ro" && mode != "rw") {
      throw usage_error(fmt::format("invalid --volumes-from \"{}\"", text)).with_advice("It is CONTAINER[:ro].");
    }
    for (auto& bind : containers::binds_of(shelf.find(text.substr(0, colon)))) {
      const auto is_same = [&](const auto& other) { return other.target == bind.target; };
      if (std::ranges::any_of(out.binds, is_same) || std::ranges::any_of(out.memory, is_same)) continue;
      bind.anonymous = false;
      bind.read_only = bind.read_only || mode == "ro";
      out.binds.push_back(std::move(bind));
    }
  }
}

void set_limits(const ContainerFlags& flags, containers::Options& out) {
  if (!flags.memory.empty()) out.limits.memory = parse_size(flags.memory);
  out.limits.cpu_thousandths = containers::parse_cpus(flags.cpus);
  out.limits.pids = containers::parse_count("--pids-limit", flags.pids);
}

void set_network(const ContainerFlags& flags, containers::Options& out) {
  const bool is_mode = flags.network.empty() || flags.network == "default" || flags.network == "none" ||
                       flags.network == "host" || flags.network == "bridge";
  // Where names are looked up.
  const auto containers = is_mode ? "" : containers::containers_directory(executor::open_store(store_root(flags.root)));
  out.network = containers::choose_network(containers, flags.network);
  for (const auto& alias : flags.network_aliases) containers::check_alias(alias);
  out.network.aliases = flags.network_aliases;
  if (out.network.aliases.empty() || !out.network.name.empty()) return;
  throw usage_error("--network-alias is for networks that have a name")
      .with_advice("Make one (mbuild network create NAME), and run the container with --network NAME.");
}

void check_network(const ContainerFlags& flags, const containers::Options& options) {
  if (flags.network.starts_with("container:")) {
    if (!options.ports.empty() || options.publish_all) {
      throw usage_error("ports are published by the container whose network this one has")
          .with_advice("Publish them where that one is run.");
    }
    if (!options.hostname.empty() || !options.extra_hosts.empty()) {
      throw usage_error("--hostname and --add-host are for the container whose network this one has");
    }
  }
  if (options.ports.empty() || options.network.mode == graph::NetworkMode::standard) return;
  throw usage_error("ports are published with a network of the container's own alone")
      .with_advice("With --network host the container has the host's ports; with none it has no network.");
}

void check_restart(const ContainerFlags& flags, const containers::Restart& restart, bool runs) {
  if (restart.when == containers::Restart::When::never) return;
  if (flags.remove) throw usage_error("--rm and --restart can't be used together");
  if (!flags.detach && runs) {
    throw usage_error("--restart needs -d: in the foreground a container ends with its program")
        .with_advice("Run it with -d, and see what it writes by: mbuild logs -f");
  }
}

void add_usual_flags(Command& command, ContainerFlags& flags, bool runs) {
  command.group("Most used");
  command.flag("-i,--interactive", flags.interactive, "Pass standard input on");
  command.flag("-t,--tty", flags.tty, "Give the program a terminal");
  if (runs) command.flag("-d,--detach", flags.detach, "Run in the background, and print the container's id");
  command.flag("--rm", flags.remove, "Remove the container when it has ended");
  command.value("--name=NAME", flags.name, "Name of the container");
  command.value("--platform=P", flags.platform, "Platform of the image (default: this machine's)");
  command.values("-p,--publish=[[IP:]HOST:]PORT[/udp]", flags.publish, "Lead a port of the host into it");
  command.values("-v,--volume=SOURCE:DIR[:ro]", flags.volume, "Show a directory of the host or a volume");
  command.values("-l,--label=NAME[=VALUE]", flags.labels, "Label of the container");
  command.values("-e,--env=NAME[=VALUE]", flags.env, "Environment variable, or the one that is here");
}

void add_program_flags(Command& command, ContainerFlags& flags) {
  command.group("What runs, and with what");
  command.values("--entrypoint=PROGRAM", flags.entrypoint_given, "Program in the place of the image's entry point");
  command.value("-u,--user=USER[:GROUP]", flags.user, "Names or numbers");
  command.value("-w,--workdir=DIR", flags.workdir, "Working directory");
  command.values("--env-file=FILE", flags.env_file, "File with a variable a line");
  command.values("--label-file=FILE", flags.label_file, "File with a label a line");
  command.values("--group-add=GROUP", flags.group_add, "Another group that the user is in");
  command.value("--stop-signal=SIGNAL", flags.stop_signal, "What ends it (TERM)");
  command.value("--stop-timeout=SECONDS", flags.stop_timeout, "Time until SIGKILL follows (10)");
  command.value("--cidfile=FILE", flags.cid_file, "Write its id there");
  command.flag("-q,--quiet", flags.quiet, "Accepted; nothing is said of what is fetched");
  command.value("--pull=WHEN", flags.pull, "always, missing or never");
  command.values("--mount=SPEC", flags.mount,
                 "type=bind,src=HOST,dst=DIR[,readonly], type=volume[,src=NAME],dst=DIR or type=tmpfs,dst=DIR");
  command.values("--volumes-from=CONTAINER[:ro]", flags.volumes_from, "What another container sees of the host");
  command.values("--tmpfs=DIR[:OPTIONS]", flags.tmpfs, "A file system in memory (size=N,ro)");
  command.flag("--read-only", flags.read_only, "The root directory can't be written");
  command.value("--network,--net=NAME", flags.network, "default, none, host, container:NAME or a network's name");
  command.values("--network-alias,--net-alias", flags.network_aliases, "Another name that it has in its network");
  command.values("--dns=ADDRESS", flags.dns, "A name server, in the place of the host's");
  command.values("--dns-search=DOMAIN", flags.dns_search, "A domain that names are looked up in");
  command.values("--dns-option,--dns-opt=OPTION", flags.dns_option, "An option of the resolver (ndots:1)");
  command.values("--expose=PORT[/udp]", flags.expose, "A port that its program listens at");
  command.flag("-P,--publish-all", flags.publish_all, "Lead ports of the host to all that the image exposes");
  command.value("-h,--hostname=NAME", flags.hostname, "Host name");
  command.values("--add-host=NAME:ADDRESS", flags.add_host, "A line of /etc/hosts");
  command.flag("--init", flags.init, "A first process that passes signals on and reaps what nobody waits for");
  command.value("--restart=WHEN", flags.restart, "no, on-failure[:N], always or unless-stopped, with -d");
  command.value("--detach-keys=KEYS", flags.detach_keys, "Keys that leave its terminal (ctrl-p,ctrl-q)");
}

void add_limit_flags(Command& command, ContainerFlags& flags) {
  command.group("What it may");
  command.value("-m,--memory=SIZE", flags.memory, "So much memory at most (512m)");
  command.value("--cpus=N", flags.cpus, "So many processors at most (1.5)");
  command.value("--pids-limit=N", flags.pids, "So many processes at most");
  command.values("--ulimit=NAME=SOFT[:HARD]", flags.ulimit, "Limit of a process (nofile=1024)");
  command.value("--shm-size=SIZE", flags.shm_size, "Size of /dev/shm (64m)");
  command.values("--cap-add=NAME", flags.cap_add, "Capabilities that the program has besides the usual ones");
  command.values("--cap-drop=NAME", flags.cap_drop, "Capabilities that it has not");
  command.flag("--allow-less-isolation", flags.less_isolation, "Run where the host can't isolate as usual");
  add_root_option(command, flags.root);
}

void add_health_flags(Command& command, ContainerFlags& flags) {
  command.group("Whether it does its work");
  command.value("--health-cmd=COMMAND", flags.health_cmd, "What tells, in a shell");
  command.value("--health-interval=TIME", flags.health_interval, "Time between two looks (30s)");
  command.value("--health-retries=N", flags.health_retries, "Failures until it is unhealthy (3)");
  command.value("--health-timeout=TIME", flags.health_timeout, "Time that a look may take (30s)");
  command.value("--health-start-period=TIME", flags.health_start_period, "Time in which failures do not count");
  command.value("--health-start-interval=TIME", flags.health_start_interval,
                "Time between two looks in the start period");
  command.flag("--no-healthcheck", flags.no_health, "Do not look whether it does its work");
}

}  // namespace

void add_variable(const std::string& text, std::vector<std::string>& into) {
  if (text.empty() || text.starts_with('='))
    throw usage_error(fmt::format("invalid environment variable: \"{}\"", text));
  if (text.find('=') != std::string::npos) {
    into.push_back(text);
  } else if (const char* value = std::getenv(text.c_str())) {
    into.push_back(text + "=" + value);
  } else {
    into.push_back(text);
  }
}

void add_container_flags(Command& command, ContainerFlags& flags, bool runs) {
  command.rest(flags.words, "IMAGE [COMMAND] [ARG...]");
  command.examples(
      {{"mbuild run --rm -it NAME", "Run the program of an image that was built, on this terminal."},
       {"mbuild run --rm --platform linux/arm64 NAME uname -m", "Run the image for another platform."},
       {"mbuild run -d -p 8080:80 --name web NAME", "Run a server; `mbuild logs web` shows what it says."}});
  add_usual_flags(command, flags, runs);
  add_program_flags(command, flags);
  add_limit_flags(command, flags);
  add_health_flags(command, flags);
  command.group("");
  add_docker_run_flags(command, flags.docker);
}

containers::Options options_of(const ContainerFlags& flags, bool runs) {
  if (flags.words.empty() || flags.words.front().empty()) {
    throw usage_error("no image is named").with_advice("mbuild run [OPTIONS] IMAGE [COMMAND] [ARG...]");
  }
  containers::Options out;
  out.image = flags.words.front();
  out.arguments.assign(flags.words.begin() + 1, flags.words.end());
  const std::string directory = surroundings().directory;
  std::string platform = flags.platform.empty() ? environment_variable("DOCKER_DEFAULT_PLATFORM") : flags.platform;
  if (!platform.empty()) out.platform = platforms::parse_platform_list(platform).front();
  out.pull = containers::parse_pull(flags.pull);
  if (!flags.entrypoint_given.empty()) out.entrypoint = flags.entrypoint_given.back();
  out.env = variables_of(flags);
  out.user = flags.user;
  out.working_directory = flags.workdir;
  out.hostname = flags.hostname;
  for (const auto& text : flags.add_host) {
    for (auto& host : executor::parse_add_host(text)) out.extra_hosts.push_back(std::move(host));
  }
  set_network(flags, out);
  for (const auto& text : flags.volume) out.binds.push_back(containers::parse_volume(text, directory));
  out.publish_all = flags.publish_all;
  for (const auto& text : flags.publish) {
    for (auto& port : containers::parse_publish(text)) out.ports.push_back(std::move(port));
  }
  check_network(flags, out);
  for (const auto& text : flags.mount) containers::parse_mount(text, directory, out);
  for (const auto& text : flags.tmpfs) out.memory.push_back(containers::parse_tmpfs(text));
  add_volumes_of_others(flags, out);
  containers::check_mount_points(out);
  out.cap_add = flags.cap_add;
  out.cap_drop = flags.cap_drop;
  for (const auto& text : flags.ulimit) out.ulimits.push_back(executor::parse_ulimit(text));
  if (!flags.shm_size.empty()) out.shm_size = parse_size(flags.shm_size);
  set_limits(flags, out);
  out.health = health_of(flags);
  out.restart = containers::parse_restart(flags.restart);
  check_restart(flags, out.restart, runs);
  if (!flags.stop_signal.empty()) containers::signal_number(flags.stop_signal);
  out.ending = {.signal = flags.stop_signal,
                .seconds = containers::parse_stop_timeout("--stop-timeout", flags.stop_timeout)};
  out.name_servers = name_servers_of(flags);
  out.no_new_privileges = asks_for_no_new_privileges(flags.docker);
  out.groups = flags.group_add;
  out.labels = labels_of(flags);
  for (const auto& text : flags.expose) {
    for (auto& port : containers::parse_expose(text)) out.exposed.push_back(std::move(port));
  }
  answer_docker_run_flags(flags.docker);
  out.read_only = flags.read_only;
  out.init = flags.init;
  out.open_stdin = flags.interactive;
  out.terminal = flags.tty;
  return out;
}

}  // namespace mbuild::cli
