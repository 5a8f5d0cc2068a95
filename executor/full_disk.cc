#include "executor/full_disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/size_text.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_next_to_nothing = 1 << 20;

// Where so much is left, it is another disk that is full.
bool has_space(const FileSystemSpace& space) { return space.free > std::max(k_next_to_nothing, space.size / 100); }

std::uint64_t prunable(const std::string& store_root) {
  try {
    return reclaimable_bytes(store_root);
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

std::optional<FileSystemSpace> full_disk_at(const Error& error, const std::string& store_root) {
  try {
    const auto space = space_around(store_root);
    const bool may_be_hidden = error.exit_class == ExitClass::step_failed || error.exit_class == ExitClass::store;
    if (is_out_of_space(error) || (may_be_hidden && space.free < k_next_to_nothing)) return space;
  } catch (const Error&) {
    // Nothing is known of the disk, then.
  }
  return std::nullopt;
}

void explain_full_disk(Error& error, const FileSystemSpace& left, const std::string& store_root) {
  std::string text =
      fmt::format("The disk of the store {} had {} left of {}", store_root, size_text(left.free), size_text(left.size));
  if (has_space(left)) {
    text += ": what is full is another one, that of the output, or a quota.";
  } else if (const auto bytes = prunable(store_root); bytes > 0) {
    text += fmt::format(": `mbuild prune` would free about {}, and needs no space for that.", size_text(bytes));
  } else {
    text += ": `mbuild prune` would free nothing. Make room on it, or choose another one with --root DIR.";
  }
  error.advice = is_out_of_space(error) || error.advice.empty() ? text : error.advice + " " + text;
}

}  // namespace mbuild::executor
