#include "frontend/dockerfile/directives.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {

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
  auto rest = trim(text.substr(end));
  if (!rest.starts_with('=')) return std::nullopt;
  rest = trim(rest.substr(1));
  if (rest.empty()) return std::nullopt;
  return Directive{name, std::string(rest)};
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
