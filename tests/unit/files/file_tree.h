#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "files/file_actions.h"

namespace mbuild::executor::test {

// A directory that is removed with the object, and what tests ask of it. Paths are relative to it.
class FileTree {
 public:
  FileTree();
  ~FileTree();
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;

  int fd() const { return fd_.get(); }
  std::string host_path(const std::string& path) const { return path_ + "/" + path; }

  // Missing parents are made (0755).
  FileTree& file(const std::string& path, const std::string& content = "x", unsigned mode = 0644);
  FileTree& directory(const std::string& path, unsigned mode = 0755);
  FileTree& link(const std::string& path, const std::string& target);
  FileTree& hard_link(const std::string& path, const std::string& existing);
  FileTree& time(const std::string& path, long seconds, long nanoseconds = 0);
  FileTree& owner(const std::string& path, unsigned uid, unsigned gid);

  // "file 0644 0:0 content", "dir 0755 0:0", "link target", "fifo 0600 0:0", ... or "" when nothing is there.
  std::string at(const std::string& path) const;
  image::Inode inode(const std::string& path) const;
  std::string content(const std::string& path) const;
  bool exists(const std::string& path) const { return !at(path).empty(); }
  // All paths but the root, sorted.
  std::vector<std::string> paths() const;

 private:
  void parents(const std::string& path);

  std::string path_;
  Fd fd_;
};

// Owners are real when the tests run as root, and kept in attributes otherwise.
image::OwnerMode owner_mode();

Tree context(const FileTree& tree);
Tree snapshot(const FileTree& tree);

// COPY source destination, as lowered from a Dockerfile.
graph::FileAction copy_action(const std::string& source, const std::string& destination);

std::vector<std::string> list_of(const std::set<std::string>& paths);
// Selects and applies one action; returns the paths it reports.
std::vector<std::string> apply(const FileTree& root, const Tree& source, const graph::FileAction& action);
std::vector<std::string> apply(const FileTree& root, const graph::FileAction& action);

// The message of the Error that `work` throws, or "".
template <typename Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace mbuild::executor::test
