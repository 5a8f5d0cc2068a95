#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The text of a definition file, and places in it.
namespace mbuild::bake::hcl {

struct Source {
  std::string name;  // as it is shown to the user
  std::string text;
};

// Bytes [begin, end) of a source, which has to outlive the range. A null source: no place is known.
struct Range {
  const Source* source = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct Position {
  int line = 1;
  int column = 1;  // in characters as a reader counts them (grapheme clusters), from 1
};

Position position_of(const Source& source, std::size_t offset);
// From the beginning of the first to the end of the second.
Range join(const Range& first, const Range& second);
// "FILE:L,C-C" or "FILE:L,C-L,C".
std::string describe(const Range& range);
// The lines of the range, marked, with two of context around.
std::string excerpt(const Range& range);

}  // namespace mbuild::bake::hcl
