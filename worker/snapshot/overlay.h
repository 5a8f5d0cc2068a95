#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

namespace mbuild::executor {

inline constexpr std::size_t k_max_lowers = 100;

// A detached overlay mount (design, section 6: userxattr, volatile where there is an upper, redirect_dir=nofollow,
// metacopy, index and xino off). `upper` and `work` are on one file system, `work` is empty; both "" for a read-only
// mount. One lower alone, read-only, is a clone of its own tree. Throws Error (store or host); more than k_max_lowers
// is an internal error. Must be called where mounts may be made: in a job of the inner process.
Fd mount_overlay(const std::vector<std::string>& lower_top_first, const std::string& upper, const std::string& work,
                 bool read_only);

}  // namespace mbuild::executor
