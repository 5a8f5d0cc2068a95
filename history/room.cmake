# The page of a report becomes part of the program. String literals have a bound, so the text is in several.
set(page_file ${CMAKE_SOURCE_DIR}/history/page.html)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page_file})
file(READ ${page_file} page_text)
string(LENGTH "${page_text}" page_length)
set(page_pieces "")
set(page_at 0)
while(page_at LESS page_length)
  string(SUBSTRING "${page_text}" ${page_at} 8000 page_piece)
  string(APPEND page_pieces "    R\"page(${page_piece})page\"\n")
  math(EXPR page_at "${page_at} + 8000")
endwhile()
set(page_source ${CMAKE_BINARY_DIR}/generated/history_page.cc)
file(CONFIGURE OUTPUT ${page_source} @ONLY CONTENT "// Generated from history/page.html by history/room.cmake.
#include \"history/page.h\"

namespace mbuild::history {

std::string_view page_template() {
  static constexpr char k_page[] =
@page_pieces@;
  return {k_page, sizeof(k_page) - 1};
}

}  // namespace mbuild::history
")
list(APPEND extra ${page_source})
