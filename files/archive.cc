#include "files/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <locale.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/write_at.h"
#include "files/root_path.h"
#include "layers/decompress.h"
#include "layers/tar_format.h"
#include "layers/tar_reader.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_block = 256 * 1024;

// libarchive turns UTF-8 names of pax headers into the character set of the locale, and loses them in the "C" one.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) previous_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(previous_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_;
  locale_t previous_ = nullptr;
};

// The reader of the one compression that the first bytes announce: libarchive left to itself would undo several layers.
using SupportFilter = int (*)(struct archive*);
SupportFilter compression_filter(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x1f\x8b\x08"sv)) return ::archive_read_support_filter_gzip;
  if (head.starts_with("BZh"sv)) return ::archive_read_support_filter_bzip2;
  if (head.starts_with("\xfd\x37\x7a\x58\x5a\x00"sv)) return ::archive_read_support_filter_xz;
  const bool frame = head.starts_with("\x28\xb5\x2f\xfd"sv);
  const bool skippable = head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18"sv;
  if (frame || skippable) return ::archive_read_support_filter_zstd;
  return nullptr;
}

SupportFilter compression_of(int fd) {
  std::array<char, 8> head;
  const ssize_t length = ::pread(fd, head.data(), head.size(), 0);
  return compression_filter({head.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))});
}

// A tar stream that is read from the start of an open file.
class TarReader {
 public:
  explicit TarReader(int fd) : handle_(::archive_read_new(), ::archive_read_free) {
    const auto filter = compression_of(fd);
    if (::lseek(fd, 0, SEEK_SET) < 0) throw system_error(errno, "read an archive");
    ::archive_read_support_format_tar(get());
    if (filter != nullptr) filter(get());
    opened_ = ::archive_read_open_fd(get(), fd, k_block) == ARCHIVE_OK;
  }

  struct archive* get() const { return handle_.get(); }
  // The next entry; nullptr at the end. Throws Error (step_failed) for a broken archive.
  struct archive_entry* next() {
    if (!opened_) throw broken();
    struct archive_entry* entry = nullptr;
    const int code = ::archive_read_next_header(get(), &entry);
    if (code == ARCHIVE_EOF) return nullptr;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) throw broken();
    return entry;
  }
  Error broken() const {
    const char* text = ::archive_error_string(get());
    return Error(ExitClass::step_failed, fmt::format("broken archive: {}", text != nullptr ? text : "unreadable"));
  }

 private:
  Utf8Names names_;
  std::unique_ptr<struct archive, int (*)(struct archive*)> handle_;
  bool opened_ = false;
};

std::string text_of(const char* plain, const char* utf8) {
  return plain != nullptr ? plain : utf8 != nullptr ? utf8 : "";
}

// Without leading slash; "" is the root, which no name leads out of.
std::string landing_path(struct archive_entry* entry) {
  const auto name = text_of(::archive_entry_pathname(entry), ::archive_entry_pathname_utf8(entry));
  return clean_path(fmt::format("/{}", name)).substr(1);
}

std::string link_target(struct archive_entry* entry) {
  return text_of(::archive_entry_symlink(entry), ::archive_entry_symlink_utf8(entry));
}

std::string hard_link_target(struct archive_entry* entry) {
  return text_of(::archive_entry_hardlink(entry), ::archive_entry_hardlink_utf8(entry));
}

bool is_hard_link(struct archive_entry* entry) {
  return ::archive_entry_hardlink(entry) != nullptr || ::archive_entry_hardlink_utf8(entry) != nullptr;
}

image::FileType type_of(struct archive_entry* entry) {
  switch (::archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return image::FileType::directory;
    case AE_IFLNK:
      return image::FileType::symlink;
    case AE_IFCHR:
      return image::FileType::character;
    case AE_IFBLK:
      return image::FileType::block;
    default:
      return image::FileType::regular;  // a pipe, too, unless it is to be one
  }
}

image::Inode inode_of(struct archive_entry* entry, const UnpackRules& rules) {
  image::Inode inode;
  inode.type = type_of(entry);
  if (rules.pipes && ::archive_entry_filetype(entry) == AE_IFIFO) inode.type = image::FileType::fifo;
  inode.mode = static_cast<std::uint32_t>(::archive_entry_perm(entry)) & 07777U;
  if (rules.drop_setuid && inode.type != image::FileType::directory) inode.mode &= 01777U;
  inode.uid = rules.owner ? rules.owner->uid : static_cast<std::uint32_t>(::archive_entry_uid(entry));
  inode.gid = rules.owner ? rules.owner->gid : static_cast<std::uint32_t>(::archive_entry_gid(entry));
  inode.mtime_sec = std::max<std::int64_t>(::archive_entry_mtime(entry), 0);
  inode.mtime_nsec =
      ::archive_entry_mtime(entry) < 0 ? 0 : static_cast<std::uint32_t>(::archive_entry_mtime_nsec(entry));
  inode.rdev_major = static_cast<std::uint32_t>(::archive_entry_rdevmajor(entry));
  inode.rdev_minor = static_cast<std::uint32_t>(::archive_entry_rdevminor(entry));
  if (inode.type == image::FileType::symlink) inode.link_target = link_target(entry);
  ::archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name != nullptr && std::string_view(name) == "security.capability") {
      inode.xattrs["security.capability"] = std::string(static_cast<const char*>(value), size);
    }
  }
  return inode;
}

class Unpacker {
 public:
  Unpacker(TarReader& reader, int root, const std::string& prefix, const UnpackRules& rules, WriteRecord& record)
      : reader_(reader), root_(root), prefix_(prefix), rules_(rules), record_(record) {}

  void run() {
    while (struct archive_entry* entry = reader_.next()) {
      if (rules_.stop.stop_requested()) throw Cancelled();
      unpack(entry);
    }
  }

 private:
  std::string recorded(const std::string& path) const { return path.empty() ? prefix_ : join_resolved(prefix_, path); }

  void unpack(struct archive_entry* entry) {
    const std::string path = landing_path(entry);
    const image::Inode inode = inode_of(entry, rules_);
    if (path.empty()) {
      // "./" says nothing of the directory that is unpacked into; "/" does.
      const bool rooted = text_of(::archive_entry_pathname(entry), nullptr).starts_with('/');
      if (rooted && inode.type == image::FileType::directory) record_.add_directory(prefix_, inode);
      return;
    }
    const std::string parent = make_parent(resolved_parent(path));
    const std::string name = resolved_name(path);
    const Fd directory = open_resolved(root_, parent, O_RDONLY | O_DIRECTORY);
    const std::string landed = recorded(join_resolved(parent, name));
    const bool merged = make_way(directory.get(), name, landed, inode.type == image::FileType::directory);
    record_.paths.insert(landed);
    if (is_hard_link(entry)) {
      link(entry, directory.get(), name, landed);
    } else if (inode.type == image::FileType::directory) {
      if (!merged && ::mkdirat(directory.get(), name.c_str(), 0700) < 0) throw system_error(errno, "mkdir /" + landed);
      record_.add_directory(landed, inode);
      return;
    } else if (inode.type == image::FileType::regular) {
      write(open_at(directory.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    } else {
      image::make_special(directory.get(), name, inode);
    }
    finish(directory.get(), name, inode);
  }

  // Makes the directories that lead to an entry; returns the resolved path of the last.
  std::string make_parent(const std::string& path) {
    const Resolved resolved = resolve_in_root(root_, path);
    if (resolved.blocked || (resolved.status && !resolved.is_directory())) {
      throw Error(ExitClass::step_failed, fmt::format("mkdir /{}: not a directory", recorded(resolved.path)));
    }
    if (resolved.status) return resolved.path;
    image::Inode inode;
    inode.type = image::FileType::directory;
    inode.mode = 0755;
    inode.mtime_sec = rules_.timestamp.value_or(0);
    std::string made;
    for (const auto& name : split(resolved.path, '/')) {
      made = join_resolved(made, name);
      if (try_open_resolved(root_, made, O_PATH)) continue;
      const Fd parent = open_resolved(root_, resolved_parent(made), O_RDONLY | O_DIRECTORY);
      if (::mkdirat(parent.get(), name.c_str(), 0700) < 0) throw system_error(errno, "mkdir /" + recorded(made));
      record_.add_directory(recorded(made), inode);
    }
    return resolved.path;
  }

  // Removes what an entry replaces; true when a directory meets a directory.
  bool make_way(int directory, const std::string& name, const std::string& landed, bool is_directory) {
    struct stat status;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) return false;
      throw system_error(errno, "stat /" + landed);
    }
    if (is_directory && S_ISDIR(status.st_mode)) return true;
    if (rules_.keep_kinds && is_directory != S_ISDIR(status.st_mode)) {
      throw usage_error(fmt::format("{}: {} can't replace {}", landed, is_directory ? "a directory" : "what is none",
                                    is_directory ? "what is none" : "a directory"))
          .with_advice("Nothing of it was removed. Move it out of the way first.");
    }
    remove_tree(directory, name);
    record_.forget(landed);
    return false;
  }

  void link(struct archive_entry* entry, int directory, const std::string& name, const std::string& landed) {
    const std::string target = hard_link_target(entry);
    const Resolved resolved = resolve_in_root(root_, target, LastLink::keep);
    if (!resolved.status) {
      throw Error(ExitClass::step_failed, fmt::format("link /{}: {}: no such file or directory", landed, target));
    }
    const Fd from = open_resolved(root_, resolved_parent(resolved.path), O_RDONLY | O_DIRECTORY);
    if (::linkat(from.get(), resolved_name(resolved.path).c_str(), directory, name.c_str(), 0) < 0) {
      throw system_error(errno, "link /" + landed);
    }
  }

  void write(const Fd& file) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0, end = 0;
    for (;;) {
      const int code = ::archive_read_data_block(reader_.get(), &data, &size, &offset);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) throw reader_.broken();
      write_at(file.get(), {static_cast<const char*>(data), size}, static_cast<std::uint64_t>(offset));
      end = std::max(end, offset + static_cast<la_int64_t>(size));
    }
    // The tail of a sparse file may be a hole.
    if (::ftruncate(file.get(), std::max<la_int64_t>(end, offset)) < 0) throw system_error(errno, "write");
  }

  void finish(int directory, const std::string& name, image::Inode inode) const {
    struct stat status;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) {
      inode.type = image::FileType::symlink;  // also a hard link to one
    }
    image::apply_inode(directory, name, inode, rules_.owners);
  }

  TarReader& reader_;
  int root_;
  const std::string& prefix_;
  const UnpackRules& rules_;
  WriteRecord& record_;
};

// A compressed archive that breaks off where libarchive has not seen a header yet: that is told when it is unpacked.
bool begins_as_archive(int fd) {
  std::string head(k_block, '\0'), begin;
  const ssize_t length = ::pread(fd, head.data(), head.size(), 0);
  try {
    image::Decompressor decompressor;
    if (length > 0)
      decompressor.feed(std::string_view(head).substr(0, static_cast<std::size_t>(length)),
                        [&](std::string_view bytes) { begin += bytes; });
  } catch (const Error&) {
    // what came before counts
  }
  return begin.size() >= image::k_tar_block &&
         image::is_tar_header(std::string_view(begin).substr(0, image::k_tar_block));
}

}  // namespace

bool is_compressed(int fd) { return compression_of(fd) != nullptr; }

bool is_archive(int fd) {
  TarReader reader(fd);
  try {
    return reader.next() != nullptr;
  } catch (const Error&) {
    return is_compressed(fd) && begins_as_archive(fd);
  }
}

std::vector<ArchiveName> archive_names(int fd) {
  TarReader reader(fd);
  std::vector<ArchiveName> names;
  while (struct archive_entry* entry = reader.next()) {
    ArchiveName name{
        .path = landing_path(entry), .is_link = type_of(entry) == image::FileType::symlink, .hard_link = {}};
    if (is_hard_link(entry)) name.hard_link = clean_path("/" + hard_link_target(entry)).substr(1);
    names.push_back(std::move(name));
  }
  return names;
}

void unpack_archive(int fd, int root, const std::string& prefix, const UnpackRules& rules, WriteRecord& record) {
  TarReader reader(fd);
  Unpacker(reader, root, prefix, rules, record).run();
}

}  // namespace mbuild::executor
