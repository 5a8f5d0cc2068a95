#include "bake/hcl/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "bake/hcl/value.h"

namespace mbuild::bake::hcl {

namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

utf8proc_category_t category(std::int32_t code_point) {
  return code_point < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(code_point);
}

// The letter that comes of itself in both cases; the library has a capital for it that no simple mapping has.
constexpr std::int32_t k_sharp_s = 0xDF;

std::int32_t upper(std::int32_t code_point) {
  return code_point == k_sharp_s ? code_point : utf8proc_toupper(code_point);
}

template <typename Map>
std::string map_code_points(std::string_view text, Map map) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value < 0) {
      result += text[i];
    } else {
      append_code_point(result, map(c.value));
    }
    i += c.size;
  }
  return result;
}

// The end of the grapheme cluster that begins at `offset`.
std::size_t character_end(std::string_view text, std::size_t offset) {
  CodePoint last = code_point_at(text, offset);
  std::size_t i = offset + last.size;
  utf8proc_int32_t state = 0;
  while (i < text.size()) {
    const CodePoint next = code_point_at(text, i);
    if (last.value < 0 || next.value < 0 || utf8proc_grapheme_break_stateful(last.value, next.value, &state)) {
      break;
    }
    last = next;
    i += next.size;
  }
  return i;
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t offset) {
  const auto first = static_cast<unsigned char>(text[offset]);
  if (first < 0x80) {
    return {first, 1};
  }
  utf8proc_int32_t value = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset;
  const auto size = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - offset), &value);
  return size < 1 ? CodePoint{} : CodePoint{value, static_cast<std::size_t>(size)};
}

void append_code_point(std::string& text, std::int32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(code_point, bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value < 0) {
      return false;
    }
    i += c.size;
  }
  return true;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = character_end(text, i);
    result.push_back(text.substr(i, end - i));
    i = end;
  }
  return result;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    i = character_end(text, i);
  }
  return count;
}

bool is_space(std::int32_t c) {
  return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_letter(std::int32_t code_point) {
  const auto c = category(code_point);
  return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(std::int32_t code_point) { return category(code_point) == UTF8PROC_CATEGORY_ND; }

bool begins_identifier(std::int32_t code_point) {
  return code_point == '_' || is_letter(code_point) || category(code_point) == UTF8PROC_CATEGORY_NL;
}

bool continues_identifier(std::int32_t code_point) {
  if (code_point == '-' || begins_identifier(code_point)) {
    return true;
  }
  const auto c = category(code_point);
  return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC ||
         c == UTF8PROC_CATEGORY_PC;
}

std::size_t identifier_length(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const CodePoint c = code_point_at(text, i);
    if (i == 0 ? !begins_identifier(c.value) : !continues_identifier(c.value)) {
      break;
    }
    i += c.size;
  }
  return i;
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = code_point_at(text, 0);
    if (!is_space(c.value)) {
      break;
    }
    text.remove_prefix(c.size);
  }
  return text;
}

std::string_view trim_right(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    i += c.size;
    if (!is_space(c.value)) {
      end = i;
    }
  }
  return text.substr(0, end);
}

std::string to_upper(std::string_view text) { return map_code_points(text, upper); }

std::string to_lower(std::string_view text) { return map_code_points(text, utf8proc_tolower); }

std::string to_title(std::string_view text) {
  bool in_word = false;
  return map_code_points(text, [&](std::int32_t c) {
    const std::int32_t mapped = in_word || c == k_sharp_s ? c : utf8proc_totitle(c);
    in_word = c < 0x80 ? std::isalnum(c) || c == '_' : is_letter(c) || is_digit(c) || !is_space(c);
    return mapped;
  });
}

std::string normalise(std::string_view text) {
  if (is_ascii(text)) {
    return std::string(text);
  }
  utf8proc_uint8_t* composed = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &composed,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) {
    return std::string(text);
  }
  std::string result(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size));
  std::free(composed);
  return result;
}

}  // namespace mbuild::bake::hcl
