#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platforms/platform.h"

// Before a step starts, emu reads what it is about to execute: the kernel answers a program of another architecture,
// a missing loader and a missing script interpreter with "exec format error" or "no such file or directory", of which
// neither says what is wrong.
namespace mbuild::emu {

struct Problem {
  enum class Kind { wrong_architecture, loader_missing, interpreter_missing, not_a_program };

  Kind kind = Kind::not_a_program;
  std::string path;     // in the root: the file at fault
  std::string found;    // platform of the file, for wrong_architecture: "linux/amd64"; "" when it has no name
  std::string message;  // a sentence without a full stop
  std::string advice;
};

// Examines what execvp(argv0) would execute in the tree below root_fd: `path` is the value of PATH, `cwd` absolute in
// the tree. Links and scripts are followed. Nothing is reported for a file that is not found or not executable: the
// sandbox does that. Only what the tree itself holds is seen, so call it where mounts are in place. Never throws for
// what the tree contains; 0.1 ms.
std::optional<Problem> check_executable(int root_fd, const std::string& argv0, std::string_view path,
                                        const std::string& cwd, const platforms::Platform& platform);

}  // namespace mbuild::emu
