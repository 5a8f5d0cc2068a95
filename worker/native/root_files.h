#pragma once

#include <string>

#include "base/fd.h"

// Files of root directories that a step may have filled: nothing but regular files of a sane size is read.
namespace mbuild::executor {

// The regular file at a resolved path; empty where there is none, or one of more than 256 MiB.
Fd open_sane(int root, const std::string& path);
// Its content, "" where there is none.
std::string read_sane(int root, const std::string& path);

}  // namespace mbuild::executor
