#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "bake/hcl/functions/table.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::int64_t k_indent_limit = 1'000'000;

// A function of one string.
template <typename Map>
void define_map(Table& table, std::string_view name, Map map) {
  define(table, name, {text("str")}, [map](Arguments arguments) { return text_value(map(as_string(arguments[0]))); });
}

bool contains_code_point(std::string_view set, std::int32_t code_point) {
  for (std::size_t i = 0; i < set.size();) {
    const CodePoint c = code_point_at(set, i);
    if (c.value == code_point) {
      return true;
    }
    i += c.size;
  }
  return false;
}

// Without the code points of the set at both ends.
std::string_view trim_set(std::string_view text, std::string_view set) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (!contains_code_point(set, c.value)) {
      begin = std::min(begin, i);
      end = i + c.size;
    }
    i += c.size;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

Value trim(Arguments arguments) { return text_value(trim_set(as_string(arguments[0]), as_string(arguments[1]))); }

Value trimprefix(Arguments arguments) {
  std::string_view text = as_string(arguments[0]);
  if (text.starts_with(as_string(arguments[1]))) {
    text.remove_prefix(as_string(arguments[1]).size());
  }
  return text_value(text);
}

Value trimsuffix(Arguments arguments) {
  std::string_view text = as_string(arguments[0]);
  if (text.ends_with(as_string(arguments[1]))) {
    text.remove_suffix(as_string(arguments[1]).size());
  }
  return text_value(text);
}

std::string_view chomp(std::string_view text) { return text.substr(0, text.find_last_not_of("\r\n") + 1); }

Value indent(Arguments arguments) {
  const std::int64_t spaces = whole_argument(arguments, 0);
  if (spaces < 0 || spaces > k_indent_limit) {
    throw CallError(fmt::format("a number from 0 to {} is required", k_indent_limit), 0);
  }
  const std::string blanks(static_cast<std::size_t>(spaces), ' ');
  std::string result;
  for (const char c : as_string(arguments[1])) {
    result += c;
    if (c == '\n') {
      result += blanks;
    }
  }
  return string_value(std::move(result));
}

// Around every character where nothing is what is replaced.
std::string replace_between(std::string_view text, std::string_view with) {
  std::string result(with);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = code_point_at(text, i).size;
    result += text.substr(i, size);
    result += with;
    i += size;
  }
  return result;
}

std::string replace_all(std::string_view text, std::string_view what, std::string_view with) {
  if (what.empty()) {
    return replace_between(text, with);
  }
  std::string result;
  while (true) {
    const std::size_t place = text.find(what);
    result += text.substr(0, place);
    if (place == std::string_view::npos) {
      return result;
    }
    result += with;
    text.remove_prefix(place + what.size());
  }
}

Value replace(Arguments arguments) {
  return text_value(replace_all(as_string(arguments[0]), as_string(arguments[1]), as_string(arguments[2])));
}

std::string sanitize(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    const bool plain = c.value >= 0 && c.value < 0x80 && (std::isalnum(c.value) || c.value == '_' || c.value == '-');
    result += plain ? static_cast<char>(c.value) : '_';
    i += c.size;
  }
  return result;
}

}  // namespace

void add_strings(Table& table) {
  define_map(table, "upper", to_upper);
  define_map(table, "lower", to_lower);
  define_map(table, "title", to_title);
  define_map(table, "chomp", chomp);
  define_map(table, "trimspace", [](std::string_view text) { return trim_left(trim_right(text)); });
  define(table, "sanitize", {text("name")},
         [](Arguments arguments) { return string_value(sanitize(as_string(arguments[0]))); });
  define(table, "trim", {text("str"), text("cutset")}, trim);
  define(table, "trimprefix", {text("str"), text("prefix")}, trimprefix);
  define(table, "trimsuffix", {text("str"), text("suffix")}, trimsuffix);
  define(table, "indent", {number("spaces"), text("str")}, indent);
  define(table, "replace", {text("str"), text("substr"), text("replace")}, replace);
}

}  // namespace mbuild::bake::hcl
