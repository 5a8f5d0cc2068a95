#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "graph/source.h"

// Git addresses in Dockerfiles and on the command line: URL#REF:SUBDIR, or URL?ref=...&subdir=....
namespace mbuild::frontend {

struct GitRef {
  std::string remote;  // what git is given: "https://host/a.git", "git@host:a.git"
  std::string ref;     // branch, tag, commit, refs/...; "" is the default branch
  std::string subdir;
  std::string checksum;
  std::string mtime;  // "checkout", "commit" or ""
  std::optional<bool> keep_git_dir, submodules;
  bool fetch_by_commit = false;
  bool looks_local = false;  // "github.com/...": git as a build context only
};

// nullopt when the text is no git address. Throws Error (usage) for a git address with a wrong query.
std::optional<GitRef> parse_git_ref(std::string_view text);
// The source that an address means.
graph::GitSource git_source(const GitRef& ref);
// The way back.
GitRef git_ref_of(const graph::GitSource& source);

}  // namespace mbuild::frontend
