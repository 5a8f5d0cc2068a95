#include "executor/sources/contexts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "files/context_file.h"

namespace mbuild::executor {
namespace {

cache::FileStamp stamp_of(const StatKey& key) { return {key.dev, key.ino, key.size, key.mtime_ns, key.ctime_ns}; }

StatCache stat_cache(cache::Store& store) {
  return {.get =
              [&store](std::span<const StatKey> keys) {
                std::vector<cache::FileStamp> stamps;
                for (const auto& key : keys) stamps.push_back(stamp_of(key));
                return store.find_file_digests(stamps);
              },
          .put =
              [&store](const std::vector<std::pair<StatKey, Digest>>& learnt) {
                std::vector<std::pair<cache::FileStamp, Digest>> rows;
                for (const auto& [key, digest] : learnt) rows.emplace_back(stamp_of(key), digest);
                try {
                  store.add_file_digests(rows);
                } catch (const Error&) {
                  // Nothing is lost but time in the next build.
                }
              }};
}

Digest question(const graph::LocalSource& source, const graph::FileAction& action) {
  graph::Node node;
  node.op = graph::SourceOp(source);
  Sha256 hash;
  hash.field(graph::canonical_parameters(node));
  graph::FileAction same = action;  // where it goes does not matter, what lands with it does
  same.input = same.secondary = -1;
  same.output.reset();
  node.op = graph::FileOp{{same}};
  hash.field(graph::canonical_parameters(node));
  return hash.digest();
}

}  // namespace

void Contexts::add(const std::string& name, const std::string& directory) {
  add_when_used(name, directory);
  find(name);
}

void Contexts::add_when_used(const std::string& name, const std::string& directory) {
  directories_[name] = {directory, Fd()};
}

std::string Contexts::path_of(const std::string& name) const {
  const auto found = directories_.find(name);
  if (found == directories_.end()) return "";
  std::error_code none;
  const auto path = std::filesystem::canonical(found->second.path, none);
  return none ? found->second.path : path.string();
}

const Contexts::Directory* Contexts::find(const std::string& name) {
  const auto found = directories_.find(name);
  if (found == directories_.end()) return nullptr;
  auto& directory = found->second;
  if (!directory.fd) {
    directory.fd = Fd(::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.fd) {
      throw Error(ExitClass::usage, fmt::format("failed to get build context {}: path \"{}\" not found or no directory",
                                                name, directory.path));
    }
  }
  return &directory;
}

std::optional<std::string> Contexts::read_file(const std::string& name, const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto* directory = find(name);
  if (directory == nullptr) return std::nullopt;
  return read_context_file(directory->fd.get(), path);
}

Tree Contexts::tree_of(const graph::LocalSource& source) {
  const std::string& name = source.name;
  const auto* directory = find(name);
  if (directory == nullptr) throw Error(ExitClass::internal, "unknown context " + name);
  Tree tree;
  tree.root = directory->fd.get();
  tree.name = name;
  if (const auto& patterns = source.exclude; !patterns.empty()) {
    auto& matcher = matchers_[patterns];
    try {
      if (!matcher) matcher = std::make_unique<frontend::IgnoreMatcher>(patterns);
    } catch (Error& error) {
      throw std::move(error).with_context("failed parsing .dockerignore");
    }
    tree.ignore = matcher.get();
  }
  return tree;
}

std::shared_ptr<const Contexts::Selected> Contexts::select(const graph::LocalSource& source,
                                                           const graph::FileAction& action) {
  const Digest asked = question(source, action);
  const std::lock_guard lock(mutex_);
  auto& known = selected_[asked];
  if (known) return known;
  auto selected = std::make_shared<Selected>();
  const Tree tree = tree_of(source);
  selected->directory = tree.root;
  try {
    selected->selection = executor::select(tree, action);
    selected->digest = selection_digest(selected->selection, stat_cache(store_), core_count());
  } catch (const Error& error) {
    if (error.code == ENOENT && error.advice.empty()) {
      throw Error(error).with_advice(fmt::format(
          "There is no such file in the context {}, or .dockerignore leaves it out.", find(tree.name)->path));
    }
    if (error.code != EACCES || ::geteuid() == 0 || !privileged_) throw;
    std::tie(selected->selection, selected->digest) = privileged_(tree.root, source.exclude, action);
  }
  return known = std::move(selected);
}

std::shared_ptr<const Contexts::Selected> Contexts::copied(const Selected& before, Selection selection) {
  auto now = std::make_shared<Selected>();
  now->directory = before.directory;
  now->selection = std::move(selection);
  now->digest = digest_of_read(now->selection);
  return now;
}

std::shared_ptr<const Contexts::Selected> Contexts::copied_shown(const Selected& before, Selection selection) {
  auto now = std::make_shared<Selected>();
  now->directory = before.directory;
  now->selection = std::move(selection);
  now->digest = digest_of_read_tree(now->selection);
  return now;
}

std::shared_ptr<const Contexts::Selected> Contexts::shown(const graph::LocalSource& source,
                                                          const std::string& selector) {
  const Digest asked = sha256(question(source, {}) + "shown at\n" + selector);
  const std::lock_guard lock(mutex_);
  auto& known = selected_[asked];
  if (known) return known;
  auto selected = std::make_shared<Selected>();
  selected->selection = select_tree(tree_of(source), selector);
  selected->directory = selected->selection.tree.root;
  selected->digest = tree_digest(selected->selection, stat_cache(store_), core_count());
  return known = std::move(selected);
}

}  // namespace mbuild::executor
