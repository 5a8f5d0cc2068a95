#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/lines.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/syntax.h"
#include "frontend/dockerfile/table.h"
#include "frontend/dockerfile/words.h"

// Parsing goes on after an error, so that one run tells all that is wrong; what only follows from an earlier error is
// kept out of the list.
namespace mbuild::frontend::dockerfile {
namespace {

constexpr std::size_t k_max_errors = 20;

class Parser {
 public:
  Parser(std::string_view text, std::string name) : lines_(read_lines(text)) {
    for (auto& error : lines_.errors) fail(error.range, std::move(error.message));
    file_.name = std::move(name);
    file_.lines = source_lines(text);
    file_.escape = lines_.directives.escape;
    file_.syntax = lines_.directives.syntax;
    file_.empty_continuations = std::move(lines_.empty_continuations);
  }

  Dockerfile parse(std::vector<Warning>* warnings);

 private:
  void take_check();
  void take_line(LogicalLine& line);
  void add(Instruction instruction);
  void check_whole();
  Error all_errors();
  std::vector<Warning> early_warnings();
  void fail(Range range, std::string message) { errors_.emplace(range.first, SyntaxError{range, std::move(message)}); }

  Lines lines_;
  std::multimap<int, SyntaxError> errors_;  // by line
  Dockerfile file_;
  bool in_stage_ = false;  // also after a FROM that could not be parsed
  bool said_no_stage_ = false;
};

Instruction make_instruction(LogicalLine& line, char escape) {
  const auto arguments = parse_arguments(line.text, escape);
  Instruction out{make_body(arguments, line.text, line.heredocs), arguments.keyword, {}, line.range, {}, {}};
  out.text = std::move(line.text);
  out.skip = skips_of_comments(line.comments);
  out.comments = std::move(line.comments);
  return out;
}

void Parser::take_check() {
  try {
    const std::string_view value = lines_.directives.check;
    file_.check = parse_check_options(value.substr(0, value.find(' ')));  // what follows is a remark
  } catch (const Error& error) {
    const int line = lines_.directives.check_line;
    fail({line, line}, fmt::format("failed to parse check options: {}", error.what()));
  }
}

void Parser::take_line(LogicalLine& line) {
  const auto* info = find_instruction(first_word(line.text));
  if (info != nullptr && info->keyword == Keyword::from) in_stage_ = true;
  if (line.unterminated) return fail(line.range, "unterminated heredoc");
  const auto range = line.range;
  try {
    add(make_instruction(line, file_.escape));
  } catch (const Error& error) {
    fail(range, error.what());
  }
}

void Parser::add(Instruction instruction) {
  if (std::holds_alternative<FromInstruction>(instruction.body)) {
    file_.stages.push_back({std::move(instruction), {}});
  } else if (!in_stage_ && std::holds_alternative<ArgInstruction>(instruction.body)) {
    file_.global_args.push_back(std::move(instruction));
  } else if (!in_stage_) {
    if (!std::exchange(said_no_stage_, true)) fail(instruction.range, "no build stage in current context");
  } else if (!file_.stages.empty()) {
    file_.stages.back().instructions.push_back(std::move(instruction));
  }
}

void Parser::check_whole() {
  const int last = std::max(1, static_cast<int>(file_.lines.size()));
  if (!errors_.empty()) return;
  if (file_.lines.empty()) {
    fail({1, 1}, "the Dockerfile cannot be empty");
  } else if (lines_.lines.empty()) {
    fail({last, last}, "file with no instructions");
  } else if (file_.stages.empty()) {
    fail({last, last}, "dockerfile contains no stages to build");
  }
}

Error Parser::all_errors() {
  std::string message;
  std::vector<Range> places;
  for (const auto& [line, error] : errors_) {
    if (places.size() == k_max_errors) break;
    message += fmt::format("{}dockerfile parse error on line {}: {}", places.empty() ? "" : "\n", line, error.message);
    places.push_back(error.range);
  }
  if (errors_.size() > k_max_errors) message += fmt::format("\nand {} more", errors_.size() - k_max_errors);
  return Error(ExitClass::usage, std::move(message)).with_excerpt(excerpt(file_, places));
}

// What stands before the first error, judged by the rules that look at one instruction at a time.
std::vector<Warning> Parser::early_warnings() {
  std::erase_if(file_.stages, [&](const Stage& stage) { return stage.from.range.first >= errors_.begin()->first; });
  for (Stage& stage : file_.stages) {
    std::erase_if(stage.instructions,
                  [&](const Instruction& instruction) { return instruction.range.first >= errors_.begin()->first; });
  }
  return lint_instructions(file_);
}

Dockerfile Parser::parse(std::vector<Warning>* warnings) {
  take_check();
  for (auto& line : lines_.lines) take_line(line);
  check_whole();
  if (!errors_.empty()) {
    if (warnings != nullptr) *warnings = early_warnings();
    throw all_errors();
  }
  file_.warnings = lint_text(file_);
  return std::move(file_);
}

}  // namespace

Dockerfile parse_dockerfile(std::string_view text, std::string name, std::vector<Warning>* warnings) {
  return Parser(text, std::move(name)).parse(warnings);
}

Instruction parse_trigger(std::string_view text) {
  constexpr char escape = '\\';
  auto lines = read_lines(text, escape, false);
  if (!lines.errors.empty()) throw Error(ExitClass::usage, lines.errors[0].message);
  if (lines.lines.size() != 1) throw Error(ExitClass::usage, "onbuild trigger should be a single expression");
  auto& line = lines.lines[0];
  if (line.unterminated) throw Error(ExitClass::usage, "unterminated heredoc");
  auto instruction = make_instruction(line, escape);
  if (std::holds_alternative<FromInstruction>(instruction.body)) {
    throw Error(ExitClass::usage, "FROM isn't allowed as an ONBUILD trigger");
  }
  return instruction;
}

}  // namespace mbuild::frontend::dockerfile
