#include "layers/layer_digest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "layers/layer_walk.h"

namespace mbuild::image {
namespace {

constexpr std::size_t k_files_a_thread = 32;
constexpr std::uint64_t k_bytes_a_thread = 4 * 1024 * 1024;

struct Entry {
  std::string path;
  Inode inode;
  bool implied = false;
  std::size_t first = 0;  // index of the first name of a hard-linked file; its own index otherwise
  Digest content;
};

Digest content_digest(int root, const Entry& entry) {
  return entry.inode.size == 0 ? sha256("") : sha256_of_rest(open_below(root, entry.path, O_RDONLY).get());
}

std::vector<Entry> list(const LayerSource& source, const KnownFiles& known) {
  std::vector<Entry> entries;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> groups;
  const auto inode_of = [&](const std::string& path) {
    const auto file = known.find(path);
    return file != known.end() && file->second.inode.link_count == 1 ? &file->second.inode : nullptr;
  };
  const auto add = [&](const WalkEntry& walked) {
    Entry entry{walked.path, walked.inode, false, entries.size(), {}};
    const Inode& inode = entry.inode;
    if (inode.type == FileType::socket) return;  // no image has them
    if (inode.type == FileType::directory) {
      entry.implied = std::binary_search(source.implied.begin(), source.implied.end(), entry.path);
      if (entry.implied && !inode.opaque) return;
    } else if (inode.link_count > 1 && inode.type != FileType::whiteout) {
      entry.first = groups.try_emplace({inode.device, inode.inode}, entries.size()).first->second;
    }
    entries.push_back(std::move(entry));
  };
  walk_tree(source.directory, source.owners, add, inode_of);
  return entries;
}

// Hashes the entries with these indexes, on as many threads as the work is worth.
void hash_contents(int root, std::vector<Entry>& entries, const std::vector<std::size_t>& wanted, unsigned threads) {
  std::uint64_t bytes = 0;
  for (const std::size_t i : wanted) bytes += entries[i].inode.size;
  const std::uint64_t worth = 1 + std::max<std::uint64_t>(wanted.size() / k_files_a_thread, bytes / k_bytes_a_thread);
  const auto count = static_cast<unsigned>(std::min<std::uint64_t>(threads, worth));

  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::size_t k = next++; k < wanted.size(); k = next++) {
        Entry& entry = entries[wanted[k]];
        entry.content = content_digest(root, entry);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = wanted.size();
    }
  };
  {
    std::vector<std::jthread> pool;
    for (unsigned i = 1; i < count; ++i) pool.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

void add(Sha256& sha, const std::vector<Entry>& entries, std::size_t index) {
  const Entry& entry = entries[index];
  const Inode& inode = entry.inode;
  sha.field(entry.path);
  sha.number(static_cast<std::uint64_t>(inode.type));
  sha.number(entry.implied ? 1 : 0);
  sha.number(inode.opaque ? 1 : 0);
  if (entry.implied || inode.type == FileType::whiteout) return;
  if (entry.first != index) return sha.field(entries[entry.first].path);
  sha.field("");
  for (const std::uint32_t number : {inode.mode, inode.uid, inode.gid, inode.rdev_major, inode.rdev_minor}) {
    sha.number(number);
  }
  sha.number(inode.size);
  sha.field(inode.link_target);
  sha.number(inode.xattrs.size());
  for (const auto& [name, value] : inode.xattrs) {
    sha.field(name);
    sha.field(value);
  }
  sha.field(entry.content);
}

Sha256 begin_digest(bool opaque_root) {
  Sha256 sha;
  sha.field("mbuild layer 1");
  sha.number(opaque_root ? 1 : 0);
  return sha;
}

}  // namespace

LayerSummary summarise_layer(const LayerSource& source, unsigned threads, const KnownFiles& known) {
  std::vector<Entry> entries = list(source, known);
  LayerSummary summary;
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    if (!entry.implied) {
      ++summary.entries;
      if (entry.inode.type != FileType::whiteout) {
        summary.newest_mtime = std::max(summary.newest_mtime, entry.inode.mtime_sec);
      }
    }
    const bool device = entry.inode.type == FileType::character || entry.inode.type == FileType::block;
    if (device && entry.first == i) summary.device_nodes.push_back(entry.path);
    if (entry.inode.type != FileType::regular || entry.first != i) continue;
    summary.bytes += entry.inode.size;
    if (const auto file = known.find(entry.path); file != known.end()) {
      entry.content = file->second.content;
    } else {
      wanted.push_back(i);
    }
  }
  hash_contents(source.directory, entries, wanted, threads > 0 ? threads : std::thread::hardware_concurrency());

  Sha256 sha = begin_digest(read_inode(source.directory, ".", source.owners).opaque);
  for (std::size_t i = 0; i < entries.size(); ++i) add(sha, entries, i);
  summary.result_digest = sha.digest();
  return summary;
}

Digest empty_layer_digest() { return begin_digest(false).digest(); }

}  // namespace mbuild::image
