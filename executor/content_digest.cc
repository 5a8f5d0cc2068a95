#include "executor/content_digest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "executor/parallel.h"
#include "executor/root_path.h"

// Digests of file contents, with the stat cache.
//
// A cached digest is right only if no change can leave the StatKey as it was. Clocks of file systems tick: a file
// written twice within a tick, to the same size, has one key for two contents. So, as git does with its index, a digest
// is put into the cache only when the file had come to rest well before it was read: 2 s before where times seem to be
// whole seconds, 100 ms (ten ticks of the slowest kernel clock) otherwise.
namespace mbuild::executor {
namespace {

constexpr int k_attempts = 5;

struct Hashed {
  Digest digest;
  struct stat status;  // of the version that was read
};

bool at_rest(const StatKey& key, std::int64_t now_ns) {
  const auto newest = std::max(key.mtime_ns, key.ctime_ns);
  const bool coarse = key.mtime_ns % 1'000'000'000 == 0 && key.ctime_ns % 1'000'000'000 == 0;
  return now_ns - newest > (coarse ? 2'000'000'000 : 100'000'000);
}

std::int64_t wall_clock_ns() {
  struct timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Until the clock of the file system has ticked since the last change: a later one is then seen in the StatKey, also by
// who copies the file. (Newer kernels give a change that follows a look a time of its own; older ones do not.)
void let_clock_tick(const struct stat& status) {
  constexpr std::int64_t k_two_ticks = 20'000'000;
  const std::int64_t age = wall_clock_ns() - (status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec);
  if (age >= 0 && age < k_two_ticks) std::this_thread::sleep_for(std::chrono::nanoseconds(k_two_ticks - age));
}

// Reads until a whole pass sees one version of the file.
Hashed hash_file(const Tree& tree, const std::string& path) {
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    const Fd fd = open_resolved(tree.root, path, O_RDONLY | O_NONBLOCK);
    struct stat before, after;
    if (::fstat(fd.get(), &before) < 0) throw system_error(errno, "stat /" + path);
    if (!S_ISREG(before.st_mode)) break;
    if (tree.kind == Tree::Kind::context) let_clock_tick(before);
    Hashed hashed{.digest = sha256_of_rest(fd.get()), .status = {}};
    if (::fstat(fd.get(), &after) < 0) throw system_error(errno, "stat /" + path);
    if (stat_key(before) != stat_key(after)) continue;
    hashed.status = after;
    return hashed;
  }
  throw Error(ExitClass::step_failed, fmt::format("/{} changed while it was read", path))
      .with_advice("let what writes to it finish, or exclude it in .dockerignore");
}

// A file whose content is wanted.
struct Job {
  const Tree* tree = nullptr;
  const std::string* start = nullptr;  // of the scan that found it
  TreeEntry* entry = nullptr;
};

void bring_up_to_date(TreeEntry& entry, const struct stat& status) {
  entry.key = stat_key(status);
  entry.inode.mode = status.st_mode & 07777U;
  entry.inode.size = static_cast<std::uint64_t>(status.st_size);
  entry.inode.mtime_sec = status.st_mtim.tv_sec;
  entry.inode.mtime_nsec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
  entry.inode.device = static_cast<std::uint64_t>(status.st_dev);
  entry.inode.inode = static_cast<std::uint64_t>(status.st_ino);
}

// Sets TreeEntry::content for all jobs.
void hash_all(std::vector<Job>& jobs, const StatCache& cache, unsigned threads) {
  std::vector<Job*> misses;
  std::vector<std::optional<Digest>> known(jobs.size());
  if (cache.get && !jobs.empty()) {
    std::vector<StatKey> keys;
    keys.reserve(jobs.size());
    for (const auto& job : jobs) keys.push_back(job.entry->key);
    known = cache.get(keys);
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (known[i]) {
      jobs[i].entry->content = std::move(*known[i]);
    } else {
      misses.push_back(&jobs[i]);
    }
  }
  const std::int64_t started = wall_clock_ns();
  parallel_for(misses.size(), threads, [&](std::size_t i) {
    Job& job = *misses[i];
    Hashed hashed =
        hash_file(*job.tree, job.entry->path.empty() ? *job.start : join_resolved(*job.start, job.entry->path));
    job.entry->content = std::move(hashed.digest);
    if (job.tree->kind == Tree::Kind::context) bring_up_to_date(*job.entry, hashed.status);
  });
  if (!cache.put) return;
  std::vector<std::pair<StatKey, Digest>> learnt;
  for (const Job* job : misses) {
    if (at_rest(job->entry->key, started)) learnt.emplace_back(job->entry->key, job->entry->content);
  }
  if (!learnt.empty()) cache.put(learnt);
}

void add_metadata(Sha256& hash, const TreeEntry& entry, bool with_mode) {
  const image::Inode& inode = entry.inode;
  hash.number(static_cast<std::uint64_t>(inode.type));
  hash.number(with_mode && inode.type != image::FileType::symlink ? inode.mode : 0);
  hash.number(with_mode ? inode.uid : 0);
  hash.number(with_mode ? inode.gid : 0);
  hash.field(inode.link_target);
  hash.number(inode.rdev_major);
  hash.number(inode.rdev_minor);
  hash.number(inode.xattrs.size());
  for (const auto& [name, value] : inode.xattrs) {
    hash.field(name);
    hash.field(value);
  }
}

// Contents and metadata of the entries, in their order. `top_metadata`: whether the mode and owner of entries[0]
// matter.
void add_entries(Sha256& hash, const std::vector<TreeEntry>& entries, bool top_metadata) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> groups;
  hash.number(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TreeEntry& entry = entries[i];
    hash.field(entry.path);
    add_metadata(hash, entry, i > 0 || top_metadata);
    if (entry.inode.type != image::FileType::regular) continue;
    // Entry i is the first of its hard-link group, or names the first.
    const std::uint64_t group =
        entry.inode.link_count > 1 ? groups.try_emplace({entry.inode.device, entry.inode.inode}, i).first->second : i;
    hash.number(i - group);
    hash.number(entry.inode.size);
    hash.field(entry.content);
  }
}

void add_jobs(std::vector<Job>& jobs, const Tree& tree, const std::string& start, std::vector<TreeEntry>& entries) {
  for (auto& entry : entries) {
    if (entry.inode.type != image::FileType::regular || entry.inode.size == 0) continue;
    jobs.push_back({.tree = &tree, .start = &start, .entry = &entry});
  }
}

}  // namespace

Digest selection_digest(Selection& selection, const StatCache& cache, unsigned threads) {
  std::vector<Job> jobs;
  for (auto& source : selection.sources) add_jobs(jobs, selection.tree, source.path, source.entries);
  hash_all(jobs, cache, threads);
  Sha256 hash;
  hash.field("selection 1");
  for (const auto& source : selection.sources) {
    // The metadata of a directory given as a source, and its name, are not taken over.
    const bool directory = source.entries.front().inode.type == image::FileType::directory;
    hash.field(directory ? "" : source.name);
    add_entries(hash, source.entries, !directory);
  }
  return hash.digest();
}

Selection select_tree(const Tree& tree, const std::string& selector) {
  const Resolved start = resolve_in_root(tree.root, selector);
  Selection shown{.tree = tree, .sources = {{.name = {}, .path = start.path, .entries = {}}}};
  if (start.status) shown.sources[0].entries = scan_tree(tree, start.path);
  if (shown.sources[0].entries.empty()) throw missing_error(tree, join_path("/", selector));
  return shown;
}

Digest tree_digest(Selection& shown, const StatCache& cache, unsigned threads) {
  auto& source = shown.sources.at(0);
  std::vector<Job> jobs;
  add_jobs(jobs, shown.tree, source.path, source.entries);
  hash_all(jobs, cache, threads);
  Sha256 hash;
  hash.field("tree 1");
  add_entries(hash, source.entries, true);
  return hash.digest();
}

}  // namespace mbuild::executor
