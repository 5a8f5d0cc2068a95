#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "files/chmod.h"
#include "files/owner.h"
#include "files/root_path.h"
#include "files/select.h"
#include "files/write_record.h"

namespace mbuild::executor {

// How copied and made files look.
struct CopyRules {
  std::optional<Owner> owner;  // none: that of the source; 0:0 for what is made
  std::optional<ModeChange> mode;
  std::optional<std::int64_t> timestamp;  // seconds: mtime of directories that are made on the way
  bool contents_only = true;              // a directory source gives its contents
  bool operator==(const CopyRules&) const = default;
};

// The digests of files' contents, sorted by path.
using ListedContents = std::vector<std::pair<std::string, Digest>>;

// A layer that an earlier run of the same step made.
struct OlderLayer {
  int directory = -1;
  ListedContents contents;  // of its regular files; what is here has no extended attributes
};

// Where a Copier writes. `upper` is the upper directory when `root` is an overlay: what is below a directory that was
// just made has nothing under it, and is written there directly, at half the cost. From `older` files that would come
// out the same are taken as hard links: layers never change.
struct CopyTarget {
  int root = -1;
  int upper = -1;
  const OlderLayer* older = nullptr;
};

// An entry of a selection that was not as it had been selected when it was copied, and what was copied instead;
// nothing: the name was gone.
struct ReadAnew {
  const TreeEntry* entry = nullptr;
  std::optional<TreeEntry> now;
};

// Copies selected sources into a root directory. Directories, links and special files are made at once; contents of
// files are queued and written on several threads by flush().
class Copier {
 public:
  Copier(const CopyTarget& target, WriteRecord& record, image::OwnerMode owners, unsigned threads,
         std::stop_token stop);

  // Copies one source to `destination` (as written, absolute; "/" or "/." at its end means "into"). The source has to
  // be there until flush() has been called.
  void copy(const Tree& tree, const SelectedSource& source, std::string_view destination, const CopyRules& rules);
  // mkdir -p of a path that has been resolved. Throws Error (step_failed) when a file is in the way.
  void make_directories(const Resolved& resolved, const CopyRules& rules);
  // Writes what is queued. To be called before anything else looks at the root.
  void flush();
  // What the copies found changed, so far.
  std::vector<ReadAnew> take_read_anew() { return std::move(read_anew_); }

 private:
  struct File {
    std::string source_name, name;
    const TreeEntry* entry = nullptr;
  };
  // Files of one source directory that go into one directory.
  struct Group {
    Tree tree;
    CopyRules rules;
    std::string source_directory, directory;
    int root = -1;  // in which `directory` is written
    std::vector<File> files;
  };
  // Another name of a file that is queued.
  struct Link {
    std::string existing;              // path of the first name
    const TreeEntry* first = nullptr;  // and its entry
    Group alone;                       // how this name is copied when the first is another file meanwhile
  };
  struct Level;
  struct Job;

  void prepare_parents(std::string_view destination, const CopyRules& rules);
  void copy_tree(Job& job);
  void enter_directory(Job& job, std::vector<Level>& levels, const TreeEntry& entry);
  void place(Job& job, const Level& level, const TreeEntry& entry, const std::string& name);
  void make_way(const Level& level, const std::string& name, const std::string& path);
  void enqueue(Job& job, const Level& level, const TreeEntry& entry, const std::string& name);
  Group group_of(const Job& job, const Level& level, const std::string& source) const;
  void make_links();
  void write_group(const Group& group);
  void write_file(const Group& group, const File& file, const image::Inode& inode, int source, int destination);
  void write_live_file(const Group& group, const File& file, int source, int destination, const Fd& out);
  void note(const TreeEntry& entry, const std::string& path, std::optional<TreeEntry> now);
  bool link_older(const File& file, const image::Inode& wanted, int older, const std::string& path,
                  int destination) const;
  bool is_alike(int older, const std::string& name, const image::Inode& wanted) const;
  void check_stop() const;

  CopyTarget target_;
  int root_;
  WriteRecord& record_;
  image::OwnerMode owners_;
  unsigned threads_;
  std::stop_token stop_;
  std::vector<Group> groups_;
  std::vector<Link> links_;
  std::unordered_set<std::string> queued_;  // paths that flush() will make
  std::mutex mutex_;                        // of what several threads write while flush() runs: the record, and this
  std::vector<ReadAnew> read_anew_;
};

// What a copied file looks like.
image::Inode landed_inode(const image::Inode& source, const CopyRules& rules);

}  // namespace mbuild::executor
