#pragma once

#include <string>
#include <vector>

#include "cli/config/command.h"
#include "cli/docker_run_flags.h"
#include "containers/attach.h"
#include "containers/options.h"

namespace mbuild::cli {

// The flags of a container as they were typed.
struct ContainerFlags {
  std::vector<std::string> add_host, cap_add, cap_drop, dns, dns_option, dns_search, env, env_file, expose, group_add,
      labels, label_file, mount, network_aliases, publish, tmpfs, ulimit, volume, volumes_from, words;
  std::string root, platform, pull = "missing", hostname, network = "default", shm_size, user, workdir;
  std::vector<std::string> entrypoint_given;  // one, where it was given: it may be empty
  std::string name, memory, cpus, pids, restart, cid_file, stop_signal, stop_timeout;
  std::string health_cmd, health_interval, health_timeout, health_start_period, health_start_interval, health_retries;
  std::string detach_keys = containers::k_usual_detach_keys;
  bool publish_all = false, no_health = false;
  bool detach = false, init = false, interactive = false, read_only = false, remove = false, tty = false,
       less_isolation = false, quiet = false;
  DockerRunFlags docker;
};

// Adds the flags, and what follows them: the image and its arguments. `runs`: with those of how it is attended.
void add_container_flags(Command& command, ContainerFlags& flags, bool runs = true);

// "NAME=value", or "NAME" for the value that it has here: "NAME" stays where it has none. Throws Error (usage).
void add_variable(const std::string& text, std::vector<std::string>& into);

// What they say. Throws Error (usage).
containers::Options options_of(const ContainerFlags& flags, bool runs = true);

}  // namespace mbuild::cli
