#include "containers/process.h"

#include <fmt/format.h>
#include <sys/capability.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "containers/volumes.h"
#include "worker/sandbox/become_program.h"

namespace mbuild::containers {
namespace {

constexpr const char* k_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> words_of(const frontend::ImageConfig& image, const Options& options) {
  std::vector<std::string> words = image.entrypoint.value_or(std::vector<std::string>());
  // The image's command is made for the image's entry point.
  auto arguments = options.entrypoint ? std::vector<std::string>() : image.cmd.value_or(std::vector<std::string>());
  if (options.entrypoint) words.clear();
  if (options.entrypoint && !options.entrypoint->empty()) words.push_back(*options.entrypoint);
  if (!options.arguments.empty()) arguments = options.arguments;
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (!words.empty() && !words.front().empty()) return words;
  throw usage_error(fmt::format("{} says no command to run", options.image))
      .with_advice("Give one after the image's name.");
}

void set_variable(std::vector<std::string>& env, const std::string& entry) {
  const std::string name = entry.substr(0, entry.find('=')) + "=";
  const auto same = std::ranges::find_if(env, [&](const auto& other) { return other.starts_with(name); });
  if (entry.find('=') == std::string::npos) {
    if (same != env.end()) env.erase(same);
  } else if (same != env.end()) {
    *same = entry;
  } else {
    env.push_back(entry);
  }
}

std::vector<std::string> variables_of(const frontend::ImageConfig& image, const Options& options) {
  std::vector<std::string> env = {k_path};
  if (!options.hostname.empty()) env.push_back("HOSTNAME=" + options.hostname);
  if (options.terminal) env.push_back("TERM=xterm");
  for (const auto& entry : image.env) set_variable(env, entry);
  for (const auto& entry : options.env) set_variable(env, entry);
  return env;
}

std::string directory_of(const frontend::ImageConfig& image, const Options& options) {
  const auto& directory = options.working_directory.empty() ? image.working_dir : options.working_directory;
  if (directory.empty()) return "/";
  if (!directory.starts_with('/')) {
    throw usage_error(fmt::format("the working directory \"{}\" is no absolute path", directory))
        .with_advice("Say where in the container it is: -w /DIR.");
  }
  return clean_path(directory);
}

int capability_number(const std::string& text) {
  const std::string lower = to_lower(text);
  cap_value_t value = 0;
  const std::string name = lower.starts_with("cap_") ? lower : "cap_" + lower;
  if (::cap_from_name(name.c_str(), &value) == 0) return value;
  throw usage_error(fmt::format("there is no capability \"{}\"", text))
      .with_advice("They are called as in capabilities(7), like NET_RAW; ALL is all of them.");
}

bool has_all(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const auto& name) { return iequals(name, "all"); });
}

}  // namespace

graph::ExecOp process_of(const frontend::ImageConfig& image, const Options& options) {
  graph::ExecOp out;
  out.argv = words_of(image, options);
  out.env = variables_of(image, options);
  out.cwd = directory_of(image, options);
  out.user = options.user.empty() ? image.user : options.user;
  out.network = options.network.mode;
  out.hostname = options.hostname;
  out.extra_hosts = options.extra_hosts;
  out.ulimits = options.ulimits;
  out.shm_size = options.shm_size;
  out.mounts.push_back({.target = "/", .input = 0, .output = 0});
  for (const auto& memory : options.memory) {
    out.mounts.push_back({.kind = graph::MountKind::tmpfs,
                          .target = memory.target,
                          .read_only = memory.read_only,
                          .output = {},
                          .uid = {},
                          .gid = {},
                          .mode = {},
                          .size = memory.size});
  }
  return out;
}

frontend::ImageConfig config_of(frontend::ImageConfig image, const Options& options) {
  if (options.entrypoint) {
    image.entrypoint.reset();
    if (!options.entrypoint->empty()) image.entrypoint = std::vector<std::string>{*options.entrypoint};
    image.cmd.reset();
  }
  if (!options.arguments.empty()) image.cmd = options.arguments;
  for (const auto& entry : options.env) set_variable(image.env, entry);
  if (!options.user.empty()) image.user = options.user;
  if (!options.working_directory.empty()) image.working_dir = options.working_directory;
  for (const auto& port : options.ports) {
    image.exposed_ports.push_back(fmt::format("{}/{}", port.container, port.udp ? "udp" : "tcp"));
  }
  image.exposed_ports.insert(image.exposed_ports.end(), options.exposed.begin(), options.exposed.end());
  for (const auto& [name, value] : options.labels) image.labels[name] = value;
  if (!options.ending.signal.empty()) image.stop_signal = options.ending.signal;
  std::ranges::sort(image.exposed_ports);
  const auto repeated = std::ranges::unique(image.exposed_ports);
  image.exposed_ports.erase(repeated.begin(), repeated.end());
  return image;
}

std::vector<HostBind> volumes_of(const frontend::ImageConfig& image, const Options& options) {
  std::set<std::string> taken;
  for (const auto& bind : options.binds) taken.insert(bind.target);
  for (const auto& memory : options.memory) taken.insert(memory.target);
  std::vector<HostBind> out;
  for (const auto& text : image.volumes) {
    const std::string target = clean_path("/" + text);
    if (target == "/" || !taken.insert(target).second) continue;
    out.push_back({.source = {},
                   .target = target,
                   .read_only = false,
                   .make_source = false,
                   .volume = anonymous_volume_name(),
                   .anonymous = true});
  }
  return out;
}

std::vector<int> capabilities_of(const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  std::set<int> held;
  if (has_all(add)) {
    for (int capability = 0; capability < static_cast<int>(::cap_max_bits()); ++capability) held.insert(capability);
  } else if (!has_all(drop)) {
    for (const int capability : executor::default_capabilities()) held.insert(capability);
  }
  for (const auto& name : drop) {
    if (!iequals(name, "all")) held.erase(capability_number(name));
  }
  for (const auto& name : add) {
    if (!iequals(name, "all")) held.insert(capability_number(name));
  }
  return {held.begin(), held.end()};
}

int signal_number(const std::string& name) {
  int number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() && number > 0 && number < NSIG) return number;
  const std::string upper = to_upper(name);
  const std::string_view wanted = std::string_view(upper).substr(upper.starts_with("SIG") ? 3 : 0);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && wanted == known) return signal;
  }
  throw usage_error(fmt::format("there is no signal \"{}\"", name)).with_advice("Signals are called as in kill -l.");
}

}  // namespace mbuild::containers
