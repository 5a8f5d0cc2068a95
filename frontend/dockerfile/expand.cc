#include "frontend/dockerfile/expand.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/pattern.h"
#include "frontend/dockerfile/text.h"

// One reader does expansion and word splitting in a single pass, as both depend on where a character came from: blanks
// that come out of a variable split a word, quoted or escaped ones don't. The rules that surprise:
//  - the word of an operator is always evaluated, so that ${S:-${N:?x}} fails even when S is set;
//  - the same reader reads the top level and the inside of "${name:-...}", up to its stop character;
//  - "<<" and the blanks after it are one piece of a word, so that "<< EOF" is one heredoc word;
//  - in patterns and replacements escapes are kept, because the pattern needs them.
namespace mbuild::frontend::dockerfile {
namespace {

constexpr int k_max_depth = 500;

Error syntax_error(std::string message) { return Error(ExitClass::usage, std::move(message)); }

bool is_special_parameter(char c) { return std::string_view("@*#?-$!").find(c) != std::string_view::npos; }

// Collects words; plain text is split at blanks, protected text is not.
class Words {
 public:
  void add(std::string_view text) {
    for (std::size_t pos = 0; pos < text.size();) {
      const auto space = space_length(text, pos);
      if (space > 0) {
        end_word();
        pos += space;
      } else {
        word_ += text[pos++];
      }
    }
  }
  void add_protected(std::string_view text) { word_ += text; }
  void forget_word() { word_.clear(); }
  std::vector<std::string> take() {
    end_word();
    return std::move(words_);
  }

 private:
  void end_word() {
    if (!word_.empty()) words_.push_back(std::exchange(word_, {}));
  }

  std::string word_;
  std::vector<std::string> words_;
};

class Reader {
 public:
  Reader(std::string_view text, const Lookup& lookup, const ExpandOptions& options)
      : text_(text), lookup_(lookup), options_(options) {}

  // Reads to the end of the text.
  std::string read_all(Words* words) {
    words_ = words;
    return read_until('\0', options_.raw_escapes, words);
  }

  std::set<std::string> undefined;

 private:
  bool at_end() const { return pos_ >= text_.size(); }
  bool at(char c) const { return !at_end() && text_[pos_] == c; }
  std::string_view take_char() {
    const auto length = char_length(text_, pos_);
    return text_.substr(std::exchange(pos_, pos_ + length), length);
  }
  std::optional<std::string> value_of(const std::string& name);

  // Reads up to `stop` ('\0': the end of the text), which is eaten.
  std::string read_until(char stop, bool raw_escapes, Words* words);
  std::string read_escape();
  std::string read_single_quoted();
  std::string read_double_quoted();
  std::string read_less_than();
  std::string read_dollar();
  std::string read_braces();
  std::string read_name();
  std::string read_operand(bool raw_escapes);
  std::string substitute(const std::string& name, char operation, bool empty_is_unset);
  std::string trim_by_pattern(const std::string& name, char operation);
  std::string replace(const std::string& name);

  std::string_view text_;
  const Lookup& lookup_;
  const ExpandOptions& options_;
  std::size_t pos_ = 0;
  bool raw_escapes_ = false;
  int depth_ = 0;
  Words* words_ = nullptr;
};

std::optional<std::string> Reader::value_of(const std::string& name) {
  auto value = lookup_(name);
  if (!value) undefined.insert(name);
  return value;
}

std::string Reader::read_until(char stop, bool raw_escapes, Words* words) {
  const bool outer_raw_escapes = std::exchange(raw_escapes_, raw_escapes);
  // BuildKit's reader uses the buffer of its word for this as well: what stood before it is lost.
  if (stop != '\0' && words_ != nullptr) words_->forget_word();
  const bool quotes = !options_.raw_quotes;
  std::string out;
  const auto append = [&](std::string_view piece, bool is_protected) {
    out += piece;
    check_expanded_length(out.size());
    if (words != nullptr) is_protected ? words->add_protected(piece) : words->add(piece);
  };
  while (!at_end()) {
    const char c = text_[pos_];
    if (stop != '\0' && c == stop) {
      ++pos_;
      raw_escapes_ = outer_raw_escapes;
      return out;
    }
    if (c == '$') {
      append(read_dollar(), false);
    } else if (c == '\'' && quotes) {
      append(read_single_quoted(), true);
    } else if (c == '"' && quotes) {
      append(read_double_quoted(), true);
    } else if (c == '<') {
      append(read_less_than(), true);
    } else if (c == options_.escape) {
      append(read_escape(), true);
    } else {
      append(take_char(), false);
    }
  }
  if (stop != '\0') throw syntax_error(fmt::format("unexpected end of statement while looking for matching {}", stop));
  raw_escapes_ = outer_raw_escapes;
  return out;
}

std::string Reader::read_escape() {
  std::string out;
  if (raw_escapes_) out += text_[pos_];
  ++pos_;
  if (!at_end()) out += take_char();
  return out;
}

std::string Reader::read_single_quoted() {
  const auto close = text_.find('\'', pos_ + 1);
  if (close == std::string_view::npos) {
    pos_ = text_.size();
    throw syntax_error("unexpected end of statement while looking for matching single-quote");
  }
  const auto inside = text_.substr(pos_ + 1, close - pos_ - 1);
  pos_ = close + 1;
  return options_.keep_quotes ? fmt::format("'{}'", inside) : std::string(inside);
}

std::string Reader::read_double_quoted() {
  std::string out;
  ++pos_;
  if (options_.keep_quotes) out += '"';
  while (!at_end()) {
    const char c = text_[pos_];
    if (c == '"') {
      ++pos_;
      if (options_.keep_quotes) out += '"';
      return out;
    }
    if (c == '$') {
      out += read_dollar();
    } else if (c == options_.escape) {
      ++pos_;
      if (raw_escapes_) out += c;
      if (at_end()) break;
      if (at('"') || at('$') || at(options_.escape)) {
        out += text_[pos_++];
      } else {
        out += c;
      }
    } else {
      out += take_char();
    }
  }
  throw syntax_error("unexpected end of statement while looking for matching double-quote");
}

std::string Reader::read_less_than() {
  ++pos_;
  if (!at('<')) return "<";
  std::string out = "<<";
  for (++pos_; at('\t') || at('\r') || at(' '); ++pos_) out += text_[pos_];
  return out;
}

std::string Reader::read_name() {
  const auto start = pos_;
  if (!at_end() && is_special_parameter(text_[pos_])) {
    ++pos_;
  } else if (!at_end() && is_digit(text_[pos_])) {
    while (!at_end() && is_digit(text_[pos_])) ++pos_;
  } else {
    while (!at_end() && is_name_char(text_, pos_)) pos_ += char_length(text_, pos_);
  }
  return std::string(text_.substr(start, pos_ - start));
}

std::string Reader::read_dollar() {
  ++pos_;
  if (at('{')) {
    if (++depth_ > k_max_depth) throw syntax_error("substitutions are nested too deeply");
    auto out = read_braces();
    --depth_;
    return out;
  }
  const auto name = read_name();
  if (name.empty()) return "$";
  auto value = value_of(name);
  if (!value && options_.skip_unset) return "$" + name;
  return std::move(value).value_or("");
}

std::string Reader::read_braces() {
  ++pos_;
  if (at_end()) throw syntax_error("syntax error: missing '}'");
  if (at('{') || at('}') || at(':')) throw syntax_error("syntax error: bad substitution");
  const auto name = read_name();
  if (at_end()) throw syntax_error("unsupported modifier () in substitution: missing '}'");
  const auto operation = take_char();
  if (operation == "}") {
    auto value = value_of(name);
    if (!value && options_.skip_unset) return fmt::format("${{{}}}", name);
    return std::move(value).value_or("");
  }
  if (operation == "/") return replace(name);
  if (operation == "#" || operation == "%") return trim_by_pattern(name, operation[0]);
  if (operation == "+" || operation == "-" || operation == "?") return substitute(name, operation[0], false);
  if (operation != ":") throw syntax_error(fmt::format("unsupported modifier ({}) in substitution", operation));
  if (at_end()) throw syntax_error("syntax error: missing '}'");
  const auto second = take_char();
  if (second == "#" || second == "%") {
    throw syntax_error(fmt::format("unsupported modifier (:{}) in substitution", second));
  }
  if (second != "+" && second != "-" && second != "?") {
    read_operand(false);
    throw syntax_error(fmt::format("unsupported modifier (:{}) in substitution", second));
  }
  return substitute(name, second[0], true);
}

// Reads up to the closing brace.
std::string Reader::read_operand(bool raw_escapes) {
  try {
    return read_until('}', raw_escapes, nullptr);
  } catch (const Error&) {
    if (at_end()) throw syntax_error("syntax error: missing '}'");
    throw;
  }
}

std::string Reader::substitute(const std::string& name, char operation, bool empty_is_unset) {
  auto word = read_operand(false);
  auto value = value_of(name);
  if (!value && options_.skip_unset) {
    return fmt::format("${{{}{}{}{}}}", name, empty_is_unset ? ":" : "", operation, word);
  }
  const bool usable = value && !(empty_is_unset && value->empty());
  if (operation == '-') return usable ? *std::move(value) : word;
  if (operation == '+') return usable ? word : "";
  if (usable) return *std::move(value);
  if (word.empty()) word = value ? "is not allowed to be empty" : "is not allowed to be unset";
  throw syntax_error(fmt::format("{}: {}", name, word));
}

std::string Reader::trim_by_pattern(const std::string& name, char operation) {
  const auto word = read_operand(true);
  const auto value = value_of(name);
  if (!value && options_.skip_unset) return fmt::format("${{{}{}{}}}", name, operation, word);
  std::string_view pattern = word;
  const bool longest = pattern.starts_with(operation);
  if (longest) pattern.remove_prefix(1);
  return operation == '#' ? remove_prefix(value.value_or(""), pattern, longest)
                          : remove_suffix(value.value_or(""), pattern, longest);
}

std::string Reader::replace(const std::string& name) {
  const bool all = at('/');
  if (all) ++pos_;
  std::string pattern;
  try {
    pattern = read_until('/', true, nullptr);
  } catch (const Error&) {
    if (at_end()) throw syntax_error("syntax error: missing '/' in ${}");
    throw;
  }
  const auto replacement = read_operand(true);
  const auto value = value_of(name);
  if (!value && options_.skip_unset) return fmt::format("${{{}/{}/{}}}", name, pattern, replacement);
  return replace_matches(value.value_or(""), pattern, replacement, all);
}

}  // namespace

Expansion expand(std::string_view word, const Lookup& lookup, const ExpandOptions& options) {
  Reader reader(word, lookup, options);
  try {
    auto text = reader.read_all(nullptr);
    return {std::move(text), std::move(reader.undefined)};
  } catch (Error& error) {
    error.with_context(fmt::format("failed to process {}", quote(word)));
    throw;
  }
}

std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, const ExpandOptions& options) {
  Reader reader(word, lookup, options);
  Words words;
  try {
    reader.read_all(&words);
  } catch (Error& error) {
    error.with_context(fmt::format("failed to process {}", quote(word)));
    throw;
  }
  return words.take();
}

}  // namespace mbuild::frontend::dockerfile
