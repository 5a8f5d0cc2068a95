#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Users and groups of a root file system. Two rules turn text into ids, and they differ: that of files (--chown, and
// WORKDIR under a USER), and that of processes (RUN).
namespace mbuild::executor {

// A user or group id: a decimal number of 32 bits that is all of `text`.
std::optional<std::uint32_t> parse_id(std::string_view text);

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0, gid = 0;
  std::string home;
};

struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

// The first entry with that name in the text of /etc/passwd or /etc/group.
std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view name);
std::optional<GroupEntry> find_group(std::string_view group, std::string_view name);

// The texts of /etc/passwd and /etc/group; one that is missing is empty.
struct UserFiles {
  std::string passwd;
  std::string group;
};

// Reads both inside `root`. Throws Error (step_failed) when one is no regular file or over 10 MiB.
UserFiles read_user_files(int root);

struct Owner {
  std::uint32_t uid = 0, gid = 0;
  bool operator==(const Owner&) const = default;
};

// True when "user[:group]" holds a name that must be looked up ("root" need not be).
bool names_user_or_group(std::string_view text);
// What a name that is in neither file means.
enum class UnknownName { fails, is_root };

// The owner of files for "user[:group]": a number stands for itself, and for the group too when there is none; a name
// without a group has its primary group; what is left empty beside a ":" is root. Throws Error (step_failed) "unable to
// find user X: ...".
Owner file_owner(std::string_view text, const UserFiles& files, UnknownName unknown = UnknownName::fails);

}  // namespace mbuild::executor
