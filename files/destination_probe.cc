#include "files/destination_probe.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/fd.h"
#include "files/archive.h"
#include "files/root_path.h"

// What a copy asks of its destination is few things, and here they are asked without acting: where the destination
// resolves to and how much of that is there (the rest is made, and so in the layer), whether it is a directory, and for
// each path that would be written what is in its place. Metadata of what is there does not get into the layer, with one
// exception: directories that --parents meets keep their owner.
//
// All is asked of the root as it is before the first action, so an answer is useless where one action prepares the way
// of another other than by making the destination that both share. `complete` says so.
namespace mbuild::executor {
namespace {

class Prober {
 public:
  Prober(int root, image::OwnerMode owners) : root_(root), owners_(owners) { hash_.field("destination 1"); }

  void probe(const graph::FileAction& action, const Selection* selection) {
    const auto owner = action_owner(action, root_);
    hash_.number(owner ? 1 : 0);
    hash_.number(owner ? owner->uid : 0);
    hash_.number(owner ? owner->gid : 0);
    result_.owners.push_back(owner);
    if (!first_destination_.empty() && first_destination_ != action.destination) result_.complete = false;
    first_destination_ = action.destination;
    switch (action.kind) {
      case graph::FileActionKind::copy:
        return copy(action, *selection);
      case graph::FileActionKind::mkdir:
        ask(action.destination);
        return;
      case graph::FileActionKind::mkfile:
        // A file that is there keeps its mode and owner.
        if (ask(action.destination).status) result_.complete = false;
        return;
      case graph::FileActionKind::rm:
      case graph::FileActionKind::symlink:
        result_.complete = false;
        return;
    }
  }

  DestinationProbe finish() {
    result_.digest = hash_.digest();
    return std::move(result_);
  }

 private:
  void add_type(const std::optional<struct stat>& status) { hash_.number(status ? status->st_mode & S_IFMT : 0); }

  // Adds where `path` leads and how much of that exists.
  Resolved ask(const std::string& path, LastLink last = LastLink::follow) {
    Resolved resolved = resolve_in_root(root_, path, last);
    hash_.field(resolved.path);
    hash_.number(resolved.blocked ? 1 : 0);
    add_type(resolved.status);
    std::set<std::string> existing(resolved.existing.begin(), resolved.existing.end());
    hash_.number(static_cast<std::uint64_t>(std::count_if(existing.begin(), existing.end(), [&](const auto& part) {
      return resolved.path == part || resolved.path.starts_with(part + '/');
    })));
    return resolved;
  }

  void copy(const graph::FileAction& action, const Selection& selection) {
    const Resolved destination = ask(action.destination);
    hash_.number(selection.sources.size());
    for (const auto& source : selection.sources) {
      const bool directory = source.entries.front().inode.type == image::FileType::directory;
      if (action.unpack && !directory && unpack(action, selection.tree, source)) continue;
      const bool inside = directory ? !action.contents_only && destination.status.has_value()
                                    : destination.is_directory() || action.destination.ends_with('/');
      const std::string target =
          inside && !source.name.empty() ? join_resolved(destination.path, source.name) : destination.path;
      entries(source, target);
    }
  }

  // What is in the place of each entry. Below what is not there nothing is there.
  void entries(const SelectedSource& source, const std::string& target) {
    const std::string* absent = nullptr;
    for (const auto& entry : source.entries) {
      if (absent != nullptr && (absent->empty() || entry.path.starts_with(*absent + '/'))) continue;
      const std::string path = entry.path.empty() ? target : join_resolved(target, entry.path);
      const Fd fd = try_open_resolved(root_, path, O_PATH);
      absent = fd ? nullptr : &entry.path;
      if (!fd) continue;
      struct stat status;
      if (::fstat(fd.get(), &status) < 0) throw system_error(errno, "stat /" + path);
      hash_.field(entry.path);
      add_type(status);
      if (entry.implied && S_ISDIR(status.st_mode)) add_owner(path);
    }
  }

  void add_owner(const std::string& path) {
    const Fd directory = open_resolved(root_, path, O_RDONLY | O_DIRECTORY);
    const image::Inode inode = image::read_inode(directory.get(), ".", owners_);
    hash_.number(inode.uid);
    hash_.number(inode.gid);
    for (const auto& [name, value] : inode.xattrs) {
      hash_.field(name);
      hash_.field(value);
    }
  }

  // False when the source is no archive.
  bool unpack(const graph::FileAction& action, const Tree& tree, const SelectedSource& source) {
    if (source.entries.front().inode.size == 0) return false;
    const Fd file = source.own_copy.value < 0 ? open_resolved(tree.root, source.path, O_RDONLY | O_NONBLOCK)
                                              : duplicate(source.own_copy.value);
    if (!is_archive(file.get())) return false;
    const Resolved destination = resolve_in_root(root_, action.destination);
    const auto names = archive_names(file.get());
    if (leads_through_itself(names)) result_.complete = false;
    if (!destination.is_directory()) return true;
    const Fd directory = open_resolved(root_, destination.path, O_RDONLY | O_DIRECTORY);
    Prober inner(directory.get(), owners_);
    for (const auto& name : names) inner.ask(name.path, LastLink::keep);
    hash_.field(inner.finish().digest);
    return true;
  }

  // True when an entry's place depends on a link that the archive itself makes, or its content on what is in the root.
  static bool leads_through_itself(const std::vector<ArchiveName>& names) {
    std::set<std::string> paths, links;
    for (const auto& name : names) {
      for (std::string up = resolved_parent(name.path); !up.empty(); up = resolved_parent(up)) {
        if (links.contains(up)) return true;
      }
      if (!name.hard_link.empty() && !paths.contains(name.hard_link)) return true;
      paths.insert(name.path);
      if (name.is_link) links.insert(name.path);
    }
    return false;
  }

  int root_;
  image::OwnerMode owners_;
  Sha256 hash_;
  DestinationProbe result_;
  std::string first_destination_;
};

}  // namespace

DestinationProbe destination_probe(int root, std::span<const graph::FileAction> actions,
                                   std::span<const Selection> selections, image::OwnerMode owners) {
  Prober prober(root, owners);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const bool copies = actions[i].kind == graph::FileActionKind::copy;
    if (copies && i >= selections.size()) throw Error(ExitClass::internal, "a copy action without a selection");
    prober.probe(actions[i], copies ? &selections[i] : nullptr);
  }
  return prober.finish();
}

}  // namespace mbuild::executor
