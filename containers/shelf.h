#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/locks.h"
#include "cache/store.h"
#include "containers/options.h"

// The containers of a store: one directory each (docs/formats.md). What is said of one is never what was written down
// alone: it runs as long as its process holds a lock, which goes with that process whatever ends it.
namespace mbuild::containers {

// What a container was made with.
struct Record {
  std::string id, name;
  Options options;
  bool remove = false;          // when it has ended
  bool less_isolation = false;  // may do without what the host lacks
  std::int64_t created = 0;     // seconds since 1970
  std::int64_t created_ns = 0;  // the same in nanoseconds: which of two is older
};

// What is known of one since its program runs.
struct Running {
  std::int32_t process = 0;      // of the host's numbers
  std::uint64_t start_time = 0;  // of that process, as /proc has it: a number may be somebody else's by now
  std::int64_t started = 0;
  std::string image;  // NAME@DIGEST
  int stop_signal = 15;
  std::vector<std::string> argv, env;
  std::string cwd, user;
  std::vector<Port> ports;     // with those that were chosen when it began
  std::string address;         // in the network that it is in by name
  std::uint64_t restarts = 0;  // by its own process, before this one
};

// The image that one was started on.
struct Standing {
  std::string name;    // NAME@DIGEST
  std::string config;  // as JSON
  struct Blob {
    std::string media_type, digest;
    std::uint64_t size = 0;
  };
  std::vector<Blob> blobs;          // of its layers, bottom first, as many as the configuration has diff ids
  std::vector<std::string> layers;  // of the store: what its root is mounted from
};

struct Ended {
  std::int32_t status = 0;
  std::int64_t finished = 0;
};

// restarting: its program has ended and is about to be started again. dead: its process was killed before it could tell
// how it ended.
enum class State { created, running, restarting, exited, dead };

struct Container {
  Record record;
  std::optional<Running> running;
  std::optional<Ended> ended;
  std::vector<HostBind> volumes = {};  // what its image says that it has, of names that nobody chose
  std::string health = {};             // a line "starting", "healthy" or "unhealthy", and JSON of it; "": nobody looks
  State state = State::created;
  std::uint64_t lives = 0;  // that had ended before
  std::string directory;
};

// What the name of a directory begins with that is to be deleted.
inline constexpr const char* k_gone = ".gone-";

// Where the containers of a store are, for the ids that it is opened with.
std::string containers_directory(const cache::Store& store);

class Shelf {
 public:
  // `directory` is containers_directory().
  explicit Shelf(std::string directory);

  // Makes a container's directory. Throws Error (usage) where its name is taken.
  Container add(const Record& record) const;
  // All that there are, the newest first.
  std::vector<Container> list() const;
  // By name, id, or the beginning of an id. Throws Error (usage) where there is none, or several.
  Container find(const std::string& word) const;
  // The same; nothing where there is none.
  std::optional<Container> find_any(const std::string& word) const;
  std::optional<Container> read(const std::string& id) const;
  // Throws Error (usage) where the name is no name, or is taken.
  void rename(const Container& container, const std::string& name) const;
  // Puts the directory out of the others' sight; whoever may delete its files does so.
  std::string take_away(const Container& container) const;

  // Those that nobody has deleted yet.
  std::vector<std::string> taken_away() const;

 private:
  std::string name_path(const std::string& name) const;
  void take_name(const std::string& name, const std::string& id) const;
  std::optional<Container> by_name(const std::string& name) const;

  std::string directory_;
};

// Held by the process of a container as long as it lives (Life of containers/life.h).
cache::FileLock hold(const Container& container);
bool is_held(const Container& container);
// The file that is held, for who asks when the container may have been removed; none where it has been.
Fd held_file(const Container& container);
// Whether it runs, or is about to run again.
inline bool lives(const Container& container) {
  return container.state == State::running || container.state == State::restarting;
}
void write_running(const Container& container, const Running& running);
// After `running`: it runs from then on.
void forget_ended(const Container& container);
void write_standing(const Container& container, const Standing& standing);
// Nothing where it has never been started.
std::optional<Standing> read_standing(const Container& container);
// Before the first of them is used.
void write_volumes(const Container& container, const std::vector<HostBind>& volumes);
std::vector<HostBind> read_volumes(const Container& container);
void write_health(const Container& container, const std::string& health);
// Somebody wants it to end: it is not to be started again by its process.
void ask_to_stay_down(const Container& container);
void forget_request(const Container& container);
bool is_to_stay_down(const Container& container);
// It is about to be started again: it stays, though it was to be removed when it has ended.
void ask_to_keep(const Container& container);
bool is_to_be_kept(const Container& container);
void write_ended(const Container& container, const Ended& ended);
std::string socket_path(const Container& container);
std::string log_path(const Container& container);

// A new id, and a name that nobody has to think of.
std::string new_id();
std::string some_name(const std::string& id);
// Throws Error (usage) unless it is a name as docker's.
void check_name(const std::string& name);

// The start time of a process as /proc has it; nothing where there is none.
std::optional<std::uint64_t> start_time_of(std::int32_t process);

// All that is mounted in it, what is below something else after that.
std::vector<HostBind> binds_of(const Container& container);
// Those that lead to it, or led when it ran.
const std::vector<Port>& ports_of(const Container& container);

// "Up 3 minutes", "Exited (0) 2 hours ago".
std::string status_text(const Container& container, std::int64_t now);
std::string ago(std::int64_t seconds);

}  // namespace mbuild::containers
