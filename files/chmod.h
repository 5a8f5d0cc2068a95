#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mbuild::executor {

// A parsed --chmod value.
struct ModeChange {
  // One elementary change of the symbolic form.
  struct Step {
    enum class Kind { set, clear, set_executable, copy } kind = Kind::set;
    std::uint32_t bits = 0;        // set, clear, set_executable (of directories and what is executable already)
    std::uint32_t from_shift = 0;  // copy: 6, 3 or 0, the class read
    std::uint32_t to = 0;          // copy: mask of 0700, 070, 07, the classes written
    char operation = '=';          // copy: + - =
    bool operator==(const Step&) const = default;
  };

  std::optional<std::uint32_t> octal;
  std::vector<Step> steps;  // when not octal
  bool operator==(const ModeChange&) const = default;
};

// Octal up to 07777, or a symbolic list ("u+x,go-w,a=rX") on which no umask acts. Throws Error (usage).
ModeChange parse_mode(std::string_view text);
// The 07777 bits of a file that had `mode`.
std::uint32_t changed_mode(const ModeChange& change, std::uint32_t mode, bool is_directory);

}  // namespace mbuild::executor
