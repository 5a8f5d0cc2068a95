#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

// What dpkg's database says of the files of a root directory (deb(5), dpkg(1): /var/lib/dpkg/status and
// info/*.md5sums), or that of Alpine's apk (lib/apk/db/installed).
namespace mbuild::executor {

struct PackagedFile {
  std::string package, version;
  bool operator==(const PackagedFile&) const = default;
};

// The package that a program may come from to have a native equivalent ("native programs", docs/emulation.md), by the
// program's resolved path ("usr/bin/gzip"); nothing where no such package has the file, or the file is not as the
// package brought it. `root` is an open directory. A database that is not there or is damaged knows nothing.
std::optional<PackagedFile> substitutable(int root, const std::string& path);

// The file at the resolved path as the package brought it; nothing where it is of another, or was changed.
std::optional<PackagedFile> as_packaged(int root, const std::string& path, std::string_view package);

// By dpkg: the version, or another field ("Architecture"), of an installed package, "" where it is not installed;
// whether there is a database at all.
std::string installed_version(int root, std::string_view package);
std::string installed_field(int root, std::string_view package, std::string_view name);
bool has_package_database(int root);
// The file of dpkg's database, or of apk's, that each installation changes, to be looked at (O_PATH); none: no file.
Fd open_package_database(int root);

// True where the file at the resolved path is that of this very package and version, as it was brought.
bool is_as_packaged(int root, const std::string& path, const PackagedFile& expected);

}  // namespace mbuild::executor
