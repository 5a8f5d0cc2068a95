#include "files/select.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "files/live_file.h"
#include "files/root_path.h"

namespace mbuild::executor {
namespace {

// The source text of an action, taken apart.
struct Source {
  std::vector<std::string> literal;   // components before the first with a wildcard
  std::vector<std::string> wildcard;  // that one and all after it
  std::string include;                // --parents: the pattern below the pivot, without leading slash
  bool required = false;              // --parents: a literal path that must be there
};

std::vector<std::string> clean_parts(std::string_view path) {
  const std::string cleaned = clean_path(fmt::format("/{}", path));
  if (cleaned == "/") return {};
  return split(std::string_view(cleaned).substr(1), '/');
}

Source parse_source(const graph::FileAction& action) {
  Source source;
  std::string path = action.source;
  if (action.parents) {
    const auto pivot = path.find("/./");
    const std::string pattern = pivot == std::string::npos ? path : path.substr(pivot + 3);
    path = pivot == std::string::npos ? "/" : path.substr(0, pivot);
    source.include = join(clean_parts(pattern), "/");
    source.required = !has_wildcard(path) && !has_wildcard(pattern);
  }
  source.literal = clean_parts(path);
  if (action.allow_wildcard) {
    const auto first =
        std::find_if(source.literal.begin(), source.literal.end(), [](const auto& part) { return has_wildcard(part); });
    source.wildcard.assign(first, source.literal.end());
    source.literal.erase(first, source.literal.end());
  }
  return source;
}

// Collects the paths below `directory` that match `parts`, in the order of a sorted walk. Links are not followed.
void expand(const Fd& directory, const std::string& path, std::span<const std::string> parts,
            std::vector<std::string>& hits) {
  for (const auto& name : sorted_names(directory.get())) {
    if (!match_component(parts.front(), name)) continue;
    const std::string below = join_resolved(path, name);
    if (parts.size() == 1) {
      hits.push_back(below);
      continue;
    }
    const Fd next = try_open_resolved(directory.get(), name, O_RDONLY | O_DIRECTORY);
    if (next) expand(next, below, parts.subspan(1), hits);
  }
}

// True when no link that was followed is ignored.
bool links_exist(const Tree& tree, const Resolved& resolved) {
  return tree.ignore == nullptr || std::none_of(resolved.links.begin(), resolved.links.end(),
                                                [&](const auto& link) { return tree.ignore->excludes(link); });
}

std::vector<std::string> wildcard_hits(const Tree& tree, const Source& source, const graph::FileAction& action) {
  const std::string literal = "/" + join(source.literal, "/");
  const Resolved base = resolve_in_root(tree.root, literal);
  if (!base.status || base.blocked || !links_exist(tree, base)) {
    throw Error(ExitClass::step_failed, fmt::format("lstat {}: no such file or directory", literal));
  }
  std::vector<std::string> hits;
  for (const auto& part : source.wildcard) match_component(part, "");  // speaks up about a malformed one
  if (base.is_directory()) expand(open_resolved(tree.root, base.path, O_RDONLY), base.path, source.wildcard, hits);
  if (hits.empty() && !action.allow_empty_wildcard) {
    throw Error(ExitClass::step_failed, fmt::format("{} not found", join_path(literal, join(source.wildcard, "/"))));
  }
  return hits;
}

class Selector {
 public:
  Selector(const Tree& tree, const graph::FileAction& action)
      : tree_(tree),
        action_(action),
        source_(parse_source(action)),
        exclude_(action.exclude),
        include_(include_patterns()) {
    if (!exclude_.empty()) filter_.exclude = &exclude_;
    if (action.parents) {
      filter_.include = &include_;
      filter_.include_pattern = source_.include;
    }
  }

  Selection run() {
    Selection selection{.tree = tree_, .sources = {}};
    selection.tree.seen_ns = wall_clock_ns();
    if (source_.wildcard.empty()) {
      const std::string path = join(source_.literal, "/");
      auto found = take(path);
      if (!found) throw missing();
      selection.sources.push_back(std::move(*found));
    } else {
      for (const auto& hit : wildcard_hits(tree_, source_, action_)) {
        if (auto found = take(hit)) {
          selection.sources.push_back(std::move(*found));
        } else if (is_visible_link(hit)) {
          throw missing_error(tree_, "/" + hit);  // a link that leads nowhere
        }
      }
    }
    check_required(selection);
    return selection;
  }

 private:
  std::vector<std::string> include_patterns() const {
    return source_.include.empty() ? std::vector<std::string>() : std::vector{source_.include};
  }

  std::optional<SelectedSource> take(const std::string& path) const {
    const auto last = action_.follow_symlink ? LastLink::follow : LastLink::keep;
    const Resolved resolved = resolve_in_root(tree_.root, path, last);
    if (!resolved.status || !links_exist(tree_, resolved)) return std::nullopt;
    SelectedSource source{.name = resolved_name(path), .path = resolved.path, .entries = {}};
    source.entries = scan_tree(tree_, resolved.path, filter_);
    if (source.entries.empty()) return std::nullopt;
    for (auto& entry : source.entries) {
      if (!action_.keep_owner) entry.inode.uid = entry.inode.gid = 0;
    }
    return source;
  }

  bool is_visible_link(const std::string& path) const {
    const Resolved resolved = resolve_in_root(tree_.root, path, LastLink::keep);
    return resolved.status && S_ISLNK(resolved.status->st_mode) && action_.follow_symlink &&
           !(tree_.ignore != nullptr && tree_.ignore->excludes(path));
  }

  // The path that must be there, as the user would write it from the root.
  std::string written() const {
    const std::string path = "/" + join(source_.literal, "/");
    return action_.parents ? join_path(path, source_.include) : path;
  }

  Error missing() const {
    if (!source_.required) return missing_error(tree_, action_.parents ? "/" + join(source_.literal, "/") : written());
    Tree tree = tree_;
    tree.missing = Tree::Missing::not_found;  // required paths are checked by content, whatever the tree
    return missing_error(tree, written());
  }

  void check_required(const Selection& selection) const {
    if (!source_.required) return;
    const bool matched = std::any_of(selection.sources.begin(), selection.sources.end(),
                                     [](const auto& source) { return source.entries.size() > 1; });
    if (!matched) throw missing();
  }

  const Tree& tree_;
  const graph::FileAction& action_;
  Source source_;
  frontend::IgnoreMatcher exclude_, include_;
  ScanFilter filter_;
};

}  // namespace

Selection select(const Tree& tree, const graph::FileAction& action) { return Selector(tree, action).run(); }

}  // namespace mbuild::executor
