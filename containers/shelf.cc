#include "containers/shelf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/codec.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/try_read_file.h"
#include "containers/life.h"

namespace mbuild::containers {
namespace {

// Before the bytes of a record: another version of this program may have written it.
constexpr std::string_view k_version = "mbuild container 5\n";

template <class T>
void write_record(const std::string& path, const T& value) {
  write_file_atomically(path, std::string(k_version) + executor::encode(value), 0600);
}

// Nothing where it is not there, or not to be understood.
template <class T>
std::optional<T> read_record(const std::string& path) {
  try {
    if (!path_exists(path)) return std::nullopt;
    const std::string bytes = read_file(path);
    if (!bytes.starts_with(k_version)) return std::nullopt;
    return executor::decode<T>(std::string_view(bytes).substr(k_version.size()));
  } catch (const Error&) {
    return std::nullopt;
  }
}

struct Volumes {
  std::vector<HostBind> binds;
};

constexpr const char* k_new = ".new-";

std::string lock_path(const std::string& directory) { return directory + "/lock"; }

// Held by who makes a container, until its directory has its name.
std::string making_path(const std::string& directory) { return directory + "/names/.making"; }

State state_of(const Container& container) {
  if (!cache::FileLock::is_free(lock_path(container.directory))) {
    if (container.running && !container.ended) return State::running;
    const bool is_restarted = container.record.options.restart.when != Restart::When::never;
    return is_restarted && container.running ? State::restarting : State::created;
  }
  if (container.ended) return State::exited;
  return container.running ? State::dead : State::created;
}

constexpr const char* k_adjectives[] = {"amber", "bold",  "brisk", "calm",   "clear", "deft",  "eager", "fair",
                                        "fleet", "frank", "glad",  "grand",  "hale",  "keen",  "kind",  "lively",
                                        "lucid", "merry", "neat",  "nimble", "plain", "proud", "quick", "quiet",
                                        "rapid", "ready", "sharp", "sound",  "stout", "swift", "tidy",  "warm"};
constexpr const char* k_nouns[] = {"anvil",  "badger",  "beacon", "birch",   "canal",  "cedar",  "comet",  "crane",
                                   "delta",  "ember",   "falcon", "fjord",   "garnet", "heron",  "island", "juniper",
                                   "kettle", "lantern", "maple",  "meadow",  "otter",  "pebble", "quarry", "raven",
                                   "river",  "saddle",  "spruce", "thistle", "tundra", "violet", "walnut", "willow"};

}  // namespace

std::string containers_directory(const cache::Store& store) { return dir_name(store.work_directory()) + "/containers"; }

Shelf::Shelf(std::string directory) : directory_(std::move(directory)) {}

// A name is a link to the container that has it, so that to make one among thousands is to look at one.
Container Shelf::add(const Record& record) const {
  make_directories(directory_ + "/names", 0711);
  Container out{.record = record, .running = {}, .ended = {}, .directory = directory_ + "/" + record.id};
  // Under another name until it is whole: who is killed here leaves what the next one may take away.
  const std::string unfinished = fmt::format("{}/{}{}", directory_, k_new, record.id);
  {
    const auto making = cache::FileLock::acquire(making_path(directory_));
    make_directories(unfinished + "/root", 0711);
    write_record(unfinished + "/record", record);
    if (::rename(unfinished.c_str(), out.directory.c_str()) < 0) throw system_error(errno, "make the container");
  }
  try {
    take_name(record.name, record.id);
  } catch (const Error&) {
    std::error_code ignored;
    std::filesystem::remove_all(out.directory, ignored);
    throw;
  }
  return out;
}

void Shelf::take_name(const std::string& name, const std::string& id) const {
  const std::string link = name_path(name);
  while (::symlink(id.c_str(), link.c_str()) < 0) {
    const int code = errno;
    const auto other = by_name(name);
    // What it led to is gone, or is called something else.
    if (code == EEXIST && !other && ::unlink(link.c_str()) == 0) continue;
    if (!other) throw system_error(code, "name the container " + name);
    throw usage_error(fmt::format("the name {} is taken by the container {}", name, other->record.id.substr(0, 12)))
        .with_advice(fmt::format("Remove that one (mbuild rm {}), or choose another name.", name));
  }
}

void Shelf::rename(const Container& container, const std::string& name) const {
  check_name(name);
  take_name(name, container.record.id);
  auto record = container.record;
  record.name = name;
  write_record(container.directory + "/record", record);
  ::unlink(name_path(container.record.name).c_str());
}

std::string Shelf::name_path(const std::string& name) const { return directory_ + "/names/" + name; }

std::optional<Container> Shelf::by_name(const std::string& name) const {
  if (name.find('/') != std::string::npos) return std::nullopt;
  std::error_code none;
  const auto id = std::filesystem::read_symlink(name_path(name), none);
  auto found = none ? std::nullopt : read(id.string());
  if (found && found->record.name != name) found.reset();  // it was called so before
  return found;
}

std::optional<Container> Shelf::read(const std::string& id) const {
  if (id.empty() || id.find_first_of("./") != std::string::npos) return std::nullopt;  // one that is taken away
  const std::string directory = directory_ + "/" + id;
  auto record = read_record<Record>(directory + "/record");
  if (!record) return std::nullopt;
  Container out{.record = std::move(*record), .running = {}, .ended = {}, .directory = directory};
  out.lives = lives_ended(lock_path(directory));  // before what is said of one that may end now
  out.running = read_record<Running>(directory + "/running");
  // The lock before the end: who has ended by now was running then, or has told how.
  const bool was_held = !cache::FileLock::is_free(lock_path(directory));
  out.ended = read_record<Ended>(directory + "/ended");
  out.volumes = read_volumes(out);
  if (out.running) out.health = try_read_file(directory + "/health");
  out.state = was_held && out.running && !out.ended ? State::running : state_of(out);
  return out;
}

std::vector<Container> Shelf::list() const {
  std::vector<Container> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, none)) {
    if (auto container = read(entry.path().filename())) out.push_back(std::move(*container));
  }
  std::ranges::sort(out, [](const auto& a, const auto& b) {
    return std::pair(b.record.created_ns, b.record.id) < std::pair(a.record.created_ns, a.record.id);
  });
  return out;
}

Container Shelf::find(const std::string& word) const {
  if (auto found = find_any(word)) return std::move(*found);
  throw usage_error("no such container: " + word).with_advice("mbuild ps -a lists those there are.");
}

std::optional<Container> Shelf::find_any(const std::string& word) const {
  if (auto named = by_name(word)) return named;
  std::vector<Container> found;
  for (auto& container : list()) {
    if (container.record.id == word) return std::move(container);
    if (!word.empty() && container.record.id.starts_with(word)) found.push_back(std::move(container));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.size() > 1) {
    throw usage_error(fmt::format("{} means {} containers", word, found.size())).with_advice("Give more of the id.");
  }
  return std::nullopt;
}

std::string Shelf::take_away(const Container& container) const {
  const auto now = read(container.record.id);  // it may have another name by now
  const std::string link = name_path(now ? now->record.name : container.record.name);
  std::error_code none;
  if (std::filesystem::read_symlink(link, none) == container.record.id) ::unlink(link.c_str());
  std::string gone = fmt::format("{}/{}{}", directory_, k_gone, container.record.id);
  if (::rename(container.directory.c_str(), gone.c_str()) < 0) {
    throw system_error(errno, "remove the container " + container.record.name);
  }
  return gone;
}

std::vector<std::string> Shelf::taken_away() const {
  std::vector<std::string> out, unfinished;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, none)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(k_gone)) out.push_back(entry.path());
    if (name.starts_with(k_new)) unfinished.push_back(entry.path());
  }
  // Where nobody makes one now, these are of nobody, or have their names by now.
  if (cache::FileLock::is_free(making_path(directory_))) out.insert(out.end(), unfinished.begin(), unfinished.end());
  return out;
}

cache::FileLock hold(const Container& container) {
  return cache::FileLock::try_acquire(lock_path(container.directory));
}

Fd held_file(const Container& container) {
  return Fd(::open(lock_path(container.directory).c_str(), O_RDWR | O_CLOEXEC));
}

bool is_held(const Container& container) { return !cache::FileLock::is_free(lock_path(container.directory)); }

void write_running(const Container& container, const Running& running) {
  write_record(container.directory + "/running", running);
}

void write_ended(const Container& container, const Ended& ended) {
  write_record(container.directory + "/ended", ended);
}

void forget_ended(const Container& container) { ::unlink((container.directory + "/ended").c_str()); }

void write_standing(const Container& container, const Standing& standing) {
  write_record(container.directory + "/standing", standing);
  std::string uses;
  for (const auto& layer : standing.layers) uses += layer + "\n";
  for (const auto& blob : standing.blobs) uses += blob.digest + "\n";
  write_file_atomically(container.directory + "/uses", uses, 0600);
}

std::optional<Standing> read_standing(const Container& container) {
  return read_record<Standing>(container.directory + "/standing");
}

void write_health(const Container& container, const std::string& health) {
  write_file_atomically(container.directory + "/health", health, 0600);
}

namespace {

void mark(const Container& container, const char* name) {
  try {
    if (path_exists(container.directory)) write_file_atomically(container.directory + name, "", 0600);
  } catch (const Error&) {
    // It has been removed meanwhile, or the disk is full.
  }
}

}  // namespace

void ask_to_stay_down(const Container& container) { mark(container, "/down"); }
void ask_to_keep(const Container& container) { mark(container, "/kept"); }
bool is_to_be_kept(const Container& container) { return path_exists(container.directory + "/kept"); }
void forget_request(const Container& container) {
  for (const char* name : {"/down", "/kept"}) ::unlink((container.directory + name).c_str());
}
bool is_to_stay_down(const Container& container) { return path_exists(container.directory + "/down"); }

std::string socket_path(const Container& container) { return container.directory + "/socket"; }
std::string log_path(const Container& container) { return container.directory + "/log"; }

std::string new_id() { return random_hex(32); }

std::string some_name(const std::string& id) {
  const Digest digest = sha256(id);
  const auto hex = digest_hex(digest);
  unsigned a = 0, b = 0;
  std::from_chars(hex.data(), hex.data() + 4, a, 16);
  std::from_chars(hex.data() + 4, hex.data() + 8, b, 16);
  return fmt::format("{}_{}", k_adjectives[a % std::size(k_adjectives)], k_nouns[b % std::size(k_nouns)]);
}

void check_name(const std::string& name) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fits = name.size() >= 2 && is_word(name.front()) &&
                    std::ranges::all_of(name, [&](char c) { return is_word(c) || c == '_' || c == '.' || c == '-'; });
  if (fits && name.size() <= 128) return;
  throw usage_error(fmt::format("invalid container name \"{}\"", name))
      .with_advice("It has two letters or digits or more; dots, dashes and underscores may follow the first.");
}

std::optional<std::uint64_t> start_time_of(std::int32_t process) {
  constexpr std::size_t k_start_time = 19;  // of the fields after the name
  try {
    const std::string text = read_file(fmt::format("/proc/{}/stat", process));
    const auto fields = split(std::string_view(text).substr(text.rfind(')') + 2), ' ');
    std::uint64_t out = 0;
    if (fields.size() <= k_start_time) return std::nullopt;
    const auto& field = fields[k_start_time];
    std::from_chars(field.data(), field.data() + field.size(), out);
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_volumes(const Container& container, const std::vector<HostBind>& volumes) {
  write_record(container.directory + "/volumes", Volumes{volumes});
}

std::vector<HostBind> read_volumes(const Container& container) {
  auto volumes = read_record<Volumes>(container.directory + "/volumes");
  return volumes ? std::move(volumes->binds) : std::vector<HostBind>();
}

std::vector<HostBind> binds_of(const Container& container) {
  auto out = container.record.options.binds;
  out.insert(out.end(), container.volumes.begin(), container.volumes.end());
  std::ranges::stable_sort(out, {}, [](const HostBind& bind) { return std::ranges::count(bind.target, '/'); });
  return out;
}

const std::vector<Port>& ports_of(const Container& container) {
  return container.running && !container.running->ports.empty() ? container.running->ports
                                                                : container.record.options.ports;
}

std::string ago(std::int64_t seconds) {
  const auto of = [](std::int64_t count, const char* unit) {
    return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
  };
  constexpr std::int64_t k_minute = 60, k_hour = 60 * k_minute, k_day = 24 * k_hour;
  if (seconds < 1) return "Less than a second";
  if (seconds < k_minute) return of(seconds, "second");
  if (seconds < 2 * k_minute) return "About a minute";
  if (seconds < k_hour) return of(seconds / k_minute, "minute");
  if (seconds < 2 * k_hour) return "About an hour";
  if (seconds < 2 * k_day) return of(seconds / k_hour, "hour");
  if (seconds < 14 * k_day) return of(seconds / k_day, "day");
  if (seconds < 60 * k_day) return of(seconds / (7 * k_day), "week");
  if (seconds < 730 * k_day) return of(seconds / (30 * k_day), "month");
  return of(seconds / (365 * k_day), "year");
}

namespace {

// Of what a file of health says in its first line.
std::string health_text(const std::string& health) {
  const std::string state = health.substr(0, health.find('\n'));
  if (state.empty()) return "";
  return state == "starting" ? " (health: starting)" : fmt::format(" ({})", state);
}

}  // namespace

std::string status_text(const Container& container, std::int64_t now) {
  switch (container.state) {
    case State::created:
      return "Created";
    case State::running:
      return "Up " + ago(now - container.running->started) + health_text(container.health);
    case State::restarting:
      return fmt::format("Restarting ({}) {} ago", container.ended->status, ago(now - container.ended->finished));
    case State::exited:
      return fmt::format("Exited ({}) {} ago", container.ended->status, ago(now - container.ended->finished));
    case State::dead:
      return "Dead";
  }
  return "";
}

}  // namespace mbuild::containers
