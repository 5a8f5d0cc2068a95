#include "base/size_text.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>

namespace mbuild {

std::string size_text(std::uint64_t bytes) {
  constexpr const char* k_units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(k_units); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.4g}{}", value, k_units[unit]);
}

}  // namespace mbuild
