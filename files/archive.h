#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "files/owner.h"
#include "files/write_record.h"

namespace mbuild::executor {

// True when the open file is a tar archive with at least one entry, plain or compressed with gzip, bzip2, xz or zstd:
// what ADD unpacks. The file is read from its start.
bool is_archive(int fd);

// Whether the open file begins as one of these compressions does; false where it can't be read from its start.
bool is_compressed(int fd);

struct ArchiveName {
  std::string path;       // as it lands, relative to the directory that is unpacked into; "" is that directory
  bool is_link = false;   // a symbolic link
  std::string hard_link;  // the path it is a hard link to, or ""
};

// Names of the entries, in order. Throws Error (step_failed) for a broken archive.
std::vector<ArchiveName> archive_names(int fd);

struct UnpackRules {
  std::optional<Owner> owner;             // none: the numeric owners in the archive
  std::optional<std::int64_t> timestamp;  // mtime of directories that the archive needs and does not list
  image::OwnerMode owners = image::OwnerMode::real;
  std::stop_token stop;
  bool keep_kinds = false;   // an Error (usage) where a directory would replace what is none, or the other way round
  bool pipes = false;        // a pipe is made as one; else it becomes an empty file
  bool drop_setuid = false;  // of files: they come from somebody who is not to get their owner's rights
};

// Unpacks into the directory `root`, whose resolved path in the record is `prefix`. Links met on the way are resolved
// inside `root`. An entry replaces what is in its place, a whole directory, too, but directories merge. Throws Error
// (step_failed) for a broken archive.
void unpack_archive(int fd, int root, const std::string& prefix, const UnpackRules& rules, WriteRecord& record);

}  // namespace mbuild::executor
