#include "executor/id_map.h"

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

#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "executor/owner.h"
#include "executor/probes.h"

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
  std::vector<IdRange> out;
  for (const auto& line : split(read_file(file), '\n')) {
    std::vector<std::uint32_t> fields;
    for (const auto& word : split(line, ' ')) {
      if (const auto value = parse_id(word)) fields.push_back(*value);
    }
    if (fields.size() == 3) out.push_back({fields[0], fields[0], fields[2]});
  }
  return out;
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

// Own id -> 0, subordinate ids from 1.
std::vector<IdRange> subordinate_ranges(const char* file, std::uint32_t own, std::string_view user, uid_t uid) {
  std::vector<IdRange> out = {{0, own, 1}};
  if (!path_exists(file)) return out;
  std::uint32_t next = 1;
  for (auto range : parse_subordinate_ids(read_file(file), user, uid)) {
    if (out.size() == k_max_ranges || range.count > UINT32_MAX - 1 - next) break;
    range.inside = next;
    next += range.count;
    out.push_back(range);
  }
  return out;
}

std::string map_text(const std::vector<IdRange>& ranges) {
  std::string out;
  for (const auto& range : ranges) out += fmt::format("{} {} {}\n", range.inside, range.outside, range.count);
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
  if (!feature_disabled("userns-ranges")) {
    if (::geteuid() == 0 && has_capabilities(k_needed)) {
      map.uids = own_ranges("/proc/self/uid_map");
      map.gids = own_ranges("/proc/self/gid_map");
      if (!map.uids.empty() && !map.gids.empty()) return map;
    }
    if (helper_works("newuidmap") && helper_works("newgidmap")) {
      const std::string user = user_name(::getuid());
      map.uids = subordinate_ranges("/etc/subuid", ::geteuid(), user, ::getuid());
      map.gids = subordinate_ranges("/etc/subgid", ::getegid(), user, ::getuid());
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
  write_map_file(pid, "uid_map", map_text(map.uids));
  write_map_file(pid, "gid_map", map_text(map.gids));
}

}  // namespace mbuild::executor
