#include "files/owner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "files/root_path.h"

namespace mbuild::executor {
namespace {

constexpr std::int64_t k_largest_file = 10 << 20;

// In files, "root" needs no look-up, and a number of 32 bits may have a sign; what is larger is a name. -1 leaves the
// owner as it is: root, who writes the files.
std::optional<std::uint32_t> file_id(std::string_view text) {
  if (text == "root") return 0;
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  std::int32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value == -1 ? 0 : static_cast<std::uint32_t>(value);
}

// The value of field `i`; what is missing or no number counts as 0, as these files are often carelessly kept.
std::uint32_t id_field(const std::vector<std::string>& fields, std::size_t i) {
  return i < fields.size() ? parse_id(fields[i]).value_or(0) : 0;
}

// Calls visit(fields) for each line until it returns true.
template <typename Visit>
void each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (visit(split(line, ':'))) return;
  }
}

template <typename Wanted>
std::optional<PasswdEntry> find_user_where(std::string_view passwd, Wanted wanted) {
  std::optional<PasswdEntry> found;
  each_line(passwd, [&](const std::vector<std::string>& fields) {
    PasswdEntry entry{.name = fields[0],
                      .uid = id_field(fields, 2),
                      .gid = id_field(fields, 3),
                      .home = fields.size() > 5 ? fields[5] : ""};
    if (!wanted(entry)) return false;
    found = std::move(entry);
    return true;
  });
  return found;
}

template <typename Wanted>
std::vector<GroupEntry> find_groups_where(std::string_view group, Wanted wanted) {
  std::vector<GroupEntry> found;
  each_line(group, [&](const std::vector<std::string>& fields) {
    GroupEntry entry{.name = fields[0], .gid = id_field(fields, 2), .members = {}};
    if (fields.size() > 3 && !fields[3].empty()) entry.members = split(fields[3], ',');
    if (wanted(entry)) found.push_back(std::move(entry));
    return false;
  });
  return found;
}

Error no_user(std::string_view name) {
  return Error(ExitClass::step_failed, fmt::format("unable to find user {}: no matching entries in passwd file", name));
}

Error no_group(std::string_view name) {
  return Error(ExitClass::step_failed, fmt::format("unable to find group {}: no matching entries in group file", name));
}

struct Spec {
  std::string_view user, group;
};

Spec parse_spec(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string read_user_file(int root, const std::string& path) {
  const Resolved resolved = resolve_in_root(root, path);
  if (!resolved.status || resolved.blocked) return "";
  if (!S_ISREG(resolved.status->st_mode)) {
    throw Error(ExitClass::step_failed, fmt::format("{} is not a regular file", path));
  }
  if (resolved.status->st_size > k_largest_file) {
    throw Error(ExitClass::step_failed, fmt::format("{} exceeds {} bytes", path, k_largest_file));
  }
  return read_all(open_resolved(root, resolved.path, O_RDONLY).get());
}

}  // namespace

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view name) {
  return find_user_where(passwd, [&](const PasswdEntry& entry) { return entry.name == name; });
}

std::optional<GroupEntry> find_group(std::string_view group, std::string_view name) {
  auto found = find_groups_where(group, [&](const GroupEntry& entry) { return entry.name == name; });
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

UserFiles read_user_files(int root) {
  return {.passwd = read_user_file(root, "/etc/passwd"), .group = read_user_file(root, "/etc/group")};
}

bool names_user_or_group(std::string_view text) {
  const Spec spec = parse_spec(text);
  return (!spec.user.empty() && !file_id(spec.user)) || (!spec.group.empty() && !file_id(spec.group));
}

Owner file_owner(std::string_view text, const UserFiles& files, UnknownName unknown) {
  const Spec spec = parse_spec(text);
  Owner owner;
  if (const auto uid = file_id(spec.user)) {
    owner = {.uid = *uid, .gid = *uid};
  } else if (!spec.user.empty()) {
    const auto user = find_user(files.passwd, spec.user);
    if (!user && unknown == UnknownName::fails) throw no_user(spec.user);
    if (user) owner = {.uid = user->uid, .gid = user->gid};
  }
  if (const auto gid = file_id(spec.group)) {
    owner.gid = *gid;
  } else if (spec.group.empty()) {
    if (text.ends_with(':')) owner.gid = 0;
  } else {
    const auto group = find_group(files.group, spec.group);
    if (!group && unknown == UnknownName::fails) throw no_group(spec.group);
    if (group) owner.gid = group->gid;
  }
  return owner;
}

}  // namespace mbuild::executor
