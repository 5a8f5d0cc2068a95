#include "remote/git.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "remote/git_command.h"
#include "remote/url.h"

// A check-out is made in a scratch directory inside the destination (the same file system, so that the result moves
// into place by rename) and leaves nothing else behind. The one commit is asked for by its hash, without history. A
// server that does not serve arbitrary commits, and an abbreviated hash, need everything: branches, tags and history.
namespace mbuild::remote {
namespace {

namespace fs = std::filesystem;
using frontend::GitRef;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_commit_hash(std::string_view text) { return (text.size() == 40 || text.size() == 64) && is_hex(text); }

// What is to be found: the ref, or the checksum where that says it all.
std::string wanted(const GitRef& source) {
  const bool by_commit = source.fetch_by_commit && is_commit_hash(source.checksum);
  return source.ref.empty() || by_commit ? source.checksum : source.ref;
}

void check_checksum_form(const GitRef& source) {
  if (source.checksum.empty() || (is_hex(source.checksum) && source.checksum.size() <= 64)) return;
  throw Error(ExitClass::usage,
              fmt::format("invalid checksum \"{}\": expected the hexadecimal hash of a commit", source.checksum));
}

void verify_checksum(const GitRef& source, const GitCommit& found) {
  if (source.checksum.empty() || found.commit.starts_with(source.checksum)) return;
  if (found.tag_object.starts_with(source.checksum)) return;
  throw Error(ExitClass::step_failed,
              fmt::format("expected checksum to match {}, got {}", source.checksum, found.commit))
      .with_context(printable_url(source.remote))
      .with_advice("The branch or tag has moved, or the checksum is that of another commit.");
}

// name -> hash, as `git ls-remote` lists them.
std::map<std::string, std::string> list_refs(const GitCommand& git, const GitRef& source,
                                             const std::vector<std::string>& names) {
  std::vector<std::string> arguments{"ls-remote", "--", source.remote};
  arguments.insert(arguments.end(), names.begin(), names.end());
  std::map<std::string, std::string> refs;
  for (const auto& line : split(git.run_remote(arguments), '\n')) {
    const auto tab = line.find('\t');
    if (tab != std::string::npos) refs[line.substr(tab + 1)] = line.substr(0, tab);
  }
  return refs;
}

GitCommit resolve(const GitCommand& git, const GitRef& source) {
  check_checksum_form(source);
  const std::string name = wanted(source);
  if (is_commit_hash(name)) return {name, "", ""};
  // As `git checkout` does: a branch before a tag of the same name.
  std::vector<std::string> candidates{"HEAD"};
  if (name.starts_with("refs/")) {
    candidates = {name};
  } else if (!name.empty()) {
    candidates = {"refs/heads/" + name, "refs/tags/" + name, "refs/" + name, name};
  }
  auto asked = candidates;
  for (const auto& candidate : candidates) asked.push_back(candidate + "^{}");
  const auto refs = list_refs(git, source, asked);
  for (const auto& candidate : candidates) {
    const auto direct = refs.find(candidate);
    if (direct == refs.end()) continue;
    const auto peeled = refs.find(candidate + "^{}");
    if (peeled == refs.end()) return {direct->second, "", candidate};
    return {peeled->second, direct->second, candidate};
  }
  if (is_hex(name) && name.size() >= 4) return {};
  throw Error(ExitClass::network, fmt::format("repository {} does not contain ref {}", printable_url(source.remote),
                                              name.empty() ? "HEAD" : name))
      .with_advice("Name a branch, a tag or a commit of the repository.");
}

// A directory that goes with all it holds.
struct Scratch {
  std::string path;
  explicit Scratch(const std::string& parent) : path(parent + "/.mbuild-" + random_hex(8)) { make_directories(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

class Checkout {
 public:
  Checkout(const GitRef& source, const GitOptions& options, const std::stop_token& stop, std::string tree)
      : source_(source), outside_(source, options, stop), inside_(source, options, stop, tree), tree_(std::move(tree)) {
    make_directories(tree_);
  }

  GitCheckout run() {
    GitCheckout result;
    result.commit = resolve(outside_, source_);
    if (!result.commit.commit.empty() && !result.commit.ref.empty()) verify_checksum(source_, result.commit);
    init(result.commit.commit);
    fetch(result);
    inside_.run({"checkout", "--quiet", "--force", "--detach", result.commit.commit});
    if (source_.submodules.value_or(true) && path_exists(tree_ + "/.gitmodules")) update_submodules();
    return result;
  }

 private:
  void init(const std::string& commit) {
    std::string example = commit;
    if (example.empty()) {
      const auto refs = list_refs(outside_, source_, {});
      if (!refs.empty()) example = refs.begin()->second;
    }
    inside_.run({"init", "--quiet", example.size() == 64 ? "--object-format=sha256" : "--object-format=sha1"});
    inside_.run({"remote", "add", "origin", source_.remote});
  }

  // Brings the commit's objects; completes a hash that is abbreviated or that of a tag object.
  void fetch(GitCheckout& result) {
    GitCommit& commit = result.commit;
    const bool named_tag = source_.keep_git_dir.value_or(false) && commit.ref.starts_with("refs/tags/");
    const std::string what = named_tag ? fmt::format("+{0}:{0}", commit.ref) : commit.commit;
    if (!what.empty()) {
      const auto shallow = inside_.try_run({"fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", what});
      if (shallow.status == 0 && complete(result)) return;
    }
    std::vector<std::string> everything{
        "fetch", "--quiet", "--tags", "--force", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"};
    if (commit.ref.starts_with("refs/")) everything.push_back("+" + commit.ref + ":refs/mbuild/wanted");
    inside_.run_remote(everything);
    if (commit.commit.empty()) commit.commit = wanted(source_);
    if (complete(result)) return;
    throw Error(ExitClass::network,
                fmt::format("repository {} does not contain commit {}", printable_url(source_.remote), commit.commit))
        .with_advice("Check the hash; a commit that no branch or tag contains can't be had from every server.");
  }

  // Looks the commit up among the fetched objects; false when it is not there.
  bool complete(GitCheckout& result) {
    GitCommit& commit = result.commit;
    const auto found =
        inside_.try_run({"show", "--no-patch", "--format=%H %ct", "--end-of-options", commit.commit + "^{commit}"});
    const auto blank = found.output.find(' ');
    if (found.status != 0 || blank == std::string::npos) return false;
    const std::string hash = found.output.substr(0, blank);
    if (!hash.starts_with(commit.commit)) commit.tag_object = inside_.run({"rev-parse", "--verify", commit.commit});
    commit.commit = hash;
    std::from_chars(found.output.data() + blank + 1, found.output.data() + found.output.size(), result.commit_time);
    verify_checksum(source_, commit);
    return true;
  }

  void update_submodules() {
    const std::vector<std::string> update{"submodule", "--quiet", "update", "--init", "--recursive"};
    auto shallow = update;
    shallow.push_back("--depth=1");
    if (inside_.try_run(shallow).status != 0) inside_.run_remote(update);
  }

  const GitRef& source_;
  const GitCommand outside_, inside_;
  const std::string tree_;
};

// The directory of the tree that is asked for. A link on the way could lead out of the tree and is not followed.
std::string select_subdir(const std::string& tree, const GitRef& source) {
  std::string path = tree;
  for (const auto& component : split(clean_path("/" + source.subdir), '/')) {
    if (component.empty()) continue;
    path += "/" + component;
    struct stat status;
    if (component != ".git" && ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
    throw Error(ExitClass::step_failed,
                fmt::format("subdir {} is not a directory of {}", source.subdir, printable_url(source.remote)))
        .with_advice("Check the part after the colon, or the subdir= of the address.");
  }
  return path;
}

// git allows no tracked entry of this name, so every one is administration: the repository's or a submodule's.
void remove_git_entries(const std::string& tree) {
  std::vector<fs::path> found;
  for (auto it = fs::recursive_directory_iterator(tree); it != fs::recursive_directory_iterator(); ++it) {
    if (it->path().filename() != ".git") continue;
    found.push_back(it->path());
    it.disable_recursion_pending();
  }
  for (const auto& path : found) fs::remove_all(path);
}

void set_times(const std::string& tree, std::int64_t seconds) {
  const std::array<timespec, 2> times{timespec{seconds, 0}, timespec{seconds, 0}};
  const auto set = [&](const fs::path& path) {
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) < 0) {
      throw system_error(errno, "set the time of " + path.string());
    }
  };
  for (const auto& entry : fs::recursive_directory_iterator(tree)) set(entry.path());
  set(tree);
}

void move_entries(const std::string& from, const std::string& to) {
  for (const auto& entry : fs::directory_iterator(from)) fs::rename(entry.path(), to / entry.path().filename());
}

std::optional<std::string> trimmed(std::optional<std::string> value) {
  return value ? std::optional(std::string(trim(*value))) : value;
}

}  // namespace

GitCommit resolve_git(const GitRef& source, const GitOptions& options, std::stop_token stop) {
  auto found = resolve(GitCommand(source, options, std::move(stop)), source);
  // A bare hash may be that of a tag object: what it leads to is known after the fetch.
  if (!found.ref.empty()) verify_checksum(source, found);
  return found;
}

GitCheckout checkout_git(const GitRef& source, const std::string& directory, const GitOptions& options,
                         std::stop_token stop) {
  try {
    const Scratch scratch(directory);
    const std::string tree = scratch.path + "/tree";
    const auto result = Checkout(source, options, stop, tree).run();
    const std::string selected = select_subdir(tree, source);
    if (!source.keep_git_dir.value_or(false) || selected != tree) remove_git_entries(tree);
    if (source.mtime == "commit") set_times(selected, result.commit_time);
    move_entries(selected, directory);
    if (source.mtime == "commit") {
      const std::array<timespec, 2> times{timespec{result.commit_time, 0}, timespec{result.commit_time, 0}};
      ::utimensat(AT_FDCWD, directory.c_str(), times.data(), 0);
    }
    return result;
  } catch (const fs::filesystem_error& error) {
    throw Error(ExitClass::store, error.what()).with_context("check out " + printable_url(source.remote));
  }
}

std::string git_authorization(const GitRef& source,
                              const std::function<std::optional<std::string>(const std::string& name)>& secret) {
  const auto url = parse_url(source.remote);
  if (!url || (url->scheme != "http" && url->scheme != "https")) return "";
  for (const auto& suffix : {"." + url->authority(), std::string()}) {
    if (const auto header = trimmed(secret("GIT_AUTH_HEADER" + suffix))) return *header;
    if (const auto token = trimmed(secret("GIT_AUTH_TOKEN" + suffix))) {
      return "basic " + base64_encode("x-access-token:" + *token);
    }
  }
  return "";
}

}  // namespace mbuild::remote
