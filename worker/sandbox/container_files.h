#pragma once

#include <string>

#include "base/fd.h"
#include "layers/inode.h"

// Files of a container that are looked at, read or written from outside.
namespace mbuild::executor {

struct FileOrder {
  enum class Kind { look, read, write };
  Kind kind = Kind::look;
  std::string path;          // in the container; links in it stay in the container
  bool follow = false;       // also one that it ends with
  std::string name;          // read: what the tar calls it; "": what is in the directory alone
  bool alone = false;        // read: without volumes and all else that is mounted in a container that runs
  bool keep_owners = false;  // write: those that the tar has; else all is root's
  image::OwnerMode owners = image::OwnerMode::real;
  Fd data;    // read: where the tar goes. write: a file with a tar, which is unpacked into the directory `path`
  Fd report;  // a socket for the answer of a container that runs: a FileReply (result) or an error
};

struct FileReply {
  bool exists = false, is_directory = false;
  std::string path;  // without links, as far as they were followed; relative to the root
};

// The operation of a request that is sent as that of exec_request.h is: its payload is an encoded FileOrder.
inline constexpr const char* k_files = "files";

// Does what is asked for in an open root directory. Throws Error.
FileReply serve_files(int root, const FileOrder& order);

}  // namespace mbuild::executor
