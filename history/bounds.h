#pragma once

#include <chrono>
#include <cstddef>

namespace mbuild::history {

// How many records of past builds are kept, and for how long. No entries: none is written.
struct Bounds {
  std::size_t entries = 100;
  std::chrono::seconds age{30L * 24 * 60 * 60};
};

}  // namespace mbuild::history
