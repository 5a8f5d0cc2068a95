#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "cache/store.h"
#include "files/select.h"
#include "graph/graph.h"
#include "platforms/platform.h"

// Where steps run: this machine, or another one that is asked for it.
//
// A task is a value: what the user wrote with all names resolved, and layers by their ids. Nothing in it means
// something on one machine only, so a worker may be another process or another machine. Before a task is given to a
// worker, the layers that it names and `missing` tells have to be put there. What a task makes is a layer with the id
// that the task has for it; it stays where it was made until somebody asks for it.
//
// Two things can't be values: files of the user as they lie in a build context, and the user's ssh agent. A task names
// them by ids that mean something to who has them; whether a worker can do such tasks it says by `lends`. A copy from a
// context makes a layer, so the steps above it can run anywhere.
namespace mbuild::executor {

// What the ids of layers begin with that hold what a RUN had written when it failed: nothing is ever built on them.
inline constexpr const char* k_failed_layer = "failed-";

// The layers of a snapshot, bottom first, without empty ones.
using LayerIds = std::vector<std::string>;

struct TaskMount {
  graph::MountKind kind = graph::MountKind::bind;
  std::string target;  // absolute
  bool read_only = false;
  std::string selector;  // bind, cache: path within what is mounted, "" is its root
  LayerIds layers;       // bind: what is mounted. cache: what it has when it is new, if first_content

  // cache: its name; with other mounts of one name it shares what is in it.
  std::string cache;
  graph::CacheSharing sharing = graph::CacheSharing::shared;
  bool first_content = false;
  bool fresh = false;  // nothing of earlier builds is to be seen; what ends well replaces it

  std::string content;  // secret: the bytes
  std::string agent;    // ssh: id of the agent
  std::optional<std::uint32_t> uid, gid, mode;
  std::uint64_t size = 0;  // tmpfs: bytes, 0 is unlimited
};

struct RunTask {
  std::string layer;  // id of the new layer
  LayerIds root;
  // A snapshot of the host's platform with the same packages, whose programs may stand in for those of the task that
  // would be emulated; nothing: all are.
  std::optional<LayerIds> sibling;
  std::optional<LayerIds> compilers;  // with a sibling: a snapshot of the host's with compilers for the task's platform
  std::vector<std::string> argv, env;  // env: "NAME=value"
  std::string cwd, user, hostname;
  std::vector<std::pair<std::string, std::string>> extra_hosts;
  graph::NetworkMode network = graph::NetworkMode::standard;
  graph::SecurityMode security = graph::SecurityMode::sandbox;
  std::vector<graph::Ulimit> ulimits;
  std::uint64_t shm_size = 0;
  std::optional<platforms::Platform> platform;
  std::vector<TaskMount> mounts;  // but the root
  bool less_isolation = false;    // where it can't be had: do without
  bool one_processor = false;     // none of its programs, and no two of their threads, run at the same time
  bool keep_failed = false;       // what it has written stays when it fails, as a layer
};

struct RunResult {
  int exit_code = 0;  // 128 + signal when killed by one; other than 0: there is no layer, unless the
                      // task keeps what failed: one that is not digested, or none
  int signal = 0;
  std::string emulator;        // as `prepare` tells it
  std::string crashed;         // of an emulated run: the last program whose emulator ended itself by a signal, if known
  std::string emulator_crash;  // of a failed run: what ended it was a fault of the emulator itself, of which this tells
  std::uint64_t programs_started = 0, programs_native = 0;  // of a task with a sibling
  bool own_network = false;                                 // it was in a network of the build's own
  bool host_proc = false;                                   // it had no /proc of its own
  bool shared_ids = false;                                  // it had no user namespace of its own
  cache::Layer layer;
};

// What a copy reads from.
struct FilesSource {
  std::optional<LayerIds> layers;  // a snapshot, or
  std::string user_files;          // id of files of the user; neither: not a copy
};

struct FilesTask {
  std::string layer;  // id of the new layer; apply only
  LayerIds base;
  std::vector<graph::FileAction> actions;
  std::vector<FilesSource> sources;  // one an action
  bool probe = false;                // apply: tell what `probe` would have told, too
  bool list_contents = false;        // apply: keep a list of the files, by which a later run reads less
  std::string older;                 // apply: the layer that an earlier run of this step made, "" for none
};

struct ProbeResult {
  Digest destination;  // "": not known, since files of the user had changed
  bool complete = true;
  std::vector<Digest> copied;  // by action: what a copy from a snapshot takes; "" for others
};

// What was copied in place of what was to be, since files of the user had changed.
struct CopiedAnew {
  std::size_t action = 0;
  Selection selection;  // entries only, with the digests of their contents
};

struct FilesResult {
  ProbeResult probe;
  cache::Layer layer;
  std::vector<CopiedAnew> copied_anew;
};

struct ResourceUsage {
  std::uint64_t user_microseconds = 0, system_microseconds = 0;
  std::uint64_t peak_memory = 0;  // bytes, of the largest process
};

// Told what a step writes and what it took. Called by one thread at a time, and no more when the call has returned.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void log(int stream, std::string_view data) = 0;  // 1 stdout, 2 stderr; any bytes
  virtual void usage(const ResourceUsage& usage) = 0;
};

// A layer's tar, as serialise_layer writes it, uncompressed: a source is called once and gives all of it to the sink.
using TarSink = std::function<void(std::string_view bytes)>;
using TarSource = std::function<void(const TarSink&)>;

// Callable from many threads at once. All throw Error, and Cancelled when stop was requested; a program that fails is a
// result.
class Worker {
 public:
  virtual ~Worker() = default;

  // Whether it can do tasks with files of the user or with their ssh agent.
  virtual bool lends() const = 0;

  // Which of these layers it lacks.
  virtual LayerIds missing(const LayerIds& layers) = 0;
  // What it knows of one that it has.
  virtual std::optional<cache::Layer> find(const std::string& layer) = 0;
  virtual void put(const cache::Layer& layer, const TarSource& tar, std::stop_token stop) = 0;
  virtual void get(const std::string& layer, const TarSink& tar, std::stop_token stop) = 0;

  // A RUN like this one will follow as soon as its layers are there: what else it takes is made ready meanwhile. What
  // will run the programs of a foreign platform, "" for the processor itself. Throws what is in the way.
  virtual std::string prepare(const RunTask& task) = 0;
  // Whether a cache mount may turn out to be new, and so needs its first content.
  virtual bool needs_first_content(const TaskMount& cache) = 0;
  virtual RunResult run(const RunTask& task, StepSink& sink, std::stop_token stop) = 0;

  virtual FilesResult apply(const FilesTask& task, std::stop_token stop) = 0;
  // What the outcome of a file step depends on.
  virtual ProbeResult probe(const FilesTask& task, std::stop_token stop) = 0;
  // Of what a bind mount of `selector` shows.
  virtual Digest digest(const LayerIds& snapshot, const std::string& selector, std::stop_token stop) = 0;
};

}  // namespace mbuild::executor
