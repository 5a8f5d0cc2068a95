#include "frontend/dockerfile/words.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

// Reads the word at `pos` up to white space, without its quotes and escapes.
std::string take_flag(std::string_view text, std::size_t& pos, char escape) {
  std::string out;
  char open_quote = '\0';
  for (; pos < text.size(); ++pos) {
    const char c = text[pos];
    if (open_quote == '\0' && space_length(text, pos) > 0) break;
    if (c == open_quote) {
      open_quote = '\0';
    } else if (open_quote == '\0' && (c == '\'' || c == '"')) {
      open_quote = c;
    } else if (c != escape) {
      out += c;
    } else if (pos + 1 < text.size()) {
      out += text[++pos];
    }
  }
  return out;
}

std::size_t skip_spaces(std::string_view text, std::size_t pos) {
  while (const auto length = space_length(text, pos)) pos += length;
  return pos;
}

enum class Surrogate { none, high, low };

// What the six characters at `pos` are, for a "\\uXXXX" of UTF-16.
Surrogate surrogate_at(std::string_view text, std::size_t pos) {
  const auto escape = text.substr(std::min(pos, text.size()), 6);
  std::uint32_t unit = 0;
  if (escape.size() < 6 || !escape.starts_with("\\u")) return Surrogate::none;
  const auto [end, code] = std::from_chars(escape.data() + 2, escape.data() + 6, unit, 16);
  if (code != std::errc() || end != escape.data() + 6 || unit < 0xd800 || unit > 0xdfff) return Surrogate::none;
  return unit < 0xdc00 ? Surrogate::high : Surrogate::low;
}

// Bytes of the piece of JSON at `pos` that stands or falls as one: an escape, a pair of surrogates, a character.
std::size_t piece_length(std::string_view text, std::size_t pos) {
  if (text[pos] != '\\' || pos + 1 == text.size()) return char_length(text, pos);
  const auto first = surrogate_at(text, pos);
  if (first == Surrogate::none) return 1 + char_length(text, pos + 1);
  return first == Surrogate::high && surrogate_at(text, pos + 6) == Surrogate::low ? 12 : 6;
}

// nlohmann refuses bytes that are no UTF-8 and lone surrogates; Go, whose reading counts here, replaces them.
std::string acceptable_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) {
    const auto length = piece_length(text, pos);
    const bool stray = length == 1 && static_cast<unsigned char>(text[pos]) >= 0x80;
    const bool lone = length == 6 && surrogate_at(text, pos) != Surrogate::none;
    out += stray || lone ? std::string_view("\xef\xbf\xbd") : text.substr(pos, length);
    pos += length;
  }
  return out;
}

}  // namespace

std::string_view first_word(std::string_view line) {
  line = trim_left(line);
  return line.substr(0, static_cast<std::size_t>(std::ranges::find_if(line, is_blank) - line.begin()));
}

SplitLine split_line(std::string_view line, char escape) {
  SplitLine out;
  line = trim_space(line);
  out.keyword = first_word(line);
  std::size_t pos = out.keyword.size();
  for (pos = skip_spaces(line, pos); line.substr(pos).starts_with("--"); pos = skip_spaces(line, pos)) {
    auto flag = take_flag(line, pos, escape);
    if (flag == "--") break;
    out.flags.push_back(std::move(flag));
  }
  out.rest = trim_space(line.substr(pos));
  return out;
}

std::vector<std::string> split_blanks(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t pos = 0; pos < text.size();) {
    while (pos < text.size() && is_blank(text[pos])) ++pos;
    const auto start = pos;
    while (pos < text.size() && !is_blank(text[pos])) ++pos;
    if (pos > start) out.emplace_back(text.substr(start, pos - start));
  }
  return out;
}

std::vector<std::string> split_quoted(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::size_t pos = skip_spaces(text, 0);
  while (pos < text.size()) {
    std::string word;
    char open_quote = '\0';
    for (; pos < text.size(); ++pos) {
      const char c = text[pos];
      if (open_quote == '\0' && space_length(text, pos) > 0) break;
      if (c == escape && open_quote != '\'') {
        if (pos + 1 == text.size()) continue;  // an escape at the end protects nothing
        word += c;
        word += text[++pos];
        continue;
      }
      if (c == open_quote) {
        open_quote = '\0';
      } else if (open_quote == '\0' && (c == '\'' || c == '"')) {
        open_quote = c;
      }
      word += c;
    }
    if (!word.empty()) out.push_back(std::move(word));
    pos = skip_spaces(text, pos);
  }
  return out;
}

std::optional<std::vector<std::string>> parse_json_words(std::string_view text) {
  text = trim_left(text);
  if (!text.starts_with('[')) return std::nullopt;
  auto array = nlohmann::json::parse(acceptable_json(text), nullptr, false);
  if (!array.is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (auto& element : array) {
    if (!element.is_string()) {
      throw Error(ExitClass::usage, "when using JSON array syntax, arrays must be comprised of strings only");
    }
    out.push_back(std::move(element.get_ref<std::string&>()));
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
