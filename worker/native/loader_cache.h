#pragma once

#include <map>
#include <string>

namespace mbuild::executor {

// A file that leads the dynamic loader of glibc from the names of libraries (SONAME) to their paths, as
// /etc/ld.so.cache does ("glibc-ld.so.cache1.1", glibc: sysdeps/generic/dl-cache.h), for programs of this host.
std::string loader_cache(const std::map<std::string, std::string>& libraries);

}  // namespace mbuild::executor
