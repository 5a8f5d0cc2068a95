#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "cache/store.h"
#include "files/content_digest.h"
#include "files/select.h"
#include "graph/graph.h"

// The directories of the user that a build reads, in place: only what a COPY, ADD or bind mount selects is ever opened.
namespace mbuild::executor {

class Contexts {
 public:
  // The same selection and its digest, made by somebody who may read files that their owner may not (mode 0000).
  using PrivilegedSelect = std::function<std::pair<Selection, Digest>(
      int directory, const std::vector<std::string>& ignore, const graph::FileAction&)>;

  Contexts(cache::Store& store, PrivilegedSelect privileged) : store_(store), privileged_(std::move(privileged)) {}

  // Makes "local://NAME" mean this directory. Throws Error (usage) when it is none.
  void add(const std::string& name, const std::string& directory);
  // The same, but the directory is looked at only when something asks for it: contexts that no stage names need not
  // exist.
  void add_when_used(const std::string& name, const std::string& directory);
  // The directory, in a form that is equal for equal ones; "" where the name means none.
  std::string path_of(const std::string& name) const;
  // The text of a file at the directory's root, if it is there: read_context_file.
  std::optional<std::string> read_file(const std::string& name, const std::string& path);

  struct Selected {
    int directory = -1;  // stays open as long as this object
    Selection selection;
    Digest digest;
  };
  // What a copy action takes from a local source, hashed; unchanged files are known from earlier builds. Equal
  // questions are answered once.
  std::shared_ptr<const Selected> select(const graph::LocalSource& source, const graph::FileAction& action);
  // What is known of it after it was copied: `selection` says what was.
  static std::shared_ptr<const Selected> copied(const Selected& before, Selection selection);
  // The same for what a bind mount of `selector` shows.
  std::shared_ptr<const Selected> shown(const graph::LocalSource& source, const std::string& selector);
  static std::shared_ptr<const Selected> copied_shown(const Selected& before, Selection selection);

 private:
  struct Directory {
    std::string path;
    Fd fd;
  };
  const Directory* find(const std::string& name);
  Tree tree_of(const graph::LocalSource& source);

  cache::Store& store_;
  PrivilegedSelect privileged_;
  std::map<std::string, Directory> directories_;
  std::mutex mutex_;  // held over a selection: parallelism is within it
  std::map<std::vector<std::string>, std::unique_ptr<frontend::IgnoreMatcher>> matchers_;  // by patterns
  std::map<Digest, std::shared_ptr<const Selected>> selected_;
};

}  // namespace mbuild::executor
