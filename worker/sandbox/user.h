#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace mbuild::executor {

struct SandboxUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary, the primary one among them
  std::string home = "/";
};

// What USER text means with these contents of /etc/passwd and /etc/group ("" when they are missing). Throws Error
// (step_failed) "unable to find user X: ...".
SandboxUser resolve_user(std::string_view text, std::string_view passwd, std::string_view group);
// Adds groups by their names in /etc/group, or by their numbers. Throws Error (step_failed) "unable to find group X".
void add_groups(const std::vector<std::string>& groups, std::string_view group_file, SandboxUser& user);
// What USER means with the files of a root file system; the user is in these groups besides. Throws Error
// (step_failed) for what is not there.
SandboxUser resolve_user_in(int root, std::string_view text, const std::vector<std::string>& more_groups = {});

}  // namespace mbuild::executor
