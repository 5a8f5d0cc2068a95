#include "worker/sandbox/user.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "files/root_path.h"

// The rules are those of runc's libcontainer/user: a number is always an id, of which the passwd entry, where there is
// one, gives group and home; a user without a group gets the groups that list its name; a given group is the only one.
namespace mbuild::executor {
namespace {

constexpr std::uint32_t k_max_id = 0x7fffffff;

std::optional<std::uint32_t> as_id(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint32_t checked(std::uint32_t id) {
  if (id > k_max_id) throw Error(ExitClass::step_failed, "uids and gids must be in range 0-2147483647");
  return id;
}

struct PasswdEntry {
  std::string name, home;
  std::uint32_t uid = 0, gid = 0;
};

template <typename Match>
std::optional<PasswdEntry> find_user(std::string_view passwd, Match&& match) {
  for (const auto& line : split(passwd, '\n')) {
    const auto fields = split(trim(line), ':');
    if (fields.size() < 4 || fields[0].empty() || fields[0].starts_with('#')) continue;
    PasswdEntry entry{fields[0], fields.size() > 5 ? fields[5] : "", as_id(fields[2]).value_or(0),
                      as_id(fields[3]).value_or(0)};
    if (match(entry)) return entry;
  }
  return std::nullopt;
}

struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

template <typename Match>
std::vector<GroupEntry> find_groups(std::string_view group, Match&& match) {
  std::vector<GroupEntry> out;
  for (const auto& line : split(group, '\n')) {
    const auto fields = split(trim(line), ':');
    if (fields.size() < 3 || fields[0].empty() || fields[0].starts_with('#')) continue;
    GroupEntry entry{fields[0], as_id(fields[2]).value_or(0), {}};
    if (fields.size() > 3) entry.members = split(fields[3], ',');
    if (match(entry)) out.push_back(std::move(entry));
  }
  return out;
}

gid_t group_id(std::string_view text, std::string_view group) {
  if (const auto gid = as_id(text)) return checked(*gid);
  const auto found = find_groups(group, [&](const GroupEntry& candidate) { return candidate.name == text; });
  if (!found.empty()) return checked(found.front().gid);
  throw Error(ExitClass::step_failed, fmt::format("unable to find group {}: no matching entries in group file", text))
      .with_advice("create the group in an earlier RUN, or give its number");
}

std::string small_file(int root, const char* path) {
  const Fd fd = try_open_resolved(root, resolve_in_root(root, path).path, O_RDONLY | O_NONBLOCK);
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode)) return "";
  return read_all(fd.get());
}

}  // namespace

SandboxUser resolve_user(std::string_view text, std::string_view passwd, std::string_view group) {
  const auto colon = text.find(':');
  const std::string_view user_text = text.substr(0, colon);
  const std::string_view group_text = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const auto uid = user_text.empty() ? std::optional<std::uint32_t>(0) : as_id(user_text);

  SandboxUser out;
  const auto entry = find_user(
      passwd, [&](const PasswdEntry& candidate) { return uid ? candidate.uid == *uid : candidate.name == user_text; });
  if (entry) {
    out.uid = checked(entry->uid);
    out.gid = checked(entry->gid);
    if (!entry->home.empty()) out.home = entry->home;
  } else if (uid) {
    out.uid = checked(*uid);
  } else {
    throw Error(ExitClass::step_failed,
                fmt::format("unable to find user {}: no matching entries in passwd file", user_text))
        .with_advice("create the user in an earlier RUN, or give its number");
  }

  if (!group_text.empty()) {
    out.gid = group_id(group_text, group);
  } else if (entry) {
    for (const auto& found : find_groups(group, [&](const GroupEntry& candidate) {
           return std::find(candidate.members.begin(), candidate.members.end(), entry->name) != candidate.members.end();
         })) {
      out.groups.push_back(checked(found.gid));
    }
  }
  if (std::find(out.groups.begin(), out.groups.end(), out.gid) == out.groups.end()) out.groups.push_back(out.gid);
  return out;
}

void add_groups(const std::vector<std::string>& groups, std::string_view group_file, SandboxUser& user) {
  for (const auto& text : groups) {
    const gid_t gid = group_id(text, group_file);
    if (std::find(user.groups.begin(), user.groups.end(), gid) == user.groups.end()) user.groups.push_back(gid);
  }
}

SandboxUser resolve_user_in(int root, std::string_view text, const std::vector<std::string>& more_groups) {
  const auto groups = small_file(root, "etc/group");
  auto out = resolve_user(text, small_file(root, "etc/passwd"), groups);
  add_groups(more_groups, groups, out);
  return out;
}

}  // namespace mbuild::executor
