#include "bake/compose/interpolation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace mbuild::bake::compose {
namespace {

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

std::string_view name_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  if (end < text.size() && begins_name(text[end])) {
    while (end < text.size() && continues_name(text[end])) ++end;
  }
  return text.substr(at, end - at);
}

[[noreturn]] void refuse(std::string_view text) {
  throw usage_error(fmt::format("invalid interpolation format: \"{}\"", text))
      .with_advice("A variable is $NAME or ${NAME}; write $$ for a dollar sign.");
}

// The place of the brace that closes the one before `at`.
std::size_t closing_brace(std::string_view text, std::size_t at) {
  int depth = 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '{' && text[at - 1] == '$') ++depth;
    if (text[at] == '}' && --depth == 0) return at;
  }
  refuse(text);
}

// What is within the braces: NAME, or NAME, an operator and a text.
std::string expression(std::string_view inside, const Lookup& lookup) {
  const std::string name(name_at(inside, 0));
  if (name.empty()) refuse(inside);
  const auto value = lookup(name);
  auto rest = inside.substr(name.size());
  if (rest.empty()) return value.value_or("");
  const bool empty_counts_as_unset = rest.starts_with(':');
  if (empty_counts_as_unset) rest.remove_prefix(1);
  if (rest.empty()) refuse(inside);
  const bool is_set = value && !(empty_counts_as_unset && value->empty());
  const char op = rest[0];
  rest.remove_prefix(1);
  if (op == '-') return is_set ? *value : interpolate(rest, lookup);
  if (op == '+') return is_set ? interpolate(rest, lookup) : "";
  if (op != '?') refuse(inside);
  if (is_set) return *value;
  throw usage_error(fmt::format("required variable {} is missing a value: {}", name, interpolate(rest, lookup)));
}

}  // namespace

std::string interpolate(std::string_view text, const Lookup& lookup) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto dollar = std::min(text.find('$', at), text.size());
    result += text.substr(at, dollar - at);
    if (dollar == text.size()) break;
    at = dollar + 1;
    if (text.substr(at).starts_with('$')) {
      result += '$';
      ++at;
    } else if (text.substr(at).starts_with('{')) {
      const auto end = closing_brace(text, at + 1);
      result += expression(text.substr(at + 1, end - at - 1), lookup);
      at = end + 1;
    } else {
      const std::string name(name_at(text, at));
      result += name.empty() ? "$" : lookup(name).value_or("");
      at += name.size();
    }
  }
  return result;
}

}  // namespace mbuild::bake::compose
