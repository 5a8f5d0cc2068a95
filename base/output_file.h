#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace mbuild {

// A file that the user names for this program to write to, and what he means by it:
// - A regular file, or a name that is free: gets its content at once with commit(), and before that nothing of it is
//   seen; without commit() nothing is changed. A file that is there keeps its mode and, where that is allowed, its
//   owner. What can't be replaced (in a directory that may not be written to, a mount point) is written to.
// - A symlink: what it leads to, there or not.
// - A pipe, a device, a socket: is opened and written to. A pipe is waited for until somebody reads it.
// - /dev/stdout, /dev/stderr, /dev/fd/N, /proc/self/fd/N: the descriptor that this program was started with.
class OutputFile {
 public:
  // Throws Error (usage for what can't be written to, else store), Cancelled.
  explicit OutputFile(const std::string& path, std::stop_token stop = {}, unsigned mode = 0666);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  int fd() const { return fd_.get(); }
  // A file of its own that can be sought in; else a descriptor that is only written to.
  bool is_file() const { return !target_.empty(); }
  void commit();

 private:
  void open_new(const std::string& path, unsigned mode);
  void keep_attributes() const;
  void link_as(const std::string& path) const;

  std::string target_;     // the name it is to have; "": it is none that comes into being
  std::string temporary_;  // "": it has no name yet
  bool is_new_ = false;    // nothing has that name
  Fd fd_;
};

// True for /dev/stdout, /dev/fd/1 and the like.
bool names_standard_output(const std::string& path);

void write_output(const std::string& path, std::string_view content, std::stop_token stop = {});

}  // namespace mbuild
