#include "cli/display/go_template.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void wrong(std::string_view what) {
  throw Error(ExitClass::usage, fmt::format("template parsing error: {}", what))
      .with_advice(
          "--format takes fields as {{.Manifest.Digest}}, range, if, and the functions json, index, len, join, "
          "upper, lower and println.");
}

// A piece of the template: text, or what stands between "{{" and "}}".
struct TemplatePiece {
  bool action = false;
  std::string text;
};

std::vector<TemplatePiece> cut(std::string_view text) {
  std::vector<TemplatePiece> pieces;
  bool trim_next = false;
  while (!text.empty()) {
    const auto open = text.find("{{");
    std::string_view plain = text.substr(0, open);
    if (trim_next) plain = plain.substr(std::min(plain.find_first_not_of(" \t\r\n"), plain.size()));
    text.remove_prefix(std::min(open, text.size()));
    const bool trim_before = text.starts_with("{{- ");
    if (trim_before) plain = plain.substr(0, plain.find_last_not_of(" \t\r\n") + 1);
    if (!plain.empty()) pieces.push_back({false, std::string(plain)});
    if (text.empty()) break;
    const auto close = text.find("}}");
    if (close == std::string_view::npos) wrong("unclosed action");
    std::string_view action = text.substr(2, close - 2);
    if (trim_before) action.remove_prefix(1);
    trim_next = action.ends_with(" -");
    if (trim_next) action.remove_suffix(1);
    if (!trim(action).starts_with("/*")) pieces.push_back({true, std::string(trim(action))});
    text.remove_prefix(close + 2);
  }
  return pieces;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
    } else if (c == '(' || c == ')' || c == '|') {
      words.emplace_back(1, c);
      ++i;
    } else if (c == '"' || c == '`') {
      const auto end = text.find(c, i + 1);
      if (end == std::string_view::npos) wrong("unterminated quoted string");
      words.push_back("\"" + std::string(text.substr(i + 1, end - i - 1)));
      i = end + 1;
    } else {
      const auto end = std::min(text.find_first_of(" \t\r\n()|", i), text.size());
      words.emplace_back(text.substr(i, end - i));
      i = end;
    }
  }
  return words;
}

std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "<no value>" : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_true(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value != 0;
  return !value.empty() && value != "";
}

Json member(const Json& value, std::string_view name) {
  if (!value.is_object()) return nullptr;
  for (const auto& [key, inner] : value.items()) {
    if (iequals(key, name)) return inner;
  }
  return nullptr;
}

// Fields of what `index` or parentheses gave come as ".x.y" after them.
Json fields(Json value, std::string_view path) {
  for (const auto& name : split(path.substr(1), '.')) {
    if (!name.empty()) value = member(value, name);
  }
  return value;
}

class Evaluation {
 public:
  Evaluation(const std::vector<std::string>& words, const Json& dot) : words_(words), dot_(dot) {}

  Json run() {
    Json value = pipeline();
    if (next_ < words_.size()) wrong("unexpected " + words_[next_]);
    return value;
  }

 private:
  Json pipeline() {
    std::vector<Json> last;
    for (;;) {
      last = {command(last)};
      if (next_ >= words_.size() || words_[next_] != "|") return last.front();
      ++next_;
    }
  }

  Json command(const std::vector<Json>& piped) {
    if (next_ >= words_.size()) wrong("missing value for command");
    const std::string word = words_[next_];
    if (!is_function(word)) return operand();
    ++next_;
    std::vector<Json> arguments;
    while (next_ < words_.size() && words_[next_] != "|" && words_[next_] != ")") arguments.push_back(operand());
    arguments.insert(arguments.end(), piped.begin(), piped.end());
    return call(word, arguments);
  }

  static bool is_function(const std::string& word) {
    return std::isalpha(static_cast<unsigned char>(word.front())) && word != "true" && word != "false";
  }

  Json operand() {
    const std::string word = words_[next_++];
    if (word == "(") {
      Json value = pipeline();
      if (next_ >= words_.size() || words_[next_++] != ")") wrong("unclosed left paren");
      const bool has_fields = next_ < words_.size() && words_[next_].starts_with('.') && words_[next_].size() > 1;
      return has_fields ? fields(std::move(value), words_[next_++]) : value;
    }
    if (word.starts_with('"')) return word.substr(1);
    if (word.starts_with('.')) return fields(dot_, word);
    if (word == "true" || word == "false") return word == "true";
    const Json number = Json::parse(word, nullptr, false);
    if (!number.is_number()) wrong(fmt::format("function \"{}\" not defined", word));
    return number;
  }

  static Json call(const std::string& name, const std::vector<Json>& arguments) {
    if (arguments.empty() && name != "println") wrong("wrong number of args for " + name);
    if (name == "json") return arguments.back().dump(-1, ' ', false, Json::error_handler_t::replace);
    if (name == "len")
      return arguments.back().is_string() ? arguments.back().get<std::string>().size() : arguments.back().size();
    if (name == "upper") return to_upper(shown(arguments.back()));
    if (name == "lower") return to_lower(shown(arguments.back()));
    if (name == "index") return index(arguments);
    if (name == "join") return join_list(arguments);
    if (name != "println") wrong(fmt::format("function \"{}\" not defined", name));
    std::string line;
    for (const auto& argument : arguments) line += (line.empty() ? "" : " ") + shown(argument);
    return line + "\n";
  }

  static Json index(const std::vector<Json>& arguments) {
    Json value = arguments.front();
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      if (value.is_array() && arguments[i].is_number_unsigned() && arguments[i].get<std::size_t>() < value.size()) {
        value = Json(value[arguments[i].get<std::size_t>()]);
      } else if (value.is_object() && arguments[i].is_string()) {
        value = member(value, arguments[i].get<std::string>());
      } else {
        throw Error(ExitClass::usage, fmt::format("index out of range: {}", shown(arguments[i])));
      }
    }
    return value;
  }

  static Json join_list(const std::vector<Json>& arguments) {
    std::vector<std::string> parts;
    for (const auto& value : arguments.front()) parts.push_back(shown(value));
    return join(parts, arguments.size() > 1 ? shown(arguments[1]) : "");
  }

  const std::vector<std::string>& words_;
  const Json& dot_;
  std::size_t next_ = 0;
};

class Template {
 public:
  explicit Template(std::string_view text) : pieces_(cut(text)) {}

  std::string fill(const Json& data) {
    std::string out;
    std::size_t at = 0;
    block(at, data, &out);
    if (at < pieces_.size()) wrong("unexpected " + pieces_[at].text);
    return out;
  }

 private:
  // Writes pieces (to nowhere when `out` is null) up to an `else` or `end` of the block around them, or to the end.
  void block(std::size_t& at, const Json& dot, std::string* out) {
    for (; at < pieces_.size(); ++at) {
      const TemplatePiece& piece = pieces_[at];
      if (!piece.action) {
        if (out) *out += piece.text;
        continue;
      }
      auto words = words_of(piece.text);
      if (words.empty()) wrong("missing value for command");
      if (words[0] == "end" || words[0] == "else") return;
      if (words[0] == "if" || words[0] == "range") {
        branch(at, words, dot, out);
      } else if (out) {
        *out += shown(Evaluation(words, dot).run());
      }
    }
  }

  void branch(std::size_t& at, const std::vector<std::string>& words, const Json& dot, std::string* out) {
    const bool loop = words[0] == "range";
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    const Json value = out ? Evaluation(rest, dot).run() : Json();
    const bool taken = is_true(value);
    const std::size_t body = ++at;
    if (loop && taken) {
      for (const auto& item : value) {
        at = body;
        block(at, item, out);
      }
    } else {
      block(at, dot, taken ? out : nullptr);
    }
    if (at < pieces_.size() && pieces_[at].text == "else") block(++at, dot, taken ? nullptr : out);
    if (at >= pieces_.size() || pieces_[at].text != "end") wrong("unexpected EOF: an end is missing");
  }

  std::vector<TemplatePiece> pieces_;
};

}  // namespace

std::string fill_template(std::string_view text, const std::string& data) {
  return Template(text).fill(Json::parse(data));
}

}  // namespace mbuild::cli
