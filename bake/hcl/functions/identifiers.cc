#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "bake/hcl/functions/table.h"
#include "base/digest.h"
#include "base/strings.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::size_t k_uuid_size = 16;

// 8-4-4-4-12 hexadecimal digits; version and variant are set.
std::string uuid_text(std::string bytes, int version) {
  bytes.resize(k_uuid_size);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | version << 4);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return text;
}

int hex_value(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isdigit(byte) ? c - '0' : std::tolower(byte) - 'a' + 10;
}

// The digits with or without dashes, in braces or behind "urn:uuid:".
std::optional<std::string> uuid_bytes(std::string_view text) {
  constexpr std::string_view k_name = "urn:uuid:";
  if (iequals(text.substr(0, k_name.size()), k_name)) {
    text.remove_prefix(k_name.size());
  } else if (text.starts_with('{') && text.ends_with('}')) {
    text = text.substr(1, text.size() - 2);
  } else if (text.size() == 2 * k_uuid_size) {
    return uuid_bytes(fmt::format("{}-{}-{}-{}-{}", text.substr(0, 8), text.substr(8, 4), text.substr(12, 4),
                                  text.substr(16, 4), text.substr(20)));
  }
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) {
      return std::nullopt;
    }
    if (!dash) {
      digits += text[i];
    }
  }
  if (digits.size() != 2 * k_uuid_size) {
    return std::nullopt;
  }
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1]));
  }
  return bytes;
}

// The well-known name spaces differ in one digit.
std::string namespace_bytes(const std::string& name) {
  constexpr std::string_view k_form = "6ba7b81{}-9dad-11d1-80b4-00c04fd430c8";
  const char digit = name == "dns" ? '0' : name == "url" ? '1' : name == "oid" ? '2' : name == "x500" ? '4' : '\0';
  const auto bytes = uuid_bytes(digit ? fmt::format(k_form, digit) : name);
  if (!bytes) {
    throw CallError("a name space is dns, url, oid, x500 or a UUID", 0);
  }
  return *bytes;
}

}  // namespace

void add_identifiers(Table& table) {
  define(table, "uuidv4", {}, [](Arguments) { return string_value(uuid_text(random_bytes(k_uuid_size), 4)); });
  define(table, "uuidv5", {text("namespace"), text("name")}, [](Arguments arguments) {
    const std::string named = namespace_bytes(as_string(arguments[0])) + as_string(arguments[1]);
    return string_value(uuid_text(sha1_bytes(named), 5));
  });
}

}  // namespace mbuild::bake::hcl
