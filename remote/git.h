#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "graph/git_ref.h"
#include "remote/http.h"

// Git repositories as sources, by the `git` program.
//
// The user's and the system's git configuration are not read, so that a commit gives the same files everywhere. No
// question is ever asked on the terminal.
namespace mbuild::remote {

struct GitOptions {
  std::string authorization;  // the value of an HTTP Authorization header for the remote's host, or ""
  std::string ssh_command;    // GIT_SSH_COMMAND; "" takes the environment's, else ssh without prompts
  std::string ssh_agent;      // SSH_AUTH_SOCK; "" takes the environment's
  std::string ca_file;        // PEM; "" takes git's own
  unsigned attempts = 3;      // for network failures that may pass
  RetryListener on_retry;
};

struct GitCommit {
  std::string commit;      // the hash of the commit; "" for an abbreviated hash, which only a check-out can complete
  std::string tag_object;  // of the annotated tag that was named, or ""
  std::string ref;         // the full name on the remote ("refs/heads/main"); "" for a hash
};

// Asks the remote what a reference means now, without fetching (a full hash is not asked about). Throws Error (network)
// for an unreachable remote or an unknown ref, Error (step_failed) "expected checksum to match ..., got ...", Error
// (usage) for a malformed checksum, Error (host) without the git program.
GitCommit resolve_git(const frontend::GitRef& source, const GitOptions& options, std::stop_token stop);

struct GitCheckout {
  GitCommit commit;
  std::int64_t commit_time = 0;  // committer date, seconds since the epoch
};

// Fetches the commit that `source` means (only it, where the remote allows that) and puts the files of its subdir into
// `directory`, which must exist and be empty; submodules too unless source.submodules is false, .git only if
// source.keep_git_dir is true and there is no subdir. Modes are 0644 and 0755; times are those of the check-out unless
// source.mtime is "commit". Throws as resolve_git does.
GitCheckout checkout_git(const frontend::GitRef& source, const std::string& directory, const GitOptions& options,
                         std::stop_token stop);

// The Authorization value from the secrets GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, GIT_AUTH_HEADER, GIT_AUTH_TOKEN:
// headers are taken as they are, tokens become basic authorization of x-access-token. "" for other than http(s) or
// without a secret.
std::string git_authorization(const frontend::GitRef& source,
                              const std::function<std::optional<std::string>(const std::string& name)>& secret);

}  // namespace mbuild::remote
