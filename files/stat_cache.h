#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/digest.h"

struct stat;

namespace mbuild::executor {

// Tells one version of a file's content from another without reading it.
struct StatKey {
  std::uint64_t dev = 0, ino = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  auto operator<=>(const StatKey&) const = default;
};

StatKey stat_key(const struct stat& status);

// What is known of file contents from earlier builds, asked and told for all files of a question at once. Either
// function may be empty. Both are called from the thread that asks for a digest, never from its helpers, so that a
// database connection of that thread will do.
struct StatCache {
  std::function<std::vector<std::optional<Digest>>(std::span<const StatKey>)> get;  // in the order asked
  std::function<void(const std::vector<std::pair<StatKey, Digest>>&)> put;
};

}  // namespace mbuild::executor
