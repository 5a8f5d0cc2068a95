#include "worker/ids/id_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "files/owner.h"
#include "worker/ids/userns_remedy.h"

// What ids mean.
//
// An ordinary user has its own id and its subordinate ones, and an image's ids are these: 0 is the user, 1 and up the
// subordinate ids. Whoever gets out of such a namespace is that user at most.
//
// Root has no such bounds: with its own ids in the namespace, uid 0 of an image would be root of the host, and every
// file of the host that a mistake leaves in reach could be written. So real root's map is a permutation of all ids:
//
//   inside                       outside
//   0 .. 2^31-2^16-1             root's subordinate ids first, then ids from 2^31 on, which no account has
//   2^31 + N                     N, for every N below 2^31-2^16 that is not among the above: the host's own ids
//   2^32-2^16 .. 2^32-2          the last of the ids for images
//
// The lower half, and the last ids below -1, are what images see. The upper half is for mbuild's own code, which reads
// a context below a 0700 directory of whatever user, keeps its store below /root and writes what belongs to the caller,
// on every file system and with the same calls as ever: a process holds its capabilities over a file when the file's
// owner is mapped. A program of an image never gets the upper half: each RUN has a user namespace of its own below this
// one, which maps those alone (user_namespace.h), and no file is given to an id of the upper half (layers/inode.cc).
//
// Ways that were not taken: an idmapped mount of the context (few file systems, nothing of what is written, the store
// below a 0700 directory); descriptors from the outer process (one for each file of a context).
//
// A process whose own namespace lacks ids (a container with user namespaces) or that may not map them keeps its own:
// the identity map. Its RUNs have a namespace of their own all the same.
namespace mbuild::executor {
namespace {

constexpr std::size_t k_max_ranges = 340;  // user_namespaces(7)
// Of what a layer directory is on disk (docs/formats.md): another one has another place.
constexpr std::uint64_t k_layer_format = 2;

bool has_capabilities(std::uint64_t wanted) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  const std::uint64_t effective = data[0].effective | (static_cast<std::uint64_t>(data[1].effective) << 32);
  return (effective & wanted) == wanted;
}

// The ids that this process's namespace has: each maps to itself.
std::vector<IdRange> own_ranges(const char* file) {
  auto out = parse_id_map(read_file(file));
  for (auto& range : out) range.outside = range.inside;
  return out;
}

// Ids for images at `first`, of which the host has no others in use: tried in this order.
struct Candidate {
  std::uint32_t first, count;
};
constexpr Candidate k_candidates[] = {{k_host_ids, k_host_ids - 1}, {0x70000000, 0x0ffe0000}};
// The last ids that there are, below -1, are the last of the candidate's.
constexpr std::uint32_t k_high = image::k_first_high_image_id, k_high_count = UINT32_MAX - k_high;
constexpr std::uint32_t k_host_count = k_high - k_host_ids;  // of the host's ids that the map has
constexpr std::size_t k_max_root_ranges = 100;               // each costs up to three lines of the map

bool overlap(std::uint32_t first, std::uint32_t count, std::uint32_t other, std::uint32_t other_count) {
  return first <= other ? other - first < count : first - other < other_count;
}

bool is_free(const Candidate& candidate, const std::vector<IdRange>& taken, const std::vector<std::uint32_t>& in_use) {
  for (const auto& range : taken) {
    if (overlap(candidate.first, candidate.count, range.outside, range.count)) return false;
  }
  for (const auto id : in_use) {
    if (overlap(candidate.first, candidate.count, id, 1)) return false;
  }
  return true;
}

// Appends the host's ids, those that `images` leaves, each N as k_host_ids + N.
void append_host_ids(std::vector<IdRange>& images) {
  auto taken = images;
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.outside < b.outside; });
  std::uint32_t next = 0;
  const auto append_until = [&](std::uint32_t end) {
    if (end > next) images.push_back({k_host_ids + next, next, end - next});
  };
  for (const auto& range : taken) {
    append_until(std::min(range.outside, k_host_count));
    next = std::max(next, std::min(range.outside + range.count, k_host_count));
  }
  append_until(k_host_count);
}

// Numbers in the given columns of a file like /etc/passwd.
void add_ids(const char* file, std::initializer_list<std::size_t> columns, std::vector<std::uint32_t>& out) {
  if (!path_exists(file)) return;
  for (const auto& line : split(read_file(file), '\n')) {
    const auto fields = split(line, ':');
    for (const auto column : columns) {
      if (const auto id = column < fields.size() ? parse_id(fields[column]) : std::nullopt) out.push_back(*id);
    }
  }
}

std::string text_of(const char* file) { return path_exists(file) ? read_file(file) : ""; }

bool has_all_ids(const std::vector<IdRange>& own) {
  return own.size() == 1 && own[0].inside == 0 && own[0].outside == 0 && own[0].count == UINT32_MAX;
}

bool has_all_ids() {
  return has_all_ids(parse_id_map(read_file("/proc/self/uid_map"))) &&
         has_all_ids(parse_id_map(read_file("/proc/self/gid_map")));
}

bool is_real_root() {
  constexpr std::uint64_t k_setfcap = 1ull << CAP_SETFCAP;  // to have the host's 0 in the map
  return !feature_disabled("root-map") && has_capabilities(k_setfcap) && has_all_ids();
}

IdMap real_root_map() {
  std::vector<std::uint32_t> uids, gids;
  add_ids("/etc/passwd", {2}, uids);
  add_ids("/etc/passwd", {3}, gids);
  add_ids("/etc/group", {2}, gids);
  IdMap map;
  map.uids = real_root_ranges(text_of("/etc/subuid"), uids);
  map.gids = real_root_ranges(text_of("/etc/subgid"), gids);
  map.host_high = true;
  if (!map.uids.empty() && !map.gids.empty()) return map;
  throw Error(ExitClass::host, "no ids are left for the files and programs of images: this host's accounts have them")
      .with_advice("give root some of its own: `usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST root`");
}

// A set-user-id program gains no capability that is not in the bounding set (a container's --cap-drop).
bool may_be_gained(std::initializer_list<int> capabilities) {
  return std::ranges::all_of(capabilities,
                             [](int capability) { return ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1; });
}

// True when the program can gain privileges for us here.
bool helper_works(const char* name) {
  const std::string path = find_program(name);
  struct stat status;
  struct statvfs file_system;
  if (path.empty() || ::stat(path.c_str(), &status) != 0 || ::statvfs(path.c_str(), &file_system) != 0) return false;
  if ((file_system.f_flag & ST_NOSUID) != 0 || ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return false;
  const bool setuid_root = (status.st_mode & S_ISUID) != 0 && status.st_uid == 0;
  return setuid_root || ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

std::string user_name(uid_t uid) {
  passwd entry, *found = nullptr;
  std::string buffer(16384, '\0');
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return "";
  return entry.pw_name;
}

// True when all of the range's ids are there in this process's own namespace: none else can be given away.
bool is_here(const std::vector<IdRange>& own, const IdRange& range) {
  for (const auto& part : own) {
    if (range.outside >= part.outside && range.outside - part.outside <= part.count &&
        range.count <= part.count - (range.outside - part.outside)) {
      return true;
    }
  }
  return false;
}

// Own id -> 0, subordinate ids from 1.
std::vector<IdRange> subordinate_ranges(const char* file, std::uint32_t own, std::string_view user, uid_t uid,
                                        const std::vector<IdRange>& here) {
  std::vector<IdRange> out = {{0, own, 1}};
  if (!path_exists(file)) return out;
  std::uint32_t next = 1;
  for (auto range : parse_subordinate_ids(read_file(file), user, uid)) {
    if (!is_here(here, range)) continue;
    if (out.size() == k_max_ranges || range.count > UINT32_MAX - 1 - next) break;
    range.inside = next;
    next += range.count;
    out.push_back(range);
  }
  return out;
}

void write_map_file(pid_t pid, const char* name, std::string_view text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const Fd fd = open_file(path, O_WRONLY);
  // One write, as the kernel demands.
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw system_error(errno, fmt::format("write {}", path), ExitClass::host).with_advice(userns_remedy());
  }
}

void run_helper(const char* name, pid_t pid, const std::vector<IdRange>& ranges) {
  std::vector<std::string> argv = {name, std::to_string(pid)};
  for (const auto& range : ranges) {
    for (const auto value : {range.inside, range.outside, range.count}) argv.push_back(std::to_string(value));
  }
  const auto result = run_program(argv);
  if (result.status == 0) return;
  throw Error(ExitClass::host, fmt::format("{} failed: {}", name, trim(result.error)))
      .with_advice(
          "check the lines of this user in /etc/subuid and /etc/subgid, and that newuidmap and newgidmap are setuid "
          "root (package uidmap)");
}

}  // namespace

bool is_hosts_root() {
  constexpr std::uint64_t k_needed = (1ull << CAP_SYS_ADMIN) | (1ull << CAP_MKNOD) | (1ull << CAP_DAC_OVERRIDE) |
                                     (1ull << CAP_CHOWN) | (1ull << CAP_SETFCAP);
  return ::geteuid() == 0 && has_capabilities(k_needed) && has_all_ids();
}

std::vector<IdRange> mount_ranges(const std::vector<IdRange>& map) {
  std::vector<IdRange> out;
  for (const auto& range : map) out.push_back({range.outside, range.inside, range.count});
  return out;
}

void check_image_owner(std::uint32_t uid, std::uint32_t gid, std::string_view what) {
  if (image::is_image_id(uid) && image::is_image_id(gid)) return;
  throw Error(ExitClass::step_failed, fmt::format("{}: uids and gids must be 0-{} or {}-{}", what,
                                                  k_host_ids - k_high_count - 2, k_high, UINT32_MAX - 1));
}

std::vector<IdRange> parse_id_map(std::string_view text) {
  std::vector<IdRange> out;
  for (const auto& line : split(text, '\n')) {
    std::vector<std::uint32_t> fields;
    for (const auto& word : split(line, ' ')) {
      if (const auto value = parse_id(word)) fields.push_back(*value);
    }
    if (fields.size() == 3) out.push_back({fields[0], fields[1], fields[2]});
  }
  return out;
}

std::string id_map_text(const std::vector<IdRange>& ranges) {
  std::string out;
  for (const auto& range : ranges) out += fmt::format("{} {} {}\n", range.inside, range.outside, range.count);
  return out;
}

std::vector<IdRange> real_root_ranges(std::string_view subordinate, const std::vector<std::uint32_t>& in_use) {
  std::vector<IdRange> out;
  std::uint32_t next = 0;
  for (auto range : parse_subordinate_ids(subordinate, "root", 0)) {
    const bool again = std::any_of(out.begin(), out.end(), [&](const auto& other) {
      return overlap(range.outside, range.count, other.outside, other.count);
    });
    if (again || range.outside == 0 || out.size() == k_max_root_ranges) continue;
    range.count = std::min(range.count, k_host_ids - 1 - next);
    range.inside = next;
    next += range.count;
    if (range.count > 0) out.push_back(range);
  }
  auto taken = out;
  for (const auto& line : split(subordinate, '\n')) {  // of others
    const auto name = line.substr(0, line.find(':'));
    for (const auto& range : parse_subordinate_ids(line, name, 0)) taken.push_back(range);
  }
  for (const auto& candidate : k_candidates) {
    if (!is_free(candidate, taken, in_use) || next >= candidate.count - k_high_count) continue;
    // Ids beyond root's own keep their distance from the first one, whatever root's own are.
    const std::uint32_t low = candidate.count - k_high_count;
    out.push_back({next, candidate.first + next, low - next});
    out.push_back({k_high, candidate.first + low, k_high_count});
    break;
  }
  if (!out.empty()) append_host_ids(out);
  return out;
}

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user, uid_t uid) {
  std::vector<IdRange> out;
  for (const auto& line : split(text, '\n')) {
    const auto fields = split(trim(line), ':');
    if (fields.size() != 3) continue;
    if ((user.empty() || fields[0] != user) && fields[0] != std::to_string(uid)) continue;
    const auto first = parse_id(fields[1]), count = parse_id(fields[2]);
    if (first && count && *count > 0 && *count - 1 <= UINT32_MAX - *first) out.push_back({0, *first, *count});
  }
  return out;
}

Digest IdMap::digest() const {
  Sha256 hash;
  hash.number(k_layer_format);
  hash.field(single ? "single" : "real");
  for (const auto* ranges : {&uids, &gids}) {
    hash.number(ranges->size());
    for (const auto& range : *ranges) {
      hash.number(range.inside);
      hash.number(range.outside);
      hash.number(range.count);
    }
  }
  return hash.digest();
}

IdMap compute_id_map() {
  IdMap map;
  constexpr std::uint64_t k_needed = (1u << CAP_SETUID) | (1u << CAP_SETGID);
  if (!feature_disabled("userns-ranges") && may_have_namespaces()) {
    if (::geteuid() == 0 && has_capabilities(k_needed)) {
      if (is_real_root()) return real_root_map();
      map.uids = own_ranges("/proc/self/uid_map");
      map.gids = own_ranges("/proc/self/gid_map");
      if (!map.uids.empty() && !map.gids.empty()) return map;
    }
    map.lacks_capabilities = !may_be_gained({CAP_SETUID, CAP_SETGID});
    if (!map.lacks_capabilities && helper_works("newuidmap") && helper_works("newgidmap")) {
      const std::string user = user_name(::getuid());
      map.uids = subordinate_ranges("/etc/subuid", ::geteuid(), user, ::getuid(), own_ranges("/proc/self/uid_map"));
      map.gids = subordinate_ranges("/etc/subgid", ::getegid(), user, ::getuid(), own_ranges("/proc/self/gid_map"));
      map.helpers = true;
      if (map.uids.size() > 1 && map.gids.size() > 1) return map;
    }
  }
  map.uids = {{0, ::geteuid(), 1}};
  map.gids = {{0, ::getegid(), 1}};
  map.helpers = false;
  map.single = true;
  return map;
}

void write_id_map(const IdMap& map, pid_t pid) {
  if (map.helpers) {
    run_helper("newuidmap", pid, map.uids);
    run_helper("newgidmap", pid, map.gids);
    return;
  }
  if (map.single) write_map_file(pid, "setgroups", "deny");
  write_map_file(pid, "uid_map", id_map_text(map.uids));
  write_map_file(pid, "gid_map", id_map_text(map.gids));
}

}  // namespace mbuild::executor
