#include "bake/hcl/functions/format_verb.h"

#include <fmt/format.h>

#include <cctype>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions.h"
#include "bake/hcl/json.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::size_t k_width_limit = 100'000;

std::optional<std::size_t> take_count(std::string_view& text) {
  std::size_t count = 0;
  const std::string_view before = text;
  while (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0]))) {
    count = count * 10 + static_cast<std::size_t>(text[0] - '0');
    text.remove_prefix(1);
    if (count > k_width_limit) {
      throw CallError(fmt::format("the number {} in the format is too big", before.substr(0, 8)), 0);
    }
  }
  return text.size() == before.size() ? std::nullopt : std::optional(count);
}

bool take_flag(FormatVerb& verb, char c) {
  switch (c) {
    case '+':
      return verb.plus = true;
    case '-':
      return verb.minus = true;
    case ' ':
      return verb.space = true;
    case '0':
      return verb.zero = true;
    case '#':
      return verb.sharp = true;
    default:
      return false;
  }
}

std::size_t take_argument(std::string_view& text) {
  text.remove_prefix(1);
  const auto argument = take_count(text);
  if (!argument || *argument == 0 || !text.starts_with(']')) {
    throw CallError("in a format, [n] names an argument by its number, counted from 1", 0);
  }
  text.remove_prefix(1);
  return *argument;
}

std::string pad_text(const FormatVerb& verb, std::string text, bool zeros) {
  const std::size_t width = count_characters(text);
  if (!verb.width || width >= *verb.width) {
    return text;
  }
  const std::string padding(*verb.width - width, zeros && !verb.minus ? '0' : ' ');
  return verb.minus ? text + padding : padding + text;
}

std::string format_text(const FormatVerb& verb, const Value& value) {
  std::string text = as_string(convert(value, string_type()));
  if (verb.precision.value_or(0) > 0 && count_characters(text) > *verb.precision) {
    const auto all = characters(text);
    std::size_t size = 0;
    for (std::size_t i = 0; i < *verb.precision; ++i) {
      size += all[i].size();
    }
    text.resize(size);
  }
  if (verb.mode == 'q') {
    text = to_json(string_value(std::move(text)));
  }
  return pad_text(verb, std::move(text), verb.zero);
}

// Strings and numbers as they are, others as JSON, and all so with "#".
std::string format_default(const FormatVerb& verb, const Value& value) {
  if (!verb.sharp && !value.is_null() && value.type.kind == Kind::string) {
    return pad_text(verb, as_string(value), verb.zero);
  }
  if (!verb.sharp && !value.is_null() && value.type.kind == Kind::number) {
    FormatVerb plain;
    plain.mode = 'g';
    return pad_text(verb, format_float(plain, as_number(value)), verb.zero);
  }
  return pad_text(verb, to_json(value), verb.zero);
}

}  // namespace

FormatVerb parse_verb(std::string_view all) {
  FormatVerb verb;
  std::string_view text = all.substr(1);
  while (!text.empty() && take_flag(verb, text[0])) {
    text.remove_prefix(1);
  }
  verb.width = take_count(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    verb.precision = take_count(text).value_or(0);
  }
  if (text.starts_with('[')) {
    verb.argument = take_argument(text);
  }
  if (text.empty()) {
    throw CallError("the format ends within a verb", 0);
  }
  verb.mode = text[0];
  verb.text = all.substr(0, all.size() - text.size() + code_point_at(text, 0).size);
  return verb;
}

std::string format_value(const FormatVerb& verb, const Value& value) {
  if (verb.mode == 'v') {
    return format_default(verb, value);
  }
  if (value.is_null()) {
    throw CallError(fmt::format("unsupported value for \"{}\": null value cannot be formatted", verb.text));
  }
  switch (verb.mode) {
    case 's':
    case 'q':
      return format_text(verb, value);
    case 't':
      return as_bool(convert(value, bool_type())) ? "true" : "false";
    case 'b':
    case 'd':
    case 'o':
    case 'x':
    case 'X':
      return format_integer(verb, as_number(convert(value, number_type())));
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G':
      return format_float(verb, as_number(convert(value, number_type())));
    default:
      throw CallError(fmt::format("there is no verb \"{}\"", verb.text), 0);
  }
}

}  // namespace mbuild::bake::hcl
