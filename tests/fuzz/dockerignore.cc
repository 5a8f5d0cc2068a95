#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerignore.h"

// The first line is a path, the rest an ignore file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto newline = text.find('\n');
  if (newline == std::string_view::npos) return 0;
  try {
    const mbuild::frontend::IgnoreMatcher matcher(mbuild::frontend::parse_dockerignore(text.substr(newline + 1)));
    const std::string path(text.substr(0, newline));
    const bool excluded = matcher.excludes(path);
    if (excluded && matcher.empty()) std::abort();
    // What is below a directory that may be skipped must be excluded too.
    if (excluded && matcher.can_skip_directory(path) && !matcher.excludes(path + "/x")) std::abort();
  } catch (const mbuild::Error& error) {
    if (error.exit_class != mbuild::ExitClass::usage) std::abort();
  }
  return 0;
}
