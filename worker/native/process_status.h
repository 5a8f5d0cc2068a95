#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mbuild::executor {

// The text of "status" in a process's directory of a procfs. Throws Error where the process has gone.
std::string process_status(int process);
// A hexadecimal number in it; nothing where there is no such field.
std::optional<std::uint64_t> status_field(const std::string& status, std::string_view name);

}  // namespace mbuild::executor
