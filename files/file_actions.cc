#include "files/file_actions.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "files/archive.h"
#include "files/copy.h"
#include "files/live_file.h"
#include "files/root_path.h"
#include "files/write_record.h"

namespace mbuild::executor {
namespace {

Error failed(int code, std::string_view operation) { return system_error(code, operation, ExitClass::step_failed); }

CopyRules rules_of(const graph::FileAction& action, int root) {
  CopyRules rules;
  rules.owner = action_owner(action, root);
  if (!action.mode.empty()) rules.mode = parse_mode(action.mode);
  rules.timestamp = action.timestamp;
  rules.contents_only = action.contents_only;
  return rules;
}

class Applier {
 public:
  Applier(int root, const ApplyOptions& options)
      : root_(root),
        options_(options),
        copier_({.root = root, .upper = options.upper, .older = options.older}, record_, options.owners,
                options.threads, options.stop) {}

  void apply(const graph::FileAction& action, const Selection* selection) {
    copier_.flush();
    rules_ = rules_of(action, root_);
    switch (action.kind) {
      case graph::FileActionKind::copy:
        return copy(action, *selection);
      case graph::FileActionKind::mkfile:
        return make_file(action);
      case graph::FileActionKind::mkdir:
        return make_directory(action);
      case graph::FileActionKind::rm:
        return remove(action);
      case graph::FileActionKind::symlink:
        return make_link(action);
    }
  }

  ApplyResult finish() {
    copier_.flush();
    finish_directories(root_, options_.upper, record_, options_.owners);
    return {
        .paths = std::move(record_.paths), .files = std::move(record_.files), .read_anew = copier_.take_read_anew()};
  }

 private:
  void copy(const graph::FileAction& action, const Selection& selection) {
    if (!action.make_parents) require_parent(action.destination);
    for (const auto& source : selection.sources) {
      if (action.unpack && unpack(action, selection.tree, source)) continue;
      copier_.copy(selection.tree, source, action.destination, rules_);
    }
  }

  void require_parent(const std::string& destination) const {
    const Resolved resolved = resolve_in_root(root_, destination);
    const Resolved parent = resolve_in_root(root_, resolved_parent(resolved.path));
    if (!parent.status) throw failed(ENOENT, fmt::format("failed to stat {}", destination));
  }

  // False when the source is no archive.
  bool unpack(const graph::FileAction& action, const Tree& tree, const SelectedSource& source) {
    const image::Inode& inode = source.entries.front().inode;
    if (inode.type != image::FileType::regular || inode.size == 0) return false;
    const bool live = tree.kind == Tree::Kind::context && source.own_copy.value < 0;
    if (live && may_have_changed(tree, source)) throw ArchiveChanged();
    const Fd file =
        source.own_copy.value < 0 ? open_resolved(tree.root, source.path, O_RDONLY) : duplicate(source.own_copy.value);
    if (!is_archive(file.get())) return false;
    copier_.flush();
    CopyRules plain = rules_;
    plain.mode.reset();  // --chmod does not reach what is unpacked
    const Resolved destination = resolve_in_root(root_, action.destination);
    copier_.make_directories(destination, plain);
    const Fd directory = open_resolved(root_, destination.path, O_RDONLY | O_DIRECTORY);
    const UnpackRules rules{
        .owner = plain.owner, .timestamp = action.timestamp, .owners = options_.owners, .stop = options_.stop};
    const auto changed = [&] {
      struct stat status;
      return live && (::fstat(file.get(), &status) < 0 || stat_key(status) != source.entries.front().key);
    };
    try {
      unpack_archive(file.get(), directory.get(), destination.path, rules, record_);
    } catch (const Error&) {
      if (changed()) throw ArchiveChanged();
      throw;
    }
    if (changed()) throw ArchiveChanged();
    return true;
  }

  std::uint32_t plain_mode(std::uint32_t standard) const {
    return rules_.mode ? changed_mode(*rules_.mode, standard, false) & 0777U : standard;
  }

  void give_owner(image::Inode& inode) const {
    if (rules_.owner) inode.uid = rules_.owner->uid, inode.gid = rules_.owner->gid;
    inode.mtime_sec = rules_.timestamp.value_or(0);
    inode.mtime_nsec = 0;
  }

  // Resolves the path of something to be made, whose parent must be there.
  Resolved resolve_new(const std::string& path, std::string_view operation) const {
    Resolved resolved = resolve_in_root(root_, path);
    if (resolved.blocked) throw failed(ENOTDIR, fmt::format("{} {}", operation, path));
    if (!resolved.status && !resolve_in_root(root_, resolved_parent(resolved.path)).is_directory()) {
      throw failed(ENOENT, fmt::format("{} {}", operation, path));
    }
    return resolved;
  }

  // As a shell's "> path": a file that is there keeps its mode and owner, but for what the action names.
  void make_file(const graph::FileAction& action) {
    const Resolved resolved = resolve_new(action.destination, "open");
    if (resolved.is_directory()) throw failed(EISDIR, "open " + action.destination);
    const Fd parent = open_resolved(root_, resolved_parent(resolved.path), O_RDONLY | O_DIRECTORY);
    const std::string name = resolved_name(resolved.path);
    image::Inode inode;
    inode.mode = plain_mode(0644);
    if (resolved.status) {
      // Another file under the same name: this one may be a name of a layer's file (snapshot_merge.h).
      inode = image::read_inode(parent.get(), name, options_.owners);
      if (::unlinkat(parent.get(), name.c_str(), 0) < 0) throw system_error(errno, "remove /" + resolved.path);
    }
    {
      const Fd file = open_at(parent.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
      write_all(file.get(), action.content);
    }
    give_owner(inode);
    image::apply_inode(parent.get(), name, inode, options_.owners);
    record_.paths.insert(resolved.path);
  }

  void make_directory(const graph::FileAction& action) {
    if (action.make_parents) return copier_.make_directories(resolve_in_root(root_, action.destination), rules_);
    const Resolved resolved = resolve_new(action.destination, "mkdir");
    if (!resolved.status) copier_.make_directories(resolved, rules_);
  }

  void make_link(const graph::FileAction& action) {
    const Resolved resolved = resolve_new(action.destination, "symlink");
    if (resolved.status) throw failed(EEXIST, fmt::format("symlink {} {}", action.source, action.destination));
    const Fd parent = open_resolved(root_, resolved_parent(resolved.path), O_RDONLY | O_DIRECTORY);
    image::Inode inode;
    inode.type = image::FileType::symlink;
    inode.mode = 0777;
    inode.link_target = action.source;
    give_owner(inode);
    image::make_special(parent.get(), resolved_name(resolved.path), inode);
    image::apply_inode(parent.get(), resolved_name(resolved.path), inode, options_.owners);
    record_.paths.insert(resolved.path);
  }

  void remove(const graph::FileAction& action) {
    if (!action.allow_wildcard || !has_wildcard(action.destination)) return remove_path(action, action.destination);
    graph::FileAction hits;
    hits.source = action.destination;
    hits.follow_symlink = false;
    const Tree tree{.root = root_, .kind = Tree::Kind::snapshot, .owners = options_.owners, .name = "root"};
    for (const auto& source : select(tree, hits).sources) remove_path(action, source.path);
  }

  void remove_path(const graph::FileAction& action, const std::string& path) {
    const Resolved resolved = resolve_in_root(root_, path, LastLink::keep);
    if (resolved.path.empty()) throw Error(ExitClass::step_failed, "rmPath: invalid empty path");
    if (!resolved.status) {
      if (action.allow_not_found) return;
      throw failed(ENOENT, "stat /" + resolved.path);
    }
    const Fd parent = open_resolved(root_, resolved_parent(resolved.path), O_RDONLY | O_DIRECTORY);
    remove_tree(parent.get(), resolved_name(resolved.path));
    record_.forget(resolved.path);
  }

  int root_;
  const ApplyOptions& options_;
  WriteRecord record_;
  Copier copier_;
  CopyRules rules_;  // of the action at hand
};

}  // namespace

bool may_have_changed(const Tree& tree, const SelectedSource& source) {
  const TreeEntry& entry = source.entries.front();
  const bool unread = entry.content.empty();  // nobody asked what its content is
  if (!unread && !at_rest(entry.key, tree.seen_ns)) return true;
  const Fd fd = try_open_resolved(tree.root, source.path, O_PATH);
  struct stat status;
  return !fd || ::fstat(fd.get(), &status) < 0 || stat_key(status) != entry.key;
}

std::optional<Owner> action_owner(const graph::FileAction& action, int root) {
  if (action.owner.empty()) return std::nullopt;
  if (!names_user_or_group(action.owner)) return file_owner(action.owner, {});
  if (action.link || action.input == -1) {
    throw Error(ExitClass::step_failed, "invalid user index: -1")
        .with_advice(
            fmt::format("on an empty root file system and with --link there is no /etc/passwd to find '{}' in: "
                        "use numeric ids",
                        action.owner));
  }
  // A directory for the current user (WORKDIR) falls back to root where the user is not known, as upstream.
  const auto unknown = action.kind == graph::FileActionKind::mkdir ? UnknownName::is_root : UnknownName::fails;
  return file_owner(action.owner, read_user_files(root), unknown);
}

ApplyResult apply_file_actions(int root, std::span<const graph::FileAction> actions,
                               std::span<const Selection> selections, const ApplyOptions& options) {
  Applier applier(root, options);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const bool copies = actions[i].kind == graph::FileActionKind::copy;
    if (copies && i >= selections.size()) throw Error(ExitClass::internal, "a copy action without a selection");
    applier.apply(actions[i], copies ? &selections[i] : nullptr);
  }
  ApplyResult result = applier.finish();
  // Another action may have written over what one copied.
  if (actions.size() != 1 || actions.front().unpack) result.files.clear();
  return result;
}

}  // namespace mbuild::executor
