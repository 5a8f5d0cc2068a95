#include <fmt/format.h>

#include <algorithm>

#include "bake/hcl/functions/table.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

Value strlen(Arguments arguments) {
  return number_value(static_cast<std::int64_t>(count_characters(as_string(arguments[0]))));
}

Value reverse(Arguments arguments) {
  std::string result;
  const auto all = characters(as_string(arguments[0]));
  for (auto each = all.rbegin(); each != all.rend(); ++each) {
    result += *each;
  }
  return text_value(result);
}

// A negative offset counts from the end; a negative length, or with it a length of 0, is all the rest.
Value substr(Arguments arguments) {
  const auto all = characters(as_string(arguments[0]));
  const auto size = static_cast<std::int64_t>(all.size());
  std::int64_t offset = whole_argument(arguments, 1);
  const std::int64_t length = whole_argument(arguments, 2);
  if (offset >= 0 && length == 0) {
    return string_value("");
  }
  offset = std::clamp<std::int64_t>(offset < 0 ? offset + size : offset, 0, size);
  const std::int64_t end = length <= 0 || length > size - offset ? size : offset + length;
  std::string result;
  for (std::int64_t i = offset; i < end; ++i) {
    result += all[static_cast<std::size_t>(i)];
  }
  return text_value(result);
}

// Each code point for itself.
Elements split_code_points(std::string_view text) {
  Elements parts;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = code_point_at(text, i).size;
    parts.push_back(text_value(text.substr(i, size)));
    i += size;
  }
  return parts;
}

Elements split_at(std::string_view text, std::string_view separator) {
  Elements parts;
  for (std::size_t place = text.find(separator); place != std::string_view::npos; place = text.find(separator)) {
    parts.push_back(text_value(text.substr(0, place)));
    text.remove_prefix(place + separator.size());
  }
  parts.push_back(text_value(text));
  return parts;
}

Value split(Arguments arguments) {
  const std::string& separator = as_string(arguments[0]);
  const std::string& text = as_string(arguments[1]);
  return list_value(string_type(), separator.empty() ? split_code_points(text) : split_at(text, separator));
}

Value join_lists(Arguments arguments) {
  if (arguments.size() < 2) {
    throw CallError("at least one list is required");
  }
  std::string result;
  bool first = true;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    for (const Value& element : elements(arguments[i])) {
      if (element.is_null()) {
        throw CallError("an element is null, which has no text", i);
      }
      result += first ? "" : as_string(arguments[0]);
      result += as_string(element);
      first = false;
    }
  }
  return text_value(result);
}

}  // namespace

void add_text_parts(Table& table) {
  define(table, "strlen", {text("str")}, strlen);
  define(table, "reverse", {text("str")}, reverse);
  define(table, "substr", {text("str"), number("offset"), number("length")}, substr);
  define(table, "split", {text("separator"), text("str")}, split);
  define_variadic(table, "join", {text("separator")}, texts("lists"), join_lists);
}

}  // namespace mbuild::bake::hcl
