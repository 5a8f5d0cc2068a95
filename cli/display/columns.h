#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mbuild::cli {

// How many columns a terminal shows a text in, which is clean (base/clean_text.h) and has one line: East Asian
// characters and emoji take two, combining marks none.
std::size_t columns_of(std::string_view text);
// The beginning of a text that fits into so many columns; what is cut ends with "…" where there is room for it.
std::string fit_columns(std::string_view text, std::size_t columns);

}  // namespace mbuild::cli
