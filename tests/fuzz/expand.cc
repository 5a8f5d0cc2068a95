#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerfile/expand.h"

// The first byte chooses the options, the next up to a newline is the value of $V, the rest the word.
namespace {

using namespace mbuild::frontend::dockerfile;

ExpandOptions options_of(std::uint8_t bits) {
  ExpandOptions options;
  options.escape = (bits & 1) != 0 ? '`' : '\\';
  options.raw_quotes = (bits & 2) != 0;
  options.keep_quotes = (bits & 4) != 0;
  options.raw_escapes = (bits & 8) != 0;
  options.skip_unset = (bits & 16) != 0;
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto newline = text.find('\n');
  const std::string value(text.substr(0, newline));
  const auto word = newline == std::string_view::npos ? text : text.substr(newline + 1);
  const auto lookup = [&](std::string_view name) { return name == "V" ? std::optional(value) : std::nullopt; };
  const auto options = options_of(data[0]);
  bool refused = false;
  try {
    expand(word, lookup, options);
  } catch (const mbuild::Error& error) {
    if (error.exit_class != mbuild::ExitClass::usage) std::abort();
    refused = true;
  }
  try {
    for (const auto& each : expand_words(word, lookup, options)) {
      if (each.empty()) std::abort();
    }
    if (refused) std::abort();
  } catch (const mbuild::Error&) {
    if (!refused) std::abort();
  }
  return 0;
}
