#include "files/content_digest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "base/fd.h"
#include "base/parallel.h"
#include "base/strings.h"
#include "files/live_file.h"
#include "files/root_path.h"

// Digests of file contents, with the stat cache.
//
// A cached digest is right only if no change can leave the StatKey as it was. So, as git does with its index, a digest
// is put into the cache only when the file had come to rest well before it was read (live_file.h).
namespace mbuild::executor {
namespace {

// Of a snapshot, where nothing changes.
Digest hash_file(const Tree& tree, const std::string& path) {
  const Fd fd = open_resolved(tree.root, path, O_RDONLY | O_NONBLOCK);
  return sha256_of_rest(fd.get());
}

// A file whose content is wanted.
struct Job {
  const Tree* tree = nullptr;
  const std::string* start = nullptr;  // of the scan that found it
  TreeEntry* entry = nullptr;
  bool gone = false;
};

void read_content(Job& job) {
  TreeEntry& entry = *job.entry;
  const std::string path = entry.path.empty() ? *job.start : join_resolved(*job.start, entry.path);
  if (job.tree->kind == Tree::Kind::snapshot) {
    entry.content = hash_file(*job.tree, path);
  } else if (auto now = hash_live_file(job.tree->root, path, entry)) {
    entry = std::move(*now);
  } else {
    job.gone = true;
  }
}

// Sets TreeEntry::content for all jobs, or that the file is gone.
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
  parallel_for(misses.size(), threads, [&](std::size_t i) { read_content(*misses[i]); });
  if (!cache.put) return;
  std::vector<std::pair<StatKey, Digest>> learnt;
  for (const Job* job : misses) {
    if (job->gone || job->entry->key.ino == 0 || job->entry->content.empty()) continue;
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

void leave_out(Selection& selection, const std::set<const TreeEntry*>& gone) {
  if (gone.empty()) return;
  const std::string first = selection.sources.empty() ? "" : selection.sources.front().path;
  for (auto& source : selection.sources) {
    std::erase_if(source.entries, [&](const TreeEntry& entry) { return gone.contains(&entry); });
  }
  std::erase_if(selection.sources, [](const SelectedSource& source) { return source.entries.empty(); });
  if (selection.sources.empty()) throw missing_error(selection.tree, "/" + first);
}

namespace {

void read_contents(Selection& selection, const StatCache& cache, unsigned threads) {
  std::vector<Job> jobs;
  for (auto& source : selection.sources) add_jobs(jobs, selection.tree, source.path, source.entries);
  hash_all(jobs, cache, threads);
  std::set<const TreeEntry*> gone;
  for (const auto& job : jobs) {
    if (job.gone) gone.insert(job.entry);
  }
  leave_out(selection, gone);
}

}  // namespace

Digest selection_digest(Selection& selection, const StatCache& cache, unsigned threads) {
  read_contents(selection, cache, threads);
  return digest_of_read(selection);
}

Digest digest_of_read(const Selection& selection) {
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
  shown.tree.seen_ns = wall_clock_ns();
  if (start.status) shown.sources[0].entries = scan_tree(tree, start.path);
  if (shown.sources[0].entries.empty()) throw missing_error(tree, join_path("/", selector));
  return shown;
}

Digest tree_digest(Selection& shown, const StatCache& cache, unsigned threads) {
  read_contents(shown, cache, threads);
  return digest_of_read_tree(shown);
}

Digest digest_of_read_tree(const Selection& shown) {
  const auto& source = shown.sources.at(0);
  // The root of a context has no mode of its own in a mount.
  const bool root_of_context = shown.tree.kind == Tree::Kind::context && source.path.empty();
  Sha256 hash;
  hash.field("tree 1");
  add_entries(hash, source.entries, !root_of_context);
  return hash.digest();
}

}  // namespace mbuild::executor
