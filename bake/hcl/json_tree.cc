#include "bake/hcl/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

constexpr int k_json_depth_limit = 250;
constexpr std::string_view k_blanks = " \t\r\n";
constexpr std::string_view k_digits = "0123456789";

struct JsonReader {
  const Source& source;
  std::size_t offset = 0;
  int depth = 0;

  std::string_view rest() const { return std::string_view(source.text).substr(offset); }
  Range since(std::size_t begin) const {
    return {&source, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(offset)};
  }
};

void skip_blanks(JsonReader& reader) {
  const std::size_t next = reader.source.text.find_first_not_of(k_blanks, reader.offset);
  reader.offset = next == std::string::npos ? reader.source.text.size() : next;
}

[[noreturn]] void bad(const JsonReader& reader, const std::string& expected) {
  const std::size_t end = std::min(reader.offset + 1, reader.source.text.size());
  const Range range{&reader.source, static_cast<std::uint32_t>(reader.offset), static_cast<std::uint32_t>(end)};
  if (reader.rest().empty()) {
    fail(range, "Invalid JSON", fmt::format("The text ends where {} is expected.", expected));
  }
  fail(range, "Invalid JSON",
       fmt::format("Here is expected {}, but there is \"{}\".", expected,
                   reader.rest().substr(0, code_point_at(reader.rest(), 0).size)));
}

bool take_if(JsonReader& reader, char c) {
  skip_blanks(reader);
  if (!reader.rest().starts_with(c)) {
    return false;
  }
  ++reader.offset;
  return true;
}

// The four digits of "\uXXXX", at the reader.
std::uint32_t take_unit(JsonReader& reader) {
  const std::string_view digits = reader.rest().substr(0, 4);
  std::uint32_t unit = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
  if (digits.size() < 4 || error != std::errc{} || end != digits.data() + 4) {
    bad(reader, "a code point of four hexadecimal digits");
  }
  reader.offset += 4;
  return unit;
}

// A pair of surrogates is one code point; one alone has none and is replaced.
void take_code_point(JsonReader& reader, std::string& text) {
  std::uint32_t value = take_unit(reader);
  if (value >= 0xD800 && value < 0xDC00 && reader.rest().starts_with("\\u")) {
    const std::size_t before = reader.offset;
    reader.offset += 2;
    const std::uint32_t low = take_unit(reader);
    if (low >= 0xDC00 && low < 0xE000) {
      value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    } else {
      reader.offset = before;
    }
  }
  append_code_point(text, value >= 0xD800 && value < 0xE000 ? 0xFFFD : static_cast<std::int32_t>(value));
}

void take_escape(JsonReader& reader, std::string& text) {
  constexpr std::string_view k_letters = "\"\\/bfnrt";
  constexpr std::string_view k_meanings = "\"\\/\b\f\n\r\t";
  ++reader.offset;
  if (reader.rest().starts_with('u')) {
    ++reader.offset;
    return take_code_point(reader, text);
  }
  const std::size_t letter = reader.rest().empty() ? std::string_view::npos : k_letters.find(reader.rest()[0]);
  if (letter == std::string_view::npos) {
    bad(reader, "the letter of an escape");
  }
  text += k_meanings[letter];
  ++reader.offset;
}

std::string take_string(JsonReader& reader) {
  if (!take_if(reader, '"')) {
    bad(reader, "a string");
  }
  std::string text;
  while (!reader.rest().starts_with('"')) {
    const std::string_view rest = reader.rest();
    if (rest.empty() || static_cast<unsigned char>(rest[0]) < 0x20) {
      bad(reader, "the rest of a string");
    }
    if (rest[0] == '\\') {
      take_escape(reader, text);
    } else {
      text += rest[0];
      ++reader.offset;
    }
  }
  ++reader.offset;
  return text;
}

// The bytes of a number as JSON has them: no leading zeros, digits on both sides of the point.
std::size_t json_number_length(std::string_view text) {
  const auto digits = [&](std::size_t i) {
    const std::size_t end = text.find_first_not_of(k_digits, i);
    return end == std::string_view::npos ? text.size() : end;
  };
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  std::size_t i = first < text.size() && text[first] == '0' ? first + 1 : digits(first);
  if (i == first) {
    return 0;
  }
  if (i < text.size() && text[i] == '.') {
    const std::size_t fraction = i + 1;
    i = digits(fraction);
    if (i == fraction) {
      return 0;
    }
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    const std::size_t exponent = i + 1 < text.size() && (text[i + 1] == '+' || text[i + 1] == '-') ? i + 2 : i + 1;
    i = digits(exponent);
    return i == exponent ? 0 : i;
  }
  return i;
}

JsonNode take_value(JsonReader& reader);

void take_array(JsonReader& reader, JsonNode& node) {
  node.kind = JsonKind::array;
  if (take_if(reader, ']')) {
    return;
  }
  do {
    node.items.push_back(take_value(reader));
  } while (take_if(reader, ','));
  if (!take_if(reader, ']')) {
    bad(reader, "\",\" or \"]\" after an item");
  }
}

JsonMember take_member(JsonReader& reader) {
  JsonMember member;
  skip_blanks(reader);
  const std::size_t begin = reader.offset;
  member.name = take_string(reader);
  member.name_range = reader.since(begin);
  if (!take_if(reader, ':')) {
    bad(reader, "\":\" after a name");
  }
  member.value = take_value(reader);
  return member;
}

void take_object(JsonReader& reader, JsonNode& node) {
  node.kind = JsonKind::object;
  if (take_if(reader, '}')) {
    return;
  }
  do {
    node.members.push_back(take_member(reader));
  } while (take_if(reader, ','));
  if (!take_if(reader, '}')) {
    bad(reader, "\",\" or \"}\" after a member");
  }
}

bool take_word(JsonReader& reader, JsonNode& node, std::string_view word, JsonKind kind) {
  if (!reader.rest().starts_with(word)) {
    return false;
  }
  reader.offset += word.size();
  node.kind = kind;
  node.text = word;
  return true;
}

void take_scalar(JsonReader& reader, JsonNode& node) {
  if (reader.rest().starts_with('"')) {
    node.kind = JsonKind::string;
    node.text = take_string(reader);
  } else if (const std::size_t length = json_number_length(reader.rest())) {
    node.kind = JsonKind::number;
    node.text = reader.rest().substr(0, length);
    reader.offset += length;
  } else if (!take_word(reader, node, "true", JsonKind::boolean) &&
             !take_word(reader, node, "false", JsonKind::boolean) && !take_word(reader, node, "null", JsonKind::null)) {
    bad(reader, "a value");
  }
}

JsonNode take_value(JsonReader& reader) {
  JsonNode node;
  skip_blanks(reader);
  const std::size_t begin = reader.offset;
  if (++reader.depth > k_json_depth_limit) {
    bad(reader, fmt::format("no more than {} levels of arrays and objects", k_json_depth_limit));
  }
  if (take_if(reader, '{')) {
    take_object(reader, node);
  } else if (take_if(reader, '[')) {
    take_array(reader, node);
  } else {
    take_scalar(reader, node);
  }
  --reader.depth;
  node.range = reader.since(begin);
  return node;
}

}  // namespace

JsonNode parse_json_tree(const Source& source) {
  JsonReader reader{source};
  JsonNode root = take_value(reader);
  skip_blanks(reader);
  if (!reader.rest().empty()) {
    bad(reader, "the end");
  }
  return root;
}

}  // namespace mbuild::bake::hcl
