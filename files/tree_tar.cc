#include "files/tree_tar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "files/root_path.h"
#include "layers/tar_format.h"

namespace mbuild::executor {
namespace {

using Sink = std::function<void(std::string_view)>;

constexpr std::size_t k_part = 64 * 1024;

void write_zeros(std::uint64_t count, const Sink& sink) {
  const std::string zeros(std::min<std::uint64_t>(count, k_part), '\0');
  for (; count > 0; count -= std::min<std::uint64_t>(count, zeros.size())) {
    sink(std::string_view(zeros).substr(0, std::min<std::uint64_t>(count, zeros.size())));
  }
}

void write_content(const Fd& file, std::uint64_t size, const Sink& sink) {
  std::string buffer(k_part, '\0');
  std::uint64_t left = size;
  while (left > 0) {
    const std::size_t wanted = std::min<std::uint64_t>(left, buffer.size());
    const auto n = read_full(file.get(), std::as_writable_bytes(std::span(buffer.data(), wanted)));
    if (n == 0) break;
    sink(std::string_view(buffer).substr(0, n));
    left -= n;
  }
  write_zeros(left, sink);
  sink(image::tar_padding(size));
}

void write_file(const Tree& tree, const std::string& path, const std::string& name, image::Inode inode,
                const Sink& sink) {
  if (inode.size == 0) return sink(image::tar_header(name, inode));  // a pipe is said to be an empty file
  const Fd file = open_resolved_or_errno(tree.root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && errno == ENOENT) return;
  if (!file) throw system_error(errno, "read /" + path);
  struct stat status;
  if (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return;
  inode.size = static_cast<std::uint64_t>(status.st_size);
  sink(image::tar_header(name, inode));
  write_content(file, inode.size, sink);
}

void write_entry(const Tree& tree, const std::string& path, const std::string& name, const TreeEntry& entry,
                 const Sink& sink) {
  image::Inode inode = entry.inode;
  inode.xattrs.clear();
  switch (inode.type) {
    case image::FileType::regular:
      return write_file(tree, path, name, std::move(inode), sink);
    case image::FileType::directory:
    case image::FileType::symlink:
    case image::FileType::fifo:
      return sink(image::tar_header(name, inode));
    default:
      return;
  }
}

}  // namespace

void write_tree_tar(const Tree& tree, const std::string& start, const std::string& name, const Sink& sink) {
  for (const auto& entry : scan_tree(tree, start)) {
    const std::string landed = name.empty() || entry.path.empty() ? name + entry.path : name + "/" + entry.path;
    if (!landed.empty())
      write_entry(tree, entry.path.empty() ? start : join_resolved(start, entry.path), landed, entry, sink);
  }
  sink(image::tar_end());
}

}  // namespace mbuild::executor
