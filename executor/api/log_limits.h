#pragma once

#include <cstdint>

namespace mbuild::executor {

// How much of what a step writes is shown. 0: without a bound.
struct LogLimits {
  std::uint64_t size = std::uint64_t{2} << 20;     // bytes
  std::uint64_t speed = std::uint64_t{200} << 10;  // bytes a second, over the time that the step takes
};

}  // namespace mbuild::executor
