#include "cli/display/go_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "cli/display/template_functions.h"

// A template is cut into pieces once, and read anew each time that it is filled in: they are short, and filled in for
// as many rows as somebody reads.
namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Word {
  enum class Kind { name, field, variable, text, number, sign };
  Kind kind;
  std::string text;  // without quotes; a field with its dots, a variable with its dollar and its fields
  bool is(std::string_view sign) const { return kind == Kind::sign && text == sign; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

// A piece of the template: text, or what stands between "{{" and "}}".
struct TemplatePiece {
  std::string text;
  std::vector<Word> words;  // of an action
  bool action = false;
  bool is(std::string_view name) const { return action && words.front().is_name(name); }
};

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// What is between double quotes, from behind the first on; `at` is behind the last one then.
std::string quoted(std::string_view text, std::size_t& at) {
  std::string out;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') {
      ++at;
      return out;
    }
    if (text[at] != '\\' || at + 1 >= text.size()) {
      out += text[at];
      continue;
    }
    const char c = text[++at];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
  }
  template_error("unterminated quoted string");
}

Word next_word(std::string_view text, std::size_t& at) {
  using Kind = Word::Kind;
  const char c = text[at];
  const auto take = [&](auto&& belongs) {
    const std::size_t from = at++;
    while (at < text.size() && belongs(text[at])) ++at;
    return std::string(text.substr(from, at - from));
  };
  const auto in_path = [](char other) { return is_name_character(other) || other == '.'; };
  if (c == '"') return {Kind::text, quoted(text, ++at)};
  if (c == '`') {
    const auto end = text.find('`', at + 1);
    if (end == std::string_view::npos) template_error("unterminated quoted string");
    Word out{Kind::text, std::string(text.substr(at + 1, end - at - 1))};
    at = end + 1;
    return out;
  }
  if (c == '.') return {Kind::field, take(in_path)};
  if (c == '$') return {Kind::variable, take(in_path)};
  if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+') return {Kind::number, take(in_path)};
  if (is_name_character(c)) return {Kind::name, take(is_name_character)};
  if (text.substr(at).starts_with(":=")) {
    at += 2;
    return {Kind::sign, ":="};
  }
  ++at;
  if (std::string_view("()|,=").find(c) == std::string_view::npos) {
    template_error(fmt::format("unexpected \"{}\" in \"{}\"", c, text));
  }
  return {Kind::sign, std::string(1, c)};
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t at = 0; at < text.size();) {
    if (std::isspace(static_cast<unsigned char>(text[at])) != 0) {
      ++at;
    } else {
      words.push_back(next_word(text, at));
    }
  }
  if (words.empty()) template_error("missing value for command");
  return words;
}

// Where an action ends: quotes may hold the same signs.
std::size_t end_of_action(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '`') {
      quote = c;
    } else if (text.substr(i).starts_with("}}")) {
      return i;
    }
  }
  template_error(quote != 0 ? "unterminated quoted string" : "unclosed action");
}

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
    if (!plain.empty()) pieces.push_back({.text = std::string(plain), .words = {}});
    if (text.empty()) break;
    text.remove_prefix(2);
    const bool is_comment = trim(text).starts_with("/*") || (trim_before && trim(text.substr(1)).starts_with("/*"));
    const auto close = is_comment ? text.find("}}") : end_of_action(text);
    if (close == std::string_view::npos) template_error("unclosed action");
    std::string_view action = text.substr(0, close);
    if (trim_before) action.remove_prefix(1);
    trim_next = action.ends_with(" -");
    if (trim_next) action.remove_suffix(1);
    if (!is_comment) pieces.push_back({.text = std::string(trim(action)), .words = words_of(action), .action = true});
    text.remove_prefix(close + 2);
  }
  return pieces;
}

class Filling {
 public:
  Filling(std::vector<TemplatePiece> pieces, const Json& data, Missing missing)
      : pieces_(std::move(pieces)), missing_(missing) {
    variables_.emplace_back("$", data);
  }

  std::string run() {
    std::string out;
    std::size_t at = 0;
    block(at, variables_.front().second, &out);
    if (at < pieces_.size()) template_error("unexpected " + pieces_[at].text);
    return out;
  }

 private:
  // Writes pieces (to nowhere when `out` is null) up to an `else` or `end` of the block around them, or to the end.
  void block(std::size_t& at, Json dot, std::string* out) {
    const auto outer = variables_.size();
    for (; at < pieces_.size(); ++at) {
      const TemplatePiece& piece = pieces_[at];
      if (piece.is("end") || piece.is("else")) break;
      if (!piece.action) {
        if (out != nullptr) *out += piece.text;
      } else if (piece.is("if") || piece.is("range") || piece.is("with")) {
        branch(at, piece.words, dot, out);
      } else if (out != nullptr) {
        write(piece.words, dot, *out);
      }
    }
    variables_.resize(outer);
  }

  void write(const std::vector<Word>& words, const Json& dot, std::string& out) {
    const bool sets =
        words.size() > 1 && words[0].kind == Word::Kind::variable && (words[1].is(":=") || words[1].is("="));
    if (!sets) {
      out += template_text(whole(words, 0, dot));
    } else if (words[1].is(":=")) {
      variables_.emplace_back(words[0].text, whole(words, 2, dot));
    } else {
      variable(words[0].text) = whole(words, 2, dot);
    }
  }

  // `words` begin with if, range or with; `at` is at the `end` then.
  void branch(std::size_t& at, std::vector<Word> words, const Json& dot, std::string* out) {
    const auto outer = variables_.size();
    const auto names = names_of(words);
    const Json value = out != nullptr ? whole(words, 1, dot) : Json();
    const bool taken = is_template_true(value);
    const bool loop = words.front().is_name("range");
    const std::size_t body = ++at;
    if (!loop) {
      if (!names.empty()) variables_.emplace_back(names.back(), value);
      block(at, words.front().is_name("with") && taken ? value : dot, taken ? out : nullptr);
    } else if (taken) {
      for (const auto& [key, item] : elements_of(value)) {
        at = body;
        if (names.size() == 2) variables_.emplace_back(names.front(), key);
        if (!names.empty()) variables_.emplace_back(names.back(), item);
        block(at, item, out);
        variables_.resize(outer);
      }
    } else {
      block(at, dot, nullptr);
    }
    variables_.resize(outer);
    if (at < pieces_.size() && pieces_[at].is("else")) {
      auto rest = pieces_[at].words;
      rest.erase(rest.begin());
      std::string* other = taken ? nullptr : out;
      if (!rest.empty()) return branch(at, std::move(rest), dot, other);
      block(++at, dot, other);
    }
    if (at >= pieces_.size() || !pieces_[at].is("end")) template_error("unexpected EOF: an end is missing");
  }

  // Takes "$value :=" and "$key, $value :=" out of the words.
  static std::vector<std::string> names_of(std::vector<Word>& words) {
    const auto sets = std::ranges::find_if(words, [](const Word& word) { return word.is(":="); });
    std::vector<std::string> out;
    if (sets == words.end()) return out;
    for (auto word = words.begin() + 1; word != sets; ++word) {
      if (word->kind == Word::Kind::variable) out.push_back(word->text);
    }
    if (out.empty() || out.size() > 2) template_error("one or two variables come before :=");
    words.erase(words.begin() + 1, sets + 1);
    return out;
  }

  // By key where it is an object, as Go does it.
  static std::vector<std::pair<Json, Json>> elements_of(const Json& value) {
    std::vector<std::pair<Json, Json>> out;
    if (value.is_object()) {
      for (const auto& [key, item] : value.items()) out.emplace_back(key, item);
      std::ranges::sort(out, {}, [](const auto& element) { return element.first.template get<std::string>(); });
    } else if (value.is_array()) {
      for (const auto& item : value) out.emplace_back(out.size(), item);
    } else {
      template_error("range can't iterate over " + template_text(value));
    }
    return out;
  }

  Json& variable(const std::string& name) {
    const auto found =
        std::find_if(variables_.rbegin(), variables_.rend(), [&](const auto& v) { return v.first == name; });
    if (found == variables_.rend()) template_error(fmt::format("undefined variable \"{}\"", name));
    return found->second;
  }

  Json whole(const std::vector<Word>& words, std::size_t at, const Json& dot) {
    Json value = pipeline(words, at, dot);
    if (at < words.size()) template_error("unexpected " + words[at].text);
    return value;
  }

  Json pipeline(const std::vector<Word>& words, std::size_t& at, const Json& dot) {
    std::vector<Json> last;
    for (;;) {
      last = {command(words, at, dot, last)};
      if (at >= words.size() || !words[at].is("|")) return last.front();
      ++at;
    }
  }

  Json command(const std::vector<Word>& words, std::size_t& at, const Json& dot, const std::vector<Json>& piped) {
    if (at >= words.size()) template_error("missing value for command");
    const Word& word = words[at];
    const bool is_function = word.kind == Word::Kind::name && !is_constant(word.text);
    if (is_function) ++at;
    Json first = is_function ? Json() : operand(words, at, dot);
    std::vector<Json> arguments;
    while (at < words.size() && !words[at].is("|") && !words[at].is(")")) arguments.push_back(operand(words, at, dot));
    arguments.insert(arguments.end(), piped.begin(), piped.end());
    if (is_function) return call_template_function(word.text, arguments);
    if (arguments.empty()) return first;
    if (!first.is_object() || arguments.size() > 1 || !arguments[0].is_string()) {
      template_error(fmt::format("can't give argument to non-function {}", word.text));
    }
    const auto found = first.find(arguments[0].get<std::string>());
    return found == first.end() ? Json("") : *found;
  }

  static bool is_constant(const std::string& name) { return name == "true" || name == "false" || name == "nil"; }

  Json operand(const std::vector<Word>& words, std::size_t& at, const Json& dot) {
    const Word& word = words[at++];
    switch (word.kind) {
      case Word::Kind::text:
        return word.text;
      case Word::Kind::field:
        return fields(dot, word.text);
      case Word::Kind::variable: {
        const auto end = std::min(word.text.find('.'), word.text.size());
        return fields(variable(word.text.substr(0, end)), word.text.substr(end));
      }
      case Word::Kind::number: {
        const Json number = Json::parse(word.text, nullptr, false);
        if (!number.is_number()) template_error("bad number " + word.text);
        return number;
      }
      case Word::Kind::name:
        if (word.text == "nil") return nullptr;
        if (is_constant(word.text)) return word.text == "true";
        return call_template_function(word.text, {});
      case Word::Kind::sign:
        break;
    }
    if (!word.is("(")) template_error("unexpected " + word.text);
    Json value = pipeline(words, at, dot);
    if (at >= words.size() || !words[at++].is(")")) template_error("unclosed left paren");
    const bool has_fields = at < words.size() && words[at].kind == Word::Kind::field && words[at].text.size() > 1;
    return has_fields ? fields(std::move(value), words[at++].text) : value;
  }

  // `path` is ".x.y", "." or "".
  Json fields(Json value, std::string_view path) const {
    if (path.empty()) return value;
    for (const auto& name : split(path.substr(1), '.')) {
      if (!name.empty()) value = member(value, name);
    }
    return value;
  }

  Json member(const Json& value, const std::string& name) const {
    if (value.is_object()) {
      if (const auto exact = value.find(name); exact != value.end()) return *exact;
      for (const auto& [key, inner] : value.items()) {
        if (iequals(key, name)) return inner;
      }
    }
    if (missing_ == Missing::no_value) return nullptr;
    std::vector<std::string> known;
    if (value.is_object()) {
      for (const auto& [key, inner] : value.items()) known.push_back(key);
    }
    throw usage_error(fmt::format("template: there is no field .{}{}", name, did_you_mean(name, known)))
        .with_advice("Fields are " + join(known, ", ") + ".");
  }

  std::vector<TemplatePiece> pieces_;
  Missing missing_;
  std::vector<std::pair<std::string, Json>> variables_;
};

}  // namespace

std::string fill_template(std::string_view text, const std::string& data, Missing missing) {
  return Filling(cut(text), Json::parse(data), missing).run();
}

}  // namespace mbuild::cli
