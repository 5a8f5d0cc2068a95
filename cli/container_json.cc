#include "cli/container_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "containers/process.h"
#include "containers/usage.h"

namespace mbuild::cli {
namespace {

using containers::Container;
using containers::State;
using nlohmann::ordered_json;

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

ordered_json state_json(const Container& container) {
  constexpr const char* k_never = "0001-01-01T00:00:00Z";
  const bool runs = container.state == State::running;
  return {{"Status", state_name(container.state)},
          {"Running", lives(container)},
          {"Paused", false},
          {"Restarting", container.state == State::restarting},
          {"OOMKilled", false},
          {"Dead", container.state == State::dead},
          {"Pid", runs ? container.running->process : 0},
          {"ExitCode", container.ended ? container.ended->status : 0},
          {"Error", ""},
          {"StartedAt", container.running ? rfc3339(container.running->started) : k_never},
          {"FinishedAt", container.ended ? rfc3339(container.ended->finished) : k_never},
          {"Health", health_of(container)}};
}

// As images have it, with what a container has besides.
ordered_json config_json(const Container& container, const ContainerConfig& config) {
  const auto& options = container.record.options;
  const auto written = ordered_json::parse(frontend::serialise_image_config(config.image));
  ordered_json out = {
      {"Hostname", options.hostname.empty() ? container.record.id.substr(0, k_short_id) : options.hostname},
      {"User", ""},
      {"Tty", options.terminal},
      {"OpenStdin", options.open_stdin},
      {"Env", ordered_json::array()},
      {"Cmd", nullptr},
      {"Image", options.image},
      {"WorkingDir", ""},
      {"Entrypoint", nullptr},
      {"Labels", ordered_json::object()}};
  out.update(written.value("config", ordered_json::object()));
  if (options.ending.seconds) out["StopTimeout"] = *options.ending.seconds;
  return out;
}

std::string port_name(unsigned port, bool udp) { return fmt::format("{}/{}", port, udp ? "udp" : "tcp"); }

ordered_json bindings_of(const std::vector<containers::Port>& ports) {
  auto out = ordered_json::object();
  for (const auto& port : ports) {
    out[port_name(port.container, port.udp)].push_back(
        {{"HostIp", port.address.empty() ? "0.0.0.0" : port.address}, {"HostPort", std::to_string(port.host)}});
  }
  return out;
}

ordered_json host_json(const Container& container) {
  const auto& options = container.record.options;
  std::vector<std::string> binds, hosts;
  for (const auto& bind : options.binds) {
    if (!bind.anonymous) {
      binds.push_back(fmt::format("{}:{}:{}", bind.volume.empty() ? bind.source : bind.volume, bind.target,
                                  bind.read_only ? "ro" : "rw"));
    }
  }
  for (const auto& [name, address] : options.extra_hosts) hosts.push_back(fmt::format("{}:{}", name, address));
  auto memory = ordered_json::object();
  for (const auto& mount : options.memory)
    memory[mount.target] = mount.size > 0 ? fmt::format("size={}", mount.size) : "";
  auto ulimits = ordered_json::array();
  for (const auto& limit : options.ulimits) {
    ulimits.push_back({{"Name", limit.name}, {"Hard", limit.hard}, {"Soft", limit.soft}});
  }
  constexpr std::uint64_t k_usual_memory = 64 << 20;
  return {{"Binds", binds},
          {"NetworkMode", network_text(options.network)},
          {"PortBindings", bindings_of(options.ports)},
          {"RestartPolicy", {{"Name", policy_name(options.restart)}, {"MaximumRetryCount", options.restart.attempts}}},
          {"AutoRemove", container.record.remove},
          {"CapAdd", options.cap_add},
          {"CapDrop", options.cap_drop},
          {"Dns", options.name_servers.addresses},
          {"DnsOptions", options.name_servers.options},
          {"DnsSearch", options.name_servers.search},
          {"ExtraHosts", hosts},
          {"GroupAdd", options.groups},
          {"Privileged", false},
          {"PublishAllPorts", options.publish_all},
          {"ReadonlyRootfs", options.read_only},
          {"Tmpfs", memory},
          {"ShmSize", options.shm_size > 0 ? options.shm_size : k_usual_memory},
          {"Memory", options.limits.memory},
          {"NanoCpus", options.limits.cpu_thousandths * 1'000'000},
          {"PidsLimit", options.limits.pids},
          {"Ulimits", ulimits},
          {"Init", options.init}};
}

ordered_json mounts_json(const Container& container) {
  auto out = ordered_json::array();
  const std::string store = dir_name(dir_name(dir_name(dir_name(container.directory))));
  for (const auto& bind : containers::binds_of(container)) {
    ordered_json one = {{"Type", bind.volume.empty() ? "bind" : "volume"}};
    if (!bind.volume.empty()) one["Name"] = bind.volume;
    one["Source"] = bind.volume.empty() ? bind.source : fmt::format("{}/volumes/{}/data", store, bind.volume);
    one["Destination"] = bind.target;
    if (!bind.volume.empty()) one["Driver"] = "local";
    one["Mode"] = bind.read_only ? "ro" : "";
    one["RW"] = !bind.read_only;
    out.push_back(std::move(one));
  }
  for (const auto& memory : container.record.options.memory) {
    out.push_back({{"Type", "tmpfs"}, {"Destination", memory.target}, {"RW", !memory.read_only}});
  }
  return out;
}

ordered_json networks_json(const Container& container, const ContainerConfig& config) {
  const auto& network = container.record.options.network;
  const std::string address = container.state == State::running ? container.running->address : "";
  auto networks = ordered_json::object();
  if (!network.name.empty()) networks[network.name] = {{"Aliases", network.aliases}, {"IPAddress", address}};
  auto ports = bindings_of(container.state == State::running ? containers::ports_of(container)
                                                             : std::vector<containers::Port>());
  for (const auto& exposed : config.image.exposed_ports) {
    if (!ports.contains(exposed)) ports[exposed] = nullptr;
  }
  return {{"Ports", ports}, {"IPAddress", address}, {"Networks", networks}};
}

}  // namespace

ContainerConfig config_of_container(const Container& container) {
  const auto& options = container.record.options;
  ContainerConfig out;
  const auto standing = containers::read_standing(container);
  try {
    out.image = containers::config_of(standing ? frontend::parse_image_config(standing->config) : out.image, options);
    out.argv = containers::process_of(out.image, containers::Options()).argv;
  } catch (const Error&) {
    out.argv = options.arguments;
  }
  return out;
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

std::string network_text(const containers::NetworkChoice& network) {
  if (!network.container.empty()) return "container:" + network.container;
  return network.name.empty() ? network_mode(network) : network.name;
}

std::string image_digest_of(const Container& container) {
  const auto standing = containers::read_standing(container);
  const std::string name = standing ? standing->name : container.running ? container.running->image : "";
  const auto at = name.rfind('@');
  return at == std::string::npos ? "" : name.substr(at + 1);
}

std::string sizes_text(const Container& container) {
  const auto written = containers::written_bytes(container);
  std::uint64_t all = written;
  if (const auto standing = containers::read_standing(container)) {
    for (const auto& blob : standing->blobs) all += blob.size;
  }
  return fmt::format("{} (virtual {})", size_text(written), size_text(all));
}

ordered_json container_json(const Container& container, bool size) {
  const auto& record = container.record;
  const auto config = config_of_container(container);
  const auto argv = container.running ? container.running->argv : config.argv;
  const auto rest = argv.empty() ? argv : std::vector<std::string>(argv.begin() + 1, argv.end());
  ordered_json out = {{"Id", record.id},
                      {"Created", rfc3339(record.created)},
                      {"Path", argv.empty() ? "" : argv.front()},
                      {"Args", rest},
                      {"State", state_json(container)},
                      {"Image", image_digest_of(container)},
                      {"LogPath", containers::log_path(container)},
                      {"Name", "/" + record.name},
                      {"RestartCount", container.running ? container.running->restarts : 0},
                      {"Driver", "overlay"},
                      {"Platform", "linux"},
                      {"HostConfig", host_json(container)},
                      {"Mounts", mounts_json(container)},
                      {"Config", config_json(container, config)},
                      {"NetworkSettings", networks_json(container, config)}};
  if (size) out["SizeRw"] = containers::written_bytes(container);
  return out;
}

}  // namespace mbuild::cli
