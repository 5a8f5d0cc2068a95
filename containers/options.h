#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "platforms/platform.h"
#include "worker/sandbox/name_servers.h"

// What the user asks of a container, as plain data.
namespace mbuild::containers {

// A directory or a file of the host that the container sees, or a volume.
struct HostBind {
  std::string source;  // absolute; "" for a volume
  std::string target;  // absolute
  bool read_only = false;
  bool make_source = false;  // a directory, where there is nothing
  std::string volume = {};   // its name
  bool anonymous = false;    // a volume that nobody chose a name for: it can go with its container
  bool operator==(const HostBind&) const = default;
};

// A file system in memory.
struct MemoryMount {
  std::string target;
  std::uint64_t size = 0;  // bytes, 0 is unlimited
  bool read_only = false;
  bool operator==(const MemoryMount&) const = default;
};

enum class Pull { always, missing, never };

// A port of the host that leads into the container.
struct Port {
  std::string address;  // of the host; "": all
  unsigned host = 0, container = 0;
  bool udp = false;
  bool operator==(const Port&) const = default;
};

// What looks whether a container does its work, in the place of what its image says.
struct HealthOptions {
  bool off = false;
  std::string command;  // for a shell; "": the image's
  // Nanoseconds; 0: the image's, or the usual ones.
  std::int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;
  std::int64_t retries = 0;
  bool operator==(const HealthOptions&) const = default;
};

// When one that has ended is started again, by its own process.
struct Restart {
  enum class When { never, on_failure, always };
  When when = When::never;
  std::uint64_t attempts = 0;  // 0: any number
  bool operator==(const Restart&) const = default;
};

struct Limits {
  std::uint64_t memory = 0;  // bytes; 0: none
  std::uint64_t cpu_thousandths = 0;
  std::uint64_t pids = 0;
  bool operator==(const Limits&) const = default;
};

struct NetworkChoice {
  graph::NetworkMode mode = graph::NetworkMode::standard;
  std::string name;                  // standard: of a network of the store's that it is in; "": none
  std::vector<std::string> aliases;  // what others of that network call it besides its name
  std::string container;             // standard: the id of the one whose network it has; "": it has its own
  bool operator==(const NetworkChoice&) const = default;
};

// How one that is to end is told, in the place of what its image says.
struct Ending {
  std::string signal;                   // "": the image's
  std::optional<std::int64_t> seconds;  // until SIGKILL; negative: without end; none: the usual ten
  bool operator==(const Ending&) const = default;
};

struct Options {
  std::string image;                            // as the user names it
  std::optional<platforms::Platform> platform;  // none: the host's
  Pull pull = Pull::missing;
  std::vector<std::string> arguments;             // in the place of the image's command
  std::optional<std::string> entrypoint;          // in the place of the image's; "": none
  std::vector<std::string> env;                   // "NAME=value"; "NAME" takes one of the image's away
  std::string user, working_directory, hostname;  // "": the image's, or the usual one
  std::vector<std::pair<std::string, std::string>> extra_hosts;
  NetworkChoice network;
  std::vector<HostBind> binds;
  std::vector<MemoryMount> memory;
  std::vector<Port> ports;
  std::vector<std::string> cap_add, cap_drop;
  std::vector<graph::Ulimit> ulimits;
  std::uint64_t shm_size = 0;
  bool read_only = false;   // the root
  bool init = false;        // a first process that passes signals on and reaps what nobody waits for
  bool open_stdin = false;  // what is typed or piped reaches the program
  bool terminal = false;
  bool publish_all = false;  // of the image's ports those too that nothing leads to
  HealthOptions health;
  Restart restart;
  Limits limits;
  Ending ending;
  executor::NameServers name_servers;
  bool no_new_privileges = false;                           // no program of it gets rights by its file
  std::vector<std::string> groups;                          // that the user is in besides its own
  std::vector<std::string> exposed;                         // "80/tcp", besides the image's
  std::vector<std::pair<std::string, std::string>> labels;  // each name once
};

}  // namespace mbuild::containers
