#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mbuild::executor {

// True where a program that has a native equivalent is asked, by one of its arguments, for something that only the
// program of the emulated platform answers as it should: what it says of its own architecture, what depends on the
// precision of the widest floating-point numbers, what loads libraries of the platform, and files that hold the state
// of the program itself. `name` is the file's ("gzip", "cc1"), without a platform before it ("as").
bool needs_emulation(std::string_view name, const std::vector<std::string>& arguments);

// The same of busybox, by its words with argv[0], which say what it is.
bool needs_emulated_busybox(const std::vector<std::string>& words);

}  // namespace mbuild::executor
