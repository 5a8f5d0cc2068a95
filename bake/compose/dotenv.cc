#include "bake/compose/dotenv.h"

#include <fmt/format.h>

#include <algorithm>
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
    const auto end = text_.find_first_of("=\n", at_);
    auto key = trim(text_.substr(at_, std::min(end, text_.size()) - at_));
    if (key.starts_with("export ")) key = trim(key.substr(7));
    has_value_ = end != std::string_view::npos && text_[end] == '=';
    at_ = end == std::string_view::npos ? text_.size() : end + (has_value_ ? 1 : 0);
    if (key.empty() || key.find_first_of(" \t\"'") != std::string_view::npos)
      throw usage_error(fmt::format("{}: \"{}\" is no name of a variable", name_, key));
    return std::string(key);
  }
  bool has_value() const { return has_value_; }

  std::string value(const Lookup& lookup) {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ < text_.size() && text_[at_] == '\'') return quoted('\'');
    if (at_ < text_.size() && text_[at_] == '"') return interpolate(unescaped(quoted('"')), lookup);
    const auto end = std::min(text_.find('\n', at_), text_.size());
    auto value = text_.substr(at_, end - at_);
    if (const auto comment = value.find(" #"); comment != std::string_view::npos) value = value.substr(0, comment);
    at_ = end;
    return interpolate(trim(value), lookup);
  }

 private:
  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1; }

  std::string quoted(char quote) {
    std::string inside;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      inside += text_[at_];
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) inside += text_[++at_];
    }
    if (at_ >= text_.size()) throw usage_error(fmt::format("{}: a quoted value has no end", name_));
    skip_line();
    return inside;
  }

  static std::string unescaped(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        plain += text[i];
        continue;
      }
      const char c = text[++i];
      if (c == '$')
        plain += "$$";
      else
        plain += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
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
