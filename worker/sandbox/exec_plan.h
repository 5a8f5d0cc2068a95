#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the kernel would do with a program of a foreign platform, had it a handler for it (binfmt_misc).
namespace mbuild::executor {

// Programs that begin with the magic, but for bits that the mask does not have, run under `path`, a QEMU that stands
// alone. Both are raw bytes of the same length.
struct Emulator {
  std::string magic, mask, path;
};

struct ExecPlan {
  std::size_t emulator = 0;       // its number
  std::vector<std::string> head;  // what argv[0] is replaced by
};

// The emulator for a file that begins like this; nothing: none of them.
std::optional<std::size_t> emulator_for(const std::vector<Emulator>& emulators, std::string_view start);

// `argv0` executes `path`, of which the kernel says that it is of no format that it knows. `start_of` gives the first
// 256 bytes of a file, nothing where it can't be read. Interpreters of scripts are followed as deep as the kernel does.
// Nothing: the kernel is right.
std::optional<ExecPlan> plan_exec(const std::vector<Emulator>& emulators, std::string path, std::string argv0,
                                  const std::function<std::optional<std::string>(const std::string&)>& start_of);

}  // namespace mbuild::executor
