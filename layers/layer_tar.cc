#include "layers/layer_tar.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "layers/layer_walk.h"
#include "layers/tar_format.h"

namespace mbuild::image {
namespace {

constexpr std::size_t k_tar_read_size = 256 * 1024;

class TarWriter {
 public:
  TarWriter(const std::function<void(std::string_view)>& sink, std::span<EntryVisitor* const> visitors,
            const std::stop_token& stop, bool one_directory_once)
      : sink_(sink), visitors_(visitors), stop_(stop), one_directory_once_(one_directory_once) {}

  void tree(const LayerSource& source, const std::string& prefix) {
    prefix_ = prefix.empty() ? "" : prefix + "/";
    first_names_.clear();
    const Inode root = read_inode(source.directory, ".", source.owners);
    if (!prefix.empty() && directories_.insert(prefix).second) {
      Inode top = root;
      top.type = FileType::directory;
      sink_(tar_header(prefix, clamped(source, std::move(top))));
    }
    if (root.opaque) marker(prefix_ + std::string(k_opaque_marker));
    walk_tree(source.directory, source.owners, [&](const WalkEntry& entry) { add(source, entry); });
  }

  void end() { sink_(tar_end()); }

 private:
  static Inode clamped(const LayerSource& source, Inode inode) {
    if (source.clamp_mtime) inode.mtime_sec = std::min(inode.mtime_sec, *source.clamp_mtime);
    return inode;
  }

  void add(const LayerSource& source, const WalkEntry& entry) {
    if (stop_.stop_requested()) throw Cancelled();
    const FileType type = entry.inode.type;
    if (type == FileType::socket) return;
    const std::string path = prefix_ + entry.path;
    if (type == FileType::whiteout) {
      visit(entry, [&] { whiteout(path, entry.name); });
    } else if (type == FileType::directory) {
      const bool implied = std::binary_search(source.implied.begin(), source.implied.end(), entry.path);
      const bool is_new = !one_directory_once_ || directories_.insert(path).second;
      if (!implied && is_new) visit(entry, [&] { sink_(tar_header(path, clamped(source, entry.inode))); });
      if (entry.inode.opaque) marker(path + "/" + std::string(k_opaque_marker));
    } else {
      visit(entry, [&] { file(path, entry, clamped(source, entry.inode)); });
    }
  }

  template <typename Write>
  void visit(const WalkEntry& entry, Write write) {
    for (EntryVisitor* visitor : visitors_) visitor->begin_entry(entry.path, entry.inode);
    write();
    for (EntryVisitor* visitor : visitors_) visitor->end_entry();
  }

  void marker(const std::string& path) {
    Inode inode;
    inode.mode = 0600;
    sink_(tar_header(path, inode));
  }

  void whiteout(const std::string& path, const std::string& name) {
    marker(path.substr(0, path.size() - name.size()) + std::string(k_whiteout_prefix) + name);
  }

  void file(const std::string& path, const WalkEntry& entry, const Inode& inode) {
    if (inode.link_count > 1) {
      const auto [first, is_new] = first_names_.try_emplace({inode.device, inode.inode}, path);
      if (!is_new) return sink_(tar_header(path, inode, first->second));
    }
    sink_(tar_header(path, inode));
    if (inode.type == FileType::regular && inode.size > 0) content(entry, inode);
  }

  void content(const WalkEntry& entry, const Inode& inode) {
    const Fd fd = open_at(entry.parent, entry.name, O_RDONLY | O_NOFOLLOW);
    if (inode.size > k_tar_read_size) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    buffer_.resize(k_tar_read_size);
    for (std::uint64_t left = inode.size; left > 0;) {
      if (stop_.stop_requested()) throw Cancelled();
      const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      const std::size_t got = read_full(fd.get(), std::as_writable_bytes(std::span(buffer_.data(), wanted)));
      if (got < wanted) {
        throw Error(ExitClass::store, fmt::format("{} became shorter while it was read", entry.path));
      }
      const std::string_view piece(buffer_.data(), got);
      for (EntryVisitor* visitor : visitors_) visitor->data(piece);
      sink_(piece);
      left -= got;
    }
    sink_(tar_padding(inode.size));
  }

  const std::function<void(std::string_view)>& sink_;
  std::span<EntryVisitor* const> visitors_;
  const std::stop_token& stop_;
  const bool one_directory_once_;  // trees that share directories
  std::set<std::string> directories_;
  std::string prefix_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;  // of hard-linked files
  std::string buffer_;
};

}  // namespace

void write_layer_tar(const LayerSource& source, const std::function<void(std::string_view)>& sink,
                     std::span<EntryVisitor* const> visitors, const std::stop_token& stop) {
  TarWriter writer(sink, visitors, stop, false);
  writer.tree(source, "");
  writer.end();
}

void write_trees_tar(std::span<const PrefixedSource> trees, const std::function<void(std::string_view)>& sink,
                     const std::stop_token& stop) {
  TarWriter writer(sink, {}, stop, trees.size() > 1);
  for (const PrefixedSource& tree : trees) writer.tree(tree.source, tree.prefix);
  writer.end();
}

}  // namespace mbuild::image
