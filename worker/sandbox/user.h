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
// The same with the files of a root file system.
SandboxUser resolve_user_in(int root, std::string_view text);

}  // namespace mbuild::executor
