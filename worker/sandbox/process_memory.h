#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace mbuild::executor {

// A string in the memory of another process, of at most PATH_MAX bytes; nothing where there is none.
std::optional<std::string> read_string(pid_t pid, std::uint64_t address);
// False where not all of it is mapped.
bool read_memory(pid_t pid, std::uint64_t address, void* out, std::size_t size);

}  // namespace mbuild::executor
