#include "frontend/dockerfile/directives.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

// Around the "=" other white space is no blank.
constexpr std::string_view k_blanks = " \t\n\f\r";

// A value of nothing but blanks is the last of them.
std::string_view trim_value(std::string_view text) {
  const auto value = trim(text, k_blanks);
  return value.empty() && !text.empty() ? text.substr(text.size() - 1) : value;
}

}  // namespace

std::optional<Directive> parse_directive(std::string_view text) {
  text = trim_left(text);
  std::size_t end = 0;
  while (end < text.size() && text[end] != '_' && static_cast<unsigned char>(text[end]) < 0x80 &&
         is_name_char(text, end)) {
    ++end;
  }
  if (end == 0 || is_digit(text[0])) return std::nullopt;
  const auto name = to_lower(text.substr(0, end));
  if (name != "syntax" && name != "escape" && name != "check") return std::nullopt;
  const auto rest = trim(text.substr(end), k_blanks);
  const auto equals = text.find('=', end);
  if (!rest.starts_with('=') || equals + 1 == text.size()) return std::nullopt;
  return Directive{name, std::string(trim_value(text.substr(equals + 1)))};
}

std::optional<Directive> DirectiveScanner::next(std::string_view line) {
  if (done_) return std::nullopt;
  auto directive = line.starts_with('#') ? parse_directive(line.substr(1)) : std::nullopt;
  if (!directive) {
    done_ = true;
    return std::nullopt;
  }
  if (!seen_.insert(directive->name).second) {
    throw Error(ExitClass::usage, fmt::format("only one {} parser directive can be used", directive->name));
  }
  return directive;
}

}  // namespace mbuild::frontend::dockerfile
