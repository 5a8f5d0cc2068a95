#include "frontend/dockerfile/lines.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/table.h"
#include "frontend/dockerfile/text.h"
#include "frontend/dockerfile/words.h"

// The reader works line by line, as what a line means depends on where it stands. Outside an instruction a line is
// blank, a comment, a directive or the start of an instruction; inside a continued instruction blank and comment lines
// are left out; inside a heredoc every byte counts, the line ends too.
//
// Comments are kept for the instruction that they precede: they may describe a stage or an argument, or silence lint
// rules. A bare "#" parts them from what comes before; a blank line doesn't.
namespace mbuild::frontend::dockerfile {
namespace {

constexpr std::size_t k_max_line = 65535;
constexpr std::string_view k_byte_order_mark = "\xef\xbb\xbf";

std::string_view without_line_end(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_comment(std::string_view line) { return trim_left(line).starts_with('#'); }

// Physical lines with their ends.
class Source {
 public:
  explicit Source(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const auto newline = rest_.find('\n');
    const auto line = rest_.substr(0, newline == std::string_view::npos ? newline : newline + 1);
    rest_.remove_prefix(line.size());
    ++number_;
    return line;
  }
  int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

// True when instruction lines of this kind may hold heredocs: RUN, COPY and ADD, also behind ONBUILD, not in JSON form.
bool may_hold_heredocs(std::string_view line) {
  if (line.find("<<") == std::string_view::npos) return false;
  const auto word = first_word(line);
  const auto* info = find_instruction(word);
  if (info != nullptr && info->keyword == Keyword::onbuild) {
    line = trim_left(line);
    line.remove_prefix(word.size());
    info = find_instruction(first_word(line));
  }
  return info != nullptr && info->heredocs;
}

class LineReader {
 public:
  LineReader(std::string_view text, char escape, bool directives) : source_(text) {
    out_.directives.escape = escape;
    if (!directives) scanner_.stop();
  }

  Lines read();

 private:
  void start_line(std::string_view line);
  bool take_directive(std::string_view line);
  void remember_comment(std::string_view line);
  // Reads the instruction whose first line this is, and its heredocs.
  void read_instruction(std::string_view first);
  void read_heredocs(LogicalLine& line);
  // True when the line goes on; the escape and what follows it are cut off.
  bool cut_continuation(std::string_view& line) const;
  void fail(Range range, std::string message) { out_.errors.push_back({range, std::move(message)}); }

  Source source_;
  DirectiveScanner scanner_;
  std::vector<std::string> comments_;
  Lines out_;
};

bool LineReader::cut_continuation(std::string_view& line) const {
  const char escape = out_.directives.escape;
  const auto last = line.find_last_not_of(" \t");
  if (last == std::string_view::npos || line[last] != escape) return false;
  if (last > 0 && line[last - 1] == escape) return false;
  line = line.substr(0, last);
  return true;
}

// BuildKit cuts the first byte, be it the mark or a blank before it: one that is indented says nothing to it.
void LineReader::remember_comment(std::string_view line) {
  const auto comment = trim_space(line.substr(1));
  if (comment.empty()) {
    comments_.clear();
  } else {
    comments_.emplace_back(comment);
  }
}

bool LineReader::take_directive(std::string_view line) {
  std::optional<Directive> directive;
  const int number = source_.number();
  try {
    directive = scanner_.next(line);
  } catch (const Error& error) {
    fail({number, number}, error.message);
    return true;
  }
  if (!directive) return false;
  auto& directives = out_.directives;
  if (directive->name == "syntax") {
    directives.syntax = directive->value;
  } else if (directive->name == "check") {
    directives.check = directive->value;
    directives.check_line = number;
  } else if (directive->value == "`" || directive->value == "\\") {
    directives.escape = directive->value[0];
  } else {
    fail({number, number}, fmt::format("invalid escape token '{}' does not match ` or \\", directive->value));
  }
  return true;
}

void LineReader::start_line(std::string_view line) {
  const auto whole = without_line_end(line);
  line = trim_left(whole);
  if (take_directive(line)) return;
  if (is_comment(line)) {
    remember_comment(whole);
  } else if (!line.empty()) {
    read_instruction(line);
  }
}

void LineReader::read_instruction(std::string_view first) {
  LogicalLine line;
  line.range.first = source_.number();
  line.comments = std::exchange(comments_, {});
  bool goes_on = cut_continuation(first);
  bool has_empty_line = false;
  line.text = first;
  while (goes_on) {
    const auto next = source_.next();
    if (!next) break;
    auto text = without_line_end(*next);
    if (is_comment(text)) continue;
    if (trim_left(text).empty()) {
      has_empty_line = true;
      continue;
    }
    goes_on = cut_continuation(text);
    line.text += text;
  }
  line.range.last = source_.number();
  if (has_empty_line) out_.empty_continuations.push_back({line.range.last, line.range.last});
  read_heredocs(line);
  out_.lines.push_back(std::move(line));
}

void LineReader::read_heredocs(LogicalLine& line) {
  if (!may_hold_heredocs(line.text)) return;
  std::vector<HeredocWord> words;
  try {
    words = heredoc_words(line.text);
  } catch (const Error& error) {
    return fail(line.range, error.what());
  }
  for (const auto& word : words) {
    std::string body;
    for (;;) {
      const auto next = source_.next();
      line.range.last = source_.number();
      if (!next) {
        line.unterminated = true;
        return;
      }
      auto terminator = without_line_end(*next);
      while (word.strip_tabs && terminator.starts_with('\t')) terminator.remove_prefix(1);
      if (terminator == word.name) break;
      body += *next;
    }
    line.heredocs.push_back(make_heredoc(word, std::move(body)));
  }
}

Lines LineReader::read() {
  bool is_first = true;
  while (const auto line = source_.next()) {
    if (std::exchange(is_first, false) && line->starts_with(k_byte_order_mark)) {
      start_line(line->substr(k_byte_order_mark.size()));
    } else {
      start_line(*line);
    }
  }
  return std::move(out_);
}

// syntax and check are looked for behind a "#!" line too, which for the rest is a comment like others.
void read_directives_after_shebang(std::string_view text, Directives& directives) {
  if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
  if (!text.starts_with("#!")) return;
  Source source(text);
  DirectiveScanner scanner;
  source.next();
  while (const auto line = source.next()) {
    const auto directive = scanner.next(without_line_end(*line));
    if (!directive) return;
    if (directive->name == "syntax") directives.syntax = directive->value;
    if (directive->name == "check") {
      directives.check = directive->value;
      directives.check_line = source.number();
    }
  }
}

std::optional<SyntaxError> find_long_line(std::string_view text) {
  Source source(text);
  while (const auto line = source.next()) {
    if (line->size() - (line->ends_with('\n') ? 1 : 0) > k_max_line) {
      return SyntaxError{{source.number(), source.number()},
                         fmt::format("dockerfile line greater than max allowed size of {}", k_max_line)};
    }
  }
  return std::nullopt;
}

}  // namespace

Lines read_lines(std::string_view text, char escape, bool directives) {
  if (auto error = find_long_line(text)) {
    Lines out;
    out.errors.push_back(*std::move(error));
    return out;
  }
  auto out = LineReader(text, escape, directives).read();
  if (!directives) return out;
  try {
    read_directives_after_shebang(text, out.directives);
  } catch (const Error&) {
    // A repeated directive there is a comment that repeats itself.
  }
  return out;
}

std::vector<std::string> source_lines(std::string_view text) {
  std::vector<std::string> out;
  Source source(text);
  while (const auto line = source.next()) out.emplace_back(without_line_end(*line));
  return out;
}

}  // namespace mbuild::frontend::dockerfile
