#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mbuild::executor {

// Programs of the host's platform, with the loader and the libraries that they need, in a directory that a sandbox sees
// at MBUILD_ACCEL_PLACE (emu/accel/piece/protocol.h). They run under their own loader and libraries wherever they are
// executed from: the path of the loader in each copy, and that of the loader's cache in its own, lead there.
//
// All come from one root file system. Files in the directory have numbers for names but for programs, whose names are
// seen in /proc: a search of the file system finds nothing that looks like a library. Only musl's loader, which has no
// cache, needs the names of libraries, and has the path of their directory in the place of its own paths.
class NativeSet {
 public:
  // `root` is an open root directory of the host's platform. Several sets can share a directory: each has a `part` of
  // its own ("" or one letter), and numbers from `first` on.
  NativeSet(std::string directory, Fd root, std::string part = "", std::uint64_t first = 0);

  using Edit = std::function<std::string(std::string bytes)>;
  // The number of the program at a resolved path of the root, copied when it is first asked for, and changed by `edit`
  // where there is one. Throws Error where it can't be had: no program of the host's, a loader that is neither glibc's
  // nor musl's, a library that is missing.
  std::uint64_t add(const std::string& path, const Edit& edit = {});
  // Has a library of the root at `name` of the directory that the sandbox sees. Throws Error.
  void add_library(const std::string& path, const std::string& name);
  // Whether the program asks for conversions of character sets of its own accord, and not for messages alone.
  bool converts(std::uint64_t number) const { return converting_.contains(number); }
  // Has the conversions of the root (gconv/*.so) where the copies of its libc look for them. They are some megabytes.
  void add_conversions();
  // Has the library by which libc looks users and groups up in a service of nsswitch.conf ("compat"). False where the
  // root has none.
  bool add_service(const std::string& service);
  // Whether the root's libc has "files" and "dns" itself (glibc 2.34 and newer), whatever libraries are there.
  bool has_own_services() const { return has_own_services_; }
  // Whether the library of apt that a program of the set has lets itself be told of an architecture (architecture.h).
  bool apt_takes_architecture() const { return apt_takes_architecture_; }
  // Whether its programs can be brought back to another root directory: by a library that musl's loader runs as others.
  bool has_way_back() const { return !is_musl_; }
  // Lets a program be executed by another name, too. False where there are too many.
  bool name(std::uint64_t number, const std::string& name);

  int root() const { return root_.get(); }

 private:
  void take_loader(const std::string& interpreter);
  void take_libraries(const std::vector<std::string>& names, const std::string& run_path, const std::string& origin);
  std::string with_own_conversions(std::string libc);
  std::string find_library(const std::string& name, const std::string& run_path, const std::string& origin) const;
  void write_cache();

  std::string directory_;
  std::string own_, shown_;  // where loader and libraries are: here, and in the sandbox
  std::uint64_t first_;
  Fd root_;
  std::string conversions_;  // where libc looks for conversions: their directory in the root; "": not known
  bool has_conversions_ = false, has_own_services_ = false, apt_takes_architecture_ = false;
  std::set<std::uint64_t> converting_;
  std::map<std::string, bool> services_;
  std::string loader_;  // its path in the root; "": not taken yet
  bool is_musl_ = false;
  std::map<std::string, std::string> libraries_;   // name -> path in the sandbox
  std::map<std::string, std::uint64_t> programs_;  // path in the root -> number
  std::size_t names_ = 0;
};

}  // namespace mbuild::executor
