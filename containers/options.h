#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "platforms/platform.h"

// What the user asks of a container, as plain data.
namespace mbuild::containers {

// A directory or a file of the host that the container sees, or a volume.
struct HostBind {
  std::string source;  // absolute; "" for a volume
  std::string target;  // absolute
  bool read_only = false;
  bool make_source = false;  // a directory, where there is nothing
  std::string volume = {};   // its name
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

struct Options {
  std::string image;                            // as the user names it
  std::optional<platforms::Platform> platform;  // none: the host's
  Pull pull = Pull::missing;
  std::vector<std::string> arguments;             // in the place of the image's command
  std::optional<std::string> entrypoint;          // in the place of the image's; "": none
  std::vector<std::string> env;                   // "NAME=value"; "NAME" takes one of the image's away
  std::string user, working_directory, hostname;  // "": the image's, or the usual one
  std::vector<std::pair<std::string, std::string>> extra_hosts;
  graph::NetworkMode network = graph::NetworkMode::standard;
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
};

}  // namespace mbuild::containers
