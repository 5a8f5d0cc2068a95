#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "base/fd.h"
#include "graph/graph.h"
#include "worker/native/native_source.h"
#include "worker/sandbox/exec_plan.h"
#include "worker/sandbox/name_servers.h"
#include "worker/sandbox/node_check.h"
#include "worker/snapshot/snapshot_mount.h"

// The sandbox of one RUN.
namespace mbuild::executor {

struct SandboxMount {
  graph::MountKind kind = graph::MountKind::bind;
  std::string target;  // absolute; symbolic links of the root file system are followed inside it
  bool read_only = false;

  // bind: what is mounted is `selector` ("" is the root) of the snapshot `stack` (one directory is a stack of one
  // layer). Unless read-only, writes go to `upper`, or are dropped where it is "".
  Stack stack;
  std::string selector;
  std::string upper, work;

  // cache: the directory of the cache (with `selector` in it). ssh: the socket. bind: in place of a snapshot, the path
  // of a directory or a file of the caller's, which is seen with all that is mounted below it.
  std::string source;

  std::uint64_t size = 0;  // tmpfs: bytes, 0 is unlimited

  // secret: the file's content comes from this descriptor, read from its beginning. secret, ssh: mode and owner.
  Fd content_fd = {};
  std::uint32_t uid = 0, gid = 0, mode = 0400;

  // bind: what is at `source` as a detached mount, where the caller had to make it (host_directory.h).
  Fd tree = {};
};

// What a container has and a RUN has not: somebody who attends it, and a choice in what it may do.
struct ContainerSetup {
  Fd stdin_fd;                    // none: there is nothing to be read
  bool terminal = false;          // a terminal of its own in the place of all three streams
  bool read_only = false;         // the root, when all is mounted
  bool init = false;              // its first process passes signals on to the program and reaps what nobody waits for
  std::vector<int> capabilities;  // that it may have, where the host gives them
  std::string hosts = {};         // the path of a file that is its /etc/hosts; "": it has that of a RUN
  NameServers name_servers = {};
  bool no_new_privileges = false;        // no program of it gets rights by its file
  std::vector<std::string> groups = {};  // names or numbers, that its user is in besides
  // A socket: when the program has been executed it gets a message (ready) with a descriptor of the first process and,
  // where there is a terminal, one of the side that is not the container's.
  Fd report;
};

struct SandboxNetwork {
  graph::NetworkMode mode = graph::NetworkMode::standard;
  Fd name_space;                           // standard: to be joined; none: that of the inner process
  Fd coming;                               // see HeldSockets; none: that namespace leads outside already
  std::optional<std::string> resolv_conf;  // of that network; nothing: the host's
};

struct Emulation {
  std::optional<NativeSource> native;  // nothing: all programs are emulated
  std::vector<Emulator> traced;        // for programs of which the kernel knows no handler. Not none: all execs are
                                       // traced, and there are no native equivalents
};

struct SandboxSpec {
  Stack stack;
  std::string upper, work;  // of the root: empty directories; "upper" is the new layer. Both "": writes are dropped
  std::string scratch;      // a directory for small things, best in memory; its content is worthless afterwards
  std::string spill;        // one on the store's file system, for writes that are dropped

  std::vector<std::string> argv;
  std::vector<std::string> env;                                  // "NAME=value"; HOME is added when missing
  std::string cwd = "/";                                         // made when missing, owned by the user
  std::string user;                                              // as in USER; "" is root
  std::string hostname;                                          // "" is "buildkitsandbox"
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address
  SandboxNetwork network;
  graph::SecurityMode security = graph::SecurityMode::sandbox;
  std::vector<graph::Ulimit> ulimits;  // hard limits are never raised
  std::uint64_t shm_size = 0;          // bytes, 0 is 64 MiB
  std::vector<SandboxMount> mounts;
  bool single_id = false;              // IdMap::single
  bool less_isolation = false;         // where the host refuses a /proc or a user namespace of its own: do without
  bool one_processor = false;          // it and all that it starts have to do with one
  std::optional<Emulation> emulation;  // nothing: its programs are of the host's architecture
  Fd stdout_fd, stderr_fd;
  std::optional<ContainerSetup> container;  // nothing: a RUN
};

// That the user is in besides its own.
inline std::vector<std::string> more_groups(const SandboxSpec& spec) {
  return spec.container ? spec.container->groups : std::vector<std::string>();
}

struct SandboxResult {
  int exit_code = 0;  // 128 + signal when killed by one
  int signal = 0;
  std::uint64_t user_microseconds = 0, system_microseconds = 0;
  std::uint64_t peak_memory = 0;  // bytes, of the largest process
  bool host_proc = false;         // the host refused a /proc of the sandbox's own: it saw the host's
  bool shared_ids = false;        // the host refused a user namespace of its own
  Unsent<std::vector<MadeNode>> made_nodes;
  std::uint64_t programs_started = 0, programs_native = 0;  // of an emulated step with a native source
  std::string last_crashed;   // the emulated program whose emulator was the last to end itself by a signal
  bool root_changed = false;  // metadata of the root directory differ from the snapshot's
};

// Runs the program and waits for its end and that of everything it started. Called inside a job of the inner process,
// which it kills by ending it. A program that fails is a result; one that cannot be started is an Error (step_failed)
// with the text runc has for it; what the host refuses is an Error (host or store) with advice.
//
// `snapshot` is the root of spec.stack, mounted read-only.
SandboxResult run_sandbox(const SandboxSpec& spec, int snapshot);

}  // namespace mbuild::executor
