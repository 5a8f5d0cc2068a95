#include "files/copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/parallel.h"
#include "base/strings.h"
#include "files/copy_data.h"
#include "files/live_file.h"

// Copying with the rules of COPY.
//
// The destination is resolved inside the root, links followed, last one included. What is missing on the way is made
// with mode 0755 (or an octal --chmod, without its special bits) and the owner of --chown. A file goes into a
// destination that is a directory, else it takes its place. Of a directory the contents go into the destination; this
// top directory keeps its metadata when it exists, and has those of a made parent when it does not. Directories inside
// take over the source's metadata even where they exist. Inside, links are neither followed nor kept: a file replaces
// one, a directory over one is an error.
//
// What must look at the destination (is there a directory in the way? which names exist?) is done in order by one
// thread; contents of files are queued in groups and written by several. A path that is queued is not there yet: who
// asks for it has to flush() first.
//
// Files of a context may have changed since they were selected. What is for sure the version that was hashed is copied
// as it is; anything else is copied as live_file.h says, hashed from the copy, and reported, so that the key of the
// step is made of what is in the layer.
namespace mbuild::executor {

constexpr std::size_t k_files_in_group = 32;

// A directory of the destination that is open while its entries are handled.
struct Copier::Level {
  std::string below;  // path below the source
  std::string path;   // resolved path in the root
  Fd fd;
  bool fresh = false;  // just made: nothing can be in the way
  int root = -1;       // in which `fd` was opened: a fresh one in the upper directory
};

// One call of copy().
struct Copier::Job {
  const Tree& tree;
  const SelectedSource& source;
  const CopyRules& rules;
  std::string target;  // resolved path of what the source becomes
  bool made = false;   // the target is a directory that was just made
  using First = std::pair<std::string, const TreeEntry*>;
  std::map<std::pair<std::uint64_t, std::uint64_t>, First> first_links;  // (device, inode) -> path and entry
  std::unordered_map<std::string, std::size_t> open_groups;              // directory -> index into groups_
};

namespace {

Error conflict(std::string message) { return Error(ExitClass::step_failed, std::move(message)); }

void require_no_file(const Resolved& resolved, std::string_view operation) {
  if (resolved.blocked) throw conflict(fmt::format("{} /{}: not a directory", operation, resolved.path));
}

// Metadata of a directory that is made because it is missing.
image::Inode made_directory(const CopyRules& rules) {
  image::Inode inode;
  inode.type = image::FileType::directory;
  inode.mode = rules.mode && rules.mode->octal ? *rules.mode->octal & 0777U : 0755;
  if (rules.owner) inode.uid = rules.owner->uid, inode.gid = rules.owner->gid;
  inode.mtime_sec = rules.timestamp.value_or(0);
  return inode;
}

void make_directory(int parent, const std::string& name, const std::string& path) {
  if (::mkdirat(parent, name.c_str(), 0700) < 0) throw system_error(errno, "mkdir /" + path);
}

std::string source_path(const SelectedSource& source, const TreeEntry& entry) {
  return entry.path.empty() ? source.path : join_resolved(source.path, entry.path);
}

bool is_same_file(const TreeEntry& before, const std::optional<TreeEntry>& now) {
  return now && now->inode.type == before.inode.type && now->inode.device == before.inode.device &&
         now->inode.inode == before.inode.inode;
}

// Copies the file to the empty `out` if it is for sure what was selected; false, with something in `out` perhaps, when
// it may be another.
bool copy_as_seen(const Tree& tree, const TreeEntry& entry, int directory, const std::string& name, int out) {
  const bool unread = entry.inode.size > 0 && entry.content.empty();  // nobody asked what its content is
  if (!unread && !at_rest(entry.key, tree.seen_ns)) return false;
  struct stat status;
  if (entry.inode.size == 0) {
    return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && stat_key(status) == entry.key;
  }
  const Fd in = open_resolved_or_errno(directory, name, O_RDONLY | O_NONBLOCK);
  if (!in || ::fstat(in.get(), &status) < 0 || stat_key(status) != entry.key) return false;
  copy_data(in.get(), out, status);
  return ::fstat(in.get(), &status) == 0 && stat_key(status) == entry.key;
}

}  // namespace

image::Inode landed_inode(const image::Inode& source, const CopyRules& rules) {
  image::Inode inode = source;
  if (inode.type == image::FileType::socket) inode.type = image::FileType::regular;
  if (rules.owner) inode.uid = rules.owner->uid, inode.gid = rules.owner->gid;
  if (rules.mode && inode.type != image::FileType::symlink) {
    inode.mode = changed_mode(*rules.mode, inode.mode, inode.type == image::FileType::directory);
  }
  return inode;
}

Copier::Copier(const CopyTarget& target, WriteRecord& record, image::OwnerMode owners, unsigned threads,
               std::stop_token stop)
    : target_(target),
      root_(target.root),
      record_(record),
      owners_(owners),
      threads_(threads),
      stop_(std::move(stop)) {}

void Copier::make_directories(const Resolved& resolved, const CopyRules& rules) {
  require_no_file(resolved, "mkdir");
  if (resolved.is_directory()) return;
  if (resolved.status) throw conflict(fmt::format("mkdir /{}: not a directory", resolved.path));
  std::string path;
  Fd directory = open_resolved(root_, "", O_RDONLY | O_DIRECTORY);
  for (const auto& name : split(resolved.path, '/')) {
    path = join_resolved(path, name);
    Fd next = try_open_resolved(directory.get(), name, O_RDONLY | O_DIRECTORY);
    if (!next) {
      make_directory(directory.get(), name, path);
      record_.add_directory(path, made_directory(rules));
      next = open_resolved(directory.get(), name, O_RDONLY | O_DIRECTORY);
    }
    directory = std::move(next);
  }
}

// Makes what must be there before the destination itself is looked at.
void Copier::prepare_parents(std::string_view destination, const CopyRules& rules) {
  const bool into = destination.ends_with('/') || destination.ends_with("/.");
  const std::string clean = clean_path(fmt::format("/{}", destination));
  make_directories(resolve_in_root(root_, into ? clean : dir_name(clean)), rules);
}

void Copier::copy(const Tree& tree, const SelectedSource& source, std::string_view destination,
                  const CopyRules& rules) {
  check_stop();
  prepare_parents(destination, rules);
  Resolved resolved = resolve_in_root(root_, destination);
  if (queued_.contains(resolved.path)) {
    flush();
    resolved = resolve_in_root(root_, destination);
  }
  require_no_file(resolved, "stat");
  const bool directory = source.entries.front().inode.type == image::FileType::directory;
  const bool contents = directory && rules.contents_only;
  const bool made = contents && !resolved.status;
  if (made) {
    make_directories(resolved, rules);
  } else if (!resolved.status) {
    make_directories(resolve_in_root(root_, resolved_parent(resolved.path)), rules);
  }
  Job job{.tree = tree,
          .source = source,
          .rules = rules,
          .target = resolved.path,
          .made = made,
          .first_links = {},
          .open_groups = {}};
  const bool inside = directory ? !contents && resolved.status.has_value() : resolved.is_directory();
  if (inside && !source.name.empty()) job.target = join_resolved(resolved.path, source.name);
  if (directory) {
    copy_tree(job);
  } else {
    Level level{.below = "", .path = resolved_parent(job.target), .fd = {}, .fresh = false, .root = root_};
    level.fd = open_resolved(root_, level.path, O_RDONLY | O_DIRECTORY);
    place(job, level, source.entries.front(), resolved_name(job.target));
  }
}

void Copier::copy_tree(Job& job) {
  if (queued_.contains(job.target)) flush();
  const TreeEntry& top = job.source.entries.front();
  Fd fd = try_open_resolved(root_, job.target, O_RDONLY | O_DIRECTORY);
  const auto made = record_.directories.find(job.target);
  const bool fresh = !fd || job.made;
  if (!fd) {
    if (try_open_resolved(root_, job.target, O_PATH)) {
      throw conflict("cannot copy to non-directory: /" + job.target);
    }
    const Fd parent = open_resolved(root_, resolved_parent(job.target), O_RDONLY | O_DIRECTORY);
    make_directory(parent.get(), resolved_name(job.target), job.target);
    record_.add_directory(job.target, landed_inode(top.inode, job.rules));
  } else if (made != record_.directories.end() && !job.rules.timestamp) {
    made->second.mtime_sec = top.inode.mtime_sec;
    made->second.mtime_nsec = top.inode.mtime_nsec;
  }
  const int root = fresh && target_.upper >= 0 ? target_.upper : root_;
  if (fresh) fd = open_resolved(root, job.target, O_RDONLY | O_DIRECTORY);
  std::vector<Level> levels;
  levels.push_back({.below = "", .path = job.target, .fd = std::move(fd), .fresh = fresh, .root = root});
  for (std::size_t i = 1; i < job.source.entries.size(); ++i) {
    const TreeEntry& entry = job.source.entries[i];
    const std::string parent = resolved_parent(entry.path);
    while (levels.back().below != parent) levels.pop_back();
    if (entry.inode.type == image::FileType::directory) {
      enter_directory(job, levels, entry);
    } else {
      place(job, levels.back(), entry, resolved_name(entry.path));
    }
  }
}

void Copier::enter_directory(Job& job, std::vector<Level>& levels, const TreeEntry& entry) {
  check_stop();
  const Level& parent = levels.back();
  const std::string name = resolved_name(entry.path);
  Level level{
      .below = entry.path, .path = join_resolved(parent.path, name), .fd = {}, .fresh = true, .root = parent.root};
  if (!parent.fresh && queued_.contains(level.path)) flush();
  image::Inode inode = landed_inode(entry.inode, job.rules);
  if (::mkdirat(parent.fd.get(), name.c_str(), 0700) < 0) {
    if (errno != EEXIST) throw system_error(errno, "mkdir /" + level.path);
    struct stat status;
    if (::fstatat(parent.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
      throw conflict("cannot copy to non-directory: /" + level.path);
    }
    level.fresh = false;
    if (entry.implied) {
      // Upstream, an existing directory on the way to what --parents takes gets the mode of its source and no more.
      const auto made = record_.directories.find(level.path);
      image::Inode existing =
          made != record_.directories.end() ? made->second : image::read_inode(parent.fd.get(), name, owners_);
      existing.mode = entry.inode.mode;
      existing.mtime_sec = inode.mtime_sec;
      existing.mtime_nsec = inode.mtime_nsec;
      inode = std::move(existing);
    }
  }
  record_.add_directory(level.path, inode);
  if (level.fresh && parent.root != target_.upper && target_.upper >= 0) {
    level.root = target_.upper;
    level.fd = open_resolved(level.root, level.path, O_RDONLY | O_DIRECTORY);
  } else {
    level.fd = open_resolved(parent.fd.get(), name, O_RDONLY | O_DIRECTORY);
  }
  levels.push_back(std::move(level));
}

// Removes what a file is to replace.
void Copier::make_way(const Level& level, const std::string& name, const std::string& path) {
  if (queued_.contains(path)) flush();
  struct stat status;
  if (::fstatat(level.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return;
    throw system_error(errno, "stat /" + path);
  }
  if (S_ISDIR(status.st_mode)) throw conflict(fmt::format("cannot replace to directory /{} with file", path));
  if (::unlinkat(level.fd.get(), name.c_str(), 0) < 0) throw system_error(errno, "remove /" + path);
}

void Copier::place(Job& job, const Level& level, const TreeEntry& entry, const std::string& name) {
  const std::string path = join_resolved(level.path, name);
  if (!level.fresh) make_way(level, name, path);
  record_.paths.insert(path);
  const image::Inode inode = landed_inode(entry.inode, job.rules);
  if (entry.content.empty() || !inode.xattrs.empty()) {
    record_.files.erase(path);
  } else {
    record_.files.insert_or_assign(path, image::KnownFile{.content = entry.content, .inode = inode});
  }
  if (inode.type != image::FileType::regular) {
    image::make_special(level.fd.get(), name, inode);
    image::apply_inode(level.fd.get(), name, inode, owners_);
    return;
  }
  queued_.insert(path);
  if (inode.link_count > 1) {
    const auto [first, is_first] = job.first_links.try_emplace({inode.device, inode.inode}, std::pair(path, &entry));
    if (!is_first) {
      const std::string source = source_path(job.source, entry);
      Link link{.existing = first->second.first, .first = first->second.second, .alone = group_of(job, level, source)};
      link.alone.files.push_back({.source_name = resolved_name(source), .name = name, .entry = &entry});
      links_.push_back(std::move(link));
      return;
    }
  }
  enqueue(job, level, entry, name);
}

Copier::Group Copier::group_of(const Job& job, const Level& level, const std::string& source) const {
  return {.tree = job.tree,
          .rules = job.rules,
          .source_directory = resolved_parent(source),
          .directory = level.path,
          .root = level.root,
          .files = {}};
}

void Copier::enqueue(Job& job, const Level& level, const TreeEntry& entry, const std::string& name) {
  const std::string source = source_path(job.source, entry);
  const std::string source_directory = resolved_parent(source);
  const auto fits = [&](std::size_t index) {
    return index < groups_.size() && groups_[index].directory == level.path &&
           groups_[index].source_directory == source_directory && groups_[index].tree.root == job.tree.root &&
           groups_[index].rules == job.rules && groups_[index].files.size() < k_files_in_group;
  };
  std::size_t& index = job.open_groups.try_emplace(level.path, groups_.size() - 1).first->second;
  if (!fits(index)) {
    index = groups_.size();
    groups_.push_back(group_of(job, level, source));
  }
  groups_[index].files.push_back({.source_name = resolved_name(source), .name = name, .entry = &entry});
}

void Copier::flush() {
  parallel_for(groups_.size(), threads_, [&](std::size_t i) { write_group(groups_[i]); });
  make_links();
  groups_.clear();
  links_.clear();
  queued_.clear();
}

// Where the first name of a file turned out to be another file, or gone, the next name is copied and stands for it.
void Copier::make_links() {
  std::map<const TreeEntry*, std::optional<TreeEntry>> changed;
  for (const auto& anew : read_anew_) changed[anew.entry] = anew.now;
  std::map<const TreeEntry*, std::pair<std::string, const TreeEntry*>> successors;
  for (const auto& link : links_) {
    const auto& file = link.alone.files.front();
    const std::string path = join_resolved(link.alone.directory, file.name);
    const auto successor = successors.find(link.first);
    const auto& [existing, first] =
        successor == successors.end() ? std::pair(link.existing, link.first) : successor->second;
    const auto now = changed.find(first);
    if (now != changed.end() && !is_same_file(*first, now->second)) {
      write_group(link.alone);
      successors[link.first] = {path, file.entry};
      for (const auto& anew : read_anew_) changed[anew.entry] = anew.now;
      continue;
    }
    if (now != changed.end()) {
      TreeEntry entry = *now->second;
      entry.path = file.entry->path;
      note(*file.entry, path, std::move(entry));
    }
    const Fd from = open_resolved(root_, resolved_parent(existing), O_RDONLY | O_DIRECTORY);
    const Fd to = open_resolved(root_, link.alone.directory, O_RDONLY | O_DIRECTORY);
    if (::linkat(from.get(), resolved_name(existing).c_str(), to.get(), file.name.c_str(), 0) < 0) {
      throw system_error(errno, "link /" + path);
    }
  }
}

void Copier::write_group(const Group& group) {
  check_stop();
  const bool live = group.tree.kind == Tree::Kind::context;
  const Fd source = live ? try_open_resolved(group.tree.root, group.source_directory, O_RDONLY | O_DIRECTORY)
                         : open_resolved(group.tree.root, group.source_directory, O_RDONLY | O_DIRECTORY);
  if (!source) {
    for (const auto& file : group.files) note(*file.entry, join_resolved(group.directory, file.name), std::nullopt);
    return;
  }
  const Fd destination = open_resolved(group.root, group.directory, O_RDONLY | O_DIRECTORY);
  // A link can't lead from a layer into an overlay, only into its upper directory.
  Fd older;
  if (target_.older != nullptr && group.root == target_.upper) {
    older = try_open_resolved(target_.older->directory, group.directory, O_RDONLY | O_DIRECTORY);
  }
  for (const auto& file : group.files) {
    const std::string path = join_resolved(group.directory, file.name);
    const image::Inode inode = landed_inode(file.entry->inode, group.rules);
    if (older && link_older(file, inode, older.get(), path, destination.get())) continue;
    write_file(group, file, inode, source.get(), destination.get());
  }
}

bool Copier::link_older(const File& file, const image::Inode& wanted, int older, const std::string& path,
                        int destination) const {
  const auto& contents = target_.older->contents;
  const auto known =
      std::lower_bound(contents.begin(), contents.end(), path,
                       [](const auto& listed, const auto& wanted_path) { return listed.first < wanted_path; });
  if (known == contents.end() || known->first != path || known->second != file.entry->content) return false;
  // It may fail for reasons that do not matter, as too many links.
  return is_alike(older, file.name, wanted) &&
         ::linkat(older, file.name.c_str(), destination, file.name.c_str(), 0) == 0;
}

// Whether the older file has the wanted metadata. Attributes are read only where they hold the owner.
bool Copier::is_alike(int older, const std::string& name, const image::Inode& wanted) const {
  if (!wanted.xattrs.empty()) return false;
  struct stat there;
  if (::fstatat(older, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(there.st_mode)) return false;
  if ((there.st_mode & 07777U) != wanted.mode || static_cast<std::uint64_t>(there.st_size) != wanted.size ||
      there.st_mtim.tv_sec != wanted.mtime_sec ||
      static_cast<std::uint32_t>(there.st_mtim.tv_nsec) != wanted.mtime_nsec) {
    return false;
  }
  if (owners_ == image::OwnerMode::real) return there.st_uid == wanted.uid && there.st_gid == wanted.gid;
  const auto inode = image::read_inode(older, name, owners_);
  return inode.uid == wanted.uid && inode.gid == wanted.gid;
}

void Copier::write_file(const Group& group, const File& file, const image::Inode& inode, int source, int destination) {
  const Fd out = open_at(destination, file.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (group.tree.kind == Tree::Kind::context) {
    if (!copy_as_seen(group.tree, *file.entry, source, file.source_name, out.get())) {
      return write_live_file(group, file, source, destination, out);
    }
  } else if (inode.size > 0) {
    const Fd in = open_at(source, file.source_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (::fstat(in.get(), &status) < 0) throw system_error(errno, "stat /" + file.source_name);
    copy_data(in.get(), out.get(), status);
  }
  image::apply_inode(out.get(), inode, owners_);
}

// The file is not what was selected, or may not be.
void Copier::write_live_file(const Group& group, const File& file, int source, int destination, const Fd& out) {
  const std::string path = join_resolved(group.directory, file.name);
  auto now = copy_live_file(source, file.source_name, *file.entry, out.get(),
                            join_resolved(group.source_directory, file.source_name));
  if (!now) {
    if (::unlinkat(destination, file.name.c_str(), 0) < 0) throw system_error(errno, "remove /" + path);
    return note(*file.entry, path, std::nullopt);
  }
  const image::Inode landed = landed_inode(now->inode, group.rules);
  if (landed.type == image::FileType::regular) {
    image::apply_inode(out.get(), landed, owners_);
  } else {
    if (::unlinkat(destination, file.name.c_str(), 0) < 0) throw system_error(errno, "remove /" + path);
    image::make_special(destination, file.name, landed);
    image::apply_inode(destination, file.name, landed, owners_);
  }
  // Where nobody asked for the content before, nothing depends on it.
  const bool known = file.entry->inode.size == 0 || !file.entry->content.empty();
  if (!known || !is_same_to_a_copy(*file.entry, *now)) note(*file.entry, path, std::move(now));
}

void Copier::note(const TreeEntry& entry, const std::string& path, std::optional<TreeEntry> now) {
  const std::lock_guard lock(mutex_);
  record_.files.erase(path);
  if (!now) record_.paths.erase(path);
  read_anew_.push_back({.entry = &entry, .now = std::move(now)});
}

void Copier::check_stop() const {
  if (stop_.stop_requested()) throw Cancelled();
}

}  // namespace mbuild::executor
