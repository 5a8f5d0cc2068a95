#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/parallel.h"
#include "files/content_digest.h"
#include "files/destination_probe.h"
#include "files/file_actions.h"
#include "files/live_file.h"
#include "worker/jobs/work_directory.h"
#include "worker/snapshot/snapshot_merge.h"

// COPY, ADD, WORKDIR: the actions of a file step over a snapshot.
//
// They are applied to a writable overlay of the snapshot, whose upper directory becomes the layer. Directories that
// overlay copied up on the way to what an action made are the layer's implied directories: they are there, with the
// metadata that this base happens to have, but no entries of the layer.
namespace mbuild::executor::jobs {
namespace {

// The selections of all actions; those of snapshots are made here, under a mount each, the others are taken out of the
// request.
std::vector<Selection> select_sources(FilesRequest& request, const std::string& scratch) {
  std::vector<Selection> selections;
  for (std::size_t i = 0; i < request.sources.size(); ++i) {
    auto& source = request.sources[i];
    Selection selection;
    if (source.stack) {
      Tree tree;
      tree.root = readable_root(*source.stack, fmt::format("{}/source-{}", scratch, i), request.work);
      tree.kind = Tree::Kind::snapshot;
      tree.missing = Tree::Missing::lstat;
      tree.owners = request.owners;
      selection = select(tree, request.actions[i]);
    } else if (source.directory) {
      selection = std::move(source.selection.own.value());
      selection.tree.root = source.directory.get();
    }
    selections.push_back(std::move(selection));
  }
  return selections;
}

std::vector<std::string> implied_directories(const std::set<std::string>& made) {
  std::set<std::string> implied;
  for (const auto& path : made) {
    for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
      const std::string parent = path.substr(0, slash);
      if (made.contains(parent) || !implied.insert(parent).second) break;
      if (slash == 0) break;
    }
  }
  return {implied.begin(), implied.end()};
}

// The list of contents beside a layer: a digest, path and digest of each file that has one name and no extended
// attributes. A list that is not what it was when it was written counts for nothing.
Digest digest_of_list(std::string_view list) {
  Sha256 hash;
  hash.update("contents 3\n");
  hash.update(list);
  return hash.digest();
}

// Whether there is one is no matter but of time.
void write_contents(const std::string& path, const image::KnownFiles& files) {
  ListedContents contents;
  for (const auto& [name, file] : files) {
    if (file.inode.link_count == 1) contents.emplace_back(name, file.content);
  }
  const std::string list = encode(contents);
  try {
    write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600).get(), digest_of_list(list) + list);
  } catch (const Error&) {
    std::error_code none;
    std::filesystem::remove_all(path, none);
  }
}

ListedContents read_contents(const std::string& path) {
  const std::string text = read_file(path);
  const std::size_t size = digest_of_list("").size();
  if (text.size() < size) return {};
  const auto list = std::string_view(text).substr(size);
  if (!text.starts_with(digest_of_list(list))) return {};
  return decode<ListedContents>(list);
}

struct Older {
  Fd directory;
  OlderLayer layer;
};

std::optional<Older> open_older(const FilesRequest& request) {
  if (request.older_path.empty()) return std::nullopt;
  try {
    Older out{.directory = open_file(request.older_path, O_RDONLY | O_DIRECTORY), .layer = {}};
    out.layer = {.directory = out.directory.get(), .contents = read_contents(request.older_contents)};
    return out;
  } catch (const Error&) {
    return std::nullopt;  // it is gone, or has no list: then all files are copied
  }
}

// Leaves the contents that were read in the selections.
ProbeReply probe(int base, const FilesRequest& request, std::vector<Selection>& selections) {
  ProbeReply reply;
  for (std::size_t i = 0; i < request.sources.size(); ++i) {
    reply.selections.push_back(request.sources[i].stack ? selection_digest(selections[i], {}, core_count()) : Digest());
  }
  const auto probe = destination_probe(base, request.actions, selections, request.owners);
  reply.digest = probe.digest;
  reply.complete = probe.complete;
  return reply;
}

// ---- what has changed since it was selected

// Files of the user that an action unpacks are read more than once and at leisure. Those that may have changed (all of
// them, when one did while it was read) are copied, and the copies read instead.
class OwnCopies {
 public:
  OwnCopies(const FilesRequest& request, std::vector<Selection>& selections) : request_(request) {
    make(selections, false);
  }
  void make(std::vector<Selection>& selections, bool all) {
    for (std::size_t i = 0; i < selections.size(); ++i) {
      const bool unpacks = request_.actions[i].unpack && request_.sources[i].directory;
      if (unpacks) take(selections[i], all, i);
    }
  }
  // The actions whose files turned out to be others.
  const std::set<std::size_t>& changed() const { return changed_; }

 private:
  void take(Selection& selection, bool all, std::size_t action) {
    std::set<const TreeEntry*> gone;
    for (auto& source : selection.sources) {
      TreeEntry& entry = source.entries.front();
      if (entry.inode.type != image::FileType::regular || entry.inode.size == 0) continue;
      if (source.own_copy.value >= 0 || (!all && !may_have_changed(selection.tree, source))) continue;
      Fd file = open_file(request_.work, O_TMPFILE | O_RDWR, 0600);
      auto now = copy_live_file(selection.tree.root, source.path, entry, file.get(), source.path);
      if (!now || !is_same_to_a_copy(entry, *now)) changed_.insert(action);
      if (!now) {
        gone.insert(&entry);
        continue;
      }
      entry = std::move(*now);
      source.own_copy.value = file.get();
      files_.push_back(std::move(file));
    }
    leave_out(selection, gone);
  }

  const FilesRequest& request_;
  std::vector<Fd> files_;
  std::set<std::size_t> changed_;
};

// Brings the selections up to date, and returns those that are not what was asked for.
std::vector<NewSelection> new_selections(std::vector<Selection>& selections, std::vector<ReadAnew>&& read_anew,
                                         std::set<std::size_t> changed) {
  std::map<const TreeEntry*, std::optional<TreeEntry>> now;
  for (auto& anew : read_anew) now[anew.entry] = std::move(anew.now);
  std::vector<NewSelection> out;
  for (std::size_t i = 0; i < selections.size(); ++i) {
    std::set<const TreeEntry*> gone;
    for (auto& source : selections[i].sources) {
      for (auto& entry : source.entries) {
        const auto found = now.find(&entry);
        if (found == now.end()) continue;
        changed.insert(i);
        if (found->second) {
          entry = std::move(*found->second);
        } else {
          gone.insert(&entry);
        }
      }
    }
    leave_out(selections[i], gone);
    if (changed.contains(i)) out.push_back({.action = i, .selection = std::move(selections[i])});
  }
  return out;
}

// False when names went or became something else: then the probe was of others.
bool same_names(const std::vector<ReadAnew>& read_anew) {
  return std::ranges::all_of(
      read_anew, [](const auto& anew) { return anew.now && anew.now->inode.type == anew.entry->inode.type; });
}

// ---- the layer

// What the actions are applied to.
struct Root {
  Fd directory;
  int upper = -1;      // the upper directory, as CopyTarget has it
  std::string merged;  // the directory where nothing could be mounted, else ""
};

Root open_base(const FilesRequest& request, const std::string& scratch, const std::string& upper, const Fd& layer) {
  if (request.base.layers.empty()) return {.directory = duplicate(layer.get()), .upper = layer.get(), .merged = {}};
  try {
    const Fd mount =
        mount_snapshot_writable(request.base, {}, scratch, upper, make_work_directory(request.work, "work"));
    return {.directory = open_root(mount), .upper = layer.get(), .merged = {}};
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::host) throw;
  }
  Root root{.directory = {}, .upper = -1, .merged = make_work_directory(request.work, "merged-" + random_hex(4))};
  merge_snapshot(request.base, root.merged);
  root.directory = open_file(root.merged, O_RDONLY | O_DIRECTORY);
  return root;
}

// `probed`, if it is wanted: what is found before anything is changed.
ProbedLayer apply_once(const FilesRequest& request, std::vector<Selection>& selections, const OwnCopies& copies,
                       const std::string& scratch, bool probed) {
  const std::string upper = make_work_directory(request.work, "upper");
  ProbedLayer reply;
  ApplyResult applied;
  {
    const Fd upper_directory = open_file(upper, O_RDONLY | O_DIRECTORY);
    const Root root = open_base(request, scratch, upper, upper_directory);
    if (probed || !copies.changed().empty()) reply.probe = probe(root.directory.get(), request, selections);
    const auto older = open_older(request);
    applied = apply_file_actions(root.directory.get(), request.actions, selections,
                                 {.owners = request.owners,
                                  .threads = core_count(),
                                  .stop = {},
                                  .upper = root.upper,
                                  .older = older ? &older->layer : nullptr});
    if (!root.merged.empty()) move_changes(root.merged, applied.paths, upper);
  }
  if (!same_names(applied.read_anew)) reply.probe.digest.clear();
  auto read_anew = new_selections(selections, std::move(applied.read_anew), copies.changed());
  if (!request.contents_path.empty() && !applied.files.empty()) {
    write_contents(request.contents_path, applied.files);
  }
  reply.layer =
      commit_layer(upper, request.final_path, implied_directories(applied.paths), request.owners, applied.files);
  reply.layer.read_anew = std::move(read_anew);
  return reply;
}

ProbedLayer apply(FilesRequest request, bool probed) {
  const std::string scratch = make_scratch(request.work);
  auto selections = select_sources(request, scratch);
  OwnCopies copies(request, selections);
  try {
    return apply_once(request, selections, copies, scratch, probed);
  } catch (const ArchiveChanged&) {
    copies.make(selections, true);
    request.work = make_work_directory(request.work, "again");
    return apply_once(request, selections, copies, make_work_directory(scratch, "again"), probed);
  }
}

}  // namespace

ProbeReply probe_files_job(FilesRequest request) {
  const std::string scratch = make_scratch(request.work);
  const int base = readable_root(request.base, scratch + "/base", request.work);
  auto selections = select_sources(request, scratch);
  const OwnCopies copies(request, selections);
  return probe(base, request, selections);
}

ProbedLayer apply_files_job(FilesRequest request) { return apply(std::move(request), false); }

ProbedLayer probe_and_apply_files_job(FilesRequest request) { return apply(std::move(request), true); }

SelectReply select_files_job(SelectRequest request) {
  const frontend::IgnoreMatcher ignore(request.ignore);
  Tree tree;
  tree.root = request.directory.get();
  if (!request.ignore.empty()) tree.ignore = &ignore;
  SelectReply reply;
  reply.selection = select(tree, request.action);
  reply.digest = selection_digest(reply.selection, {}, core_count());
  return reply;
}

Digest digest_tree_job(DigestRequest request) {
  Tree tree;
  tree.root = readable_root(request.stack, make_scratch(request.work) + "/base", request.work);
  tree.kind = Tree::Kind::snapshot;
  tree.owners = request.owners;
  auto shown = select_tree(tree, request.selector);
  return tree_digest(shown, {}, core_count());
}

}  // namespace mbuild::executor::jobs
