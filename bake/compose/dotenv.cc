#include "bake/compose/dotenv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake::compose {
namespace {

// Reads one file from its beginning to its end.
class Lines {
 public:
  Lines(const std::string& name, std::string_view text) : name_(name), text_(text) {}

  // Goes to the next line with something on it; false at the end.
  bool next() {
    while (at_ < text_.size()) {
      at_ = text_.find_first_not_of(" \t\r\n", at_);
      if (at_ == std::string_view::npos) at_ = text_.size();
      if (at_ < text_.size() && text_[at_] != '#') return true;
      skip_line();
    }
    return false;
  }

  std::string key() {
    const auto end = std::min(text_.find_first_of("=:\n", at_), text_.size());
    auto key = trim(text_.substr(at_, end - at_));
    if (key.starts_with("export ") || key.starts_with("export\t")) key = trim(key.substr(7));
    if (std::ranges::any_of(key, [](char c) { return !may_be_in_key(c); }))
      refuse(fmt::format("\"{}\" is no name of a variable", key));
    has_value_ = end < text_.size() && text_[end] != '\n';
    at_ = end + (has_value_ ? 1 : 0);
    return std::string(key);
  }
  bool has_value() const { return has_value_; }

  std::string value(const Lookup& lookup) {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ < text_.size() && text_[at_] == '\'') return quoted('\'');
    if (at_ < text_.size() && text_[at_] == '"') return expanded(unescaped(quoted('"')), lookup);
    const auto end = std::min(text_.find('\n', at_), text_.size());
    auto value = text_.substr(at_, end - at_);
    if (const auto comment = value.find(" #"); comment != std::string_view::npos) value = value.substr(0, comment);
    auto plain = expanded(trim(value), lookup);
    at_ = end;
    return plain;
  }

 private:
  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1; }

  std::string place() const {
    return fmt::format("{}: line {}", name_, 1 + std::ranges::count(text_.substr(0, at_), '\n'));
  }

  [[noreturn]] void refuse(std::string_view why) const { throw usage_error(fmt::format("{}: {}", place(), why)); }

  std::string expanded(std::string_view text, const Lookup& lookup) const {
    try {
      return interpolate(text, lookup);
    } catch (Error& error) {
      throw std::move(error).with_context(place());
    }
  }

  static bool may_be_in_key(unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 ||
           std::string_view("_.-[]").find(static_cast<char>(c)) != std::string::npos;
  }

  // In double quotes backslashes are kept for the reader of escapes.
  std::string quoted(char quote) {
    std::string inside;
    std::size_t at = at_ + 1;
    for (; at < text_.size() && text_[at] != quote; ++at) {
      if (text_[at] == '\\' && at + 1 < text_.size() && text_[at + 1] == quote) {
        inside += text_[++at];
        continue;
      }
      inside += text_[at];
      if (text_[at] == '\\' && at + 1 < text_.size()) inside += text_[++at];
    }
    if (at >= text_.size()) refuse("a quoted value has no end");
    at_ = at;
    skip_line();
    return inside;
  }

  // Escapes that are none stay as they are.
  static std::string unescaped(const std::string& text) {
    static constexpr std::string_view k_letters = "abfnrtv\\\"", k_meant = "\a\b\f\n\r\t\v\\\"";
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto letter = text[i] == '\\' && i + 1 < text.size() ? k_letters.find(text[i + 1]) : std::string::npos;
      if (letter != std::string::npos) {
        plain += k_meant[letter];
        ++i;
      } else if (text.compare(i, 2, "\\$") == 0) {
        plain += "$$";
        ++i;
      } else {
        plain += text[i];
      }
    }
    return plain;
  }

  const std::string& name_;
  std::string_view text_;
  std::size_t at_ = 0;
  bool has_value_ = false;
};

}  // namespace

std::map<std::string, std::string> parse_dotenv(const std::string& name, const std::string& text,
                                                const Lookup& lookup) {
  std::map<std::string, std::string> variables;
  const Lookup with_earlier = [&](const std::string& variable) {
    auto value = lookup(variable);
    if (const auto earlier = variables.find(variable); !value && earlier != variables.end()) value = earlier->second;
    return value;
  };
  Lines lines(name, text);
  while (lines.next()) {
    const auto key = lines.key();
    if (lines.has_value()) {
      variables[key] = lines.value(with_earlier);
    } else if (const auto value = lookup(key)) {
      variables[key] = *value;
    }
  }
  return variables;
}

}  // namespace mbuild::bake::compose
