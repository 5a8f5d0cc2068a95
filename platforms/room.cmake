# The descriptors (platforms/*.toml) become part of the program: a generated source holds their text.
file(GLOB platform_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/platforms/*.toml)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${platform_files})
set(platform_entries "")
foreach(platform_file IN LISTS platform_files)
  get_filename_component(platform_name ${platform_file} NAME_WLE)
  file(READ ${platform_file} platform_text)
  string(APPEND platform_entries "    {\"${platform_name}\", R\"toml(${platform_text})toml\"},\n")
endforeach()
set(platform_source ${CMAKE_BINARY_DIR}/generated/platform_descriptions.cc)
file(CONFIGURE OUTPUT ${platform_source} @ONLY CONTENT "// Generated from platforms/*.toml by platforms/room.cmake.
#include \"platforms/descriptions.h\"

namespace mbuild::platforms {
namespace {
constexpr Description k_descriptions[] = {
@platform_entries@};
}  // namespace

std::span<const Description> descriptions() { return k_descriptions; }

}  // namespace mbuild::platforms
")
list(APPEND extra ${platform_source})
