#include "frontend/dockerfile/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/strings.h"
#include "frontend/dockerfile/text.h"

// The rules that need the text only: each is one function that goes over the file and reports its hits.
namespace mbuild::frontend::dockerfile {
namespace {

// Where a rule reports: the file's options are applied here, and for a hit with an instruction the comment above it.
// The rules that compare several instructions report ranges: no comment silences them.
class Report {
 public:
  explicit Report(const Dockerfile& file) : file_(file) {}

  void hit(std::string_view rule, const Instruction& instruction, std::string message) {
    add_warning(warnings, file_.check, instruction.skip, rule, std::move(message), instruction.range);
  }
  void hit(std::string_view rule, Range range, std::string message) {
    add_warning(warnings, file_.check, {}, rule, std::move(message), range);
  }

  std::vector<Warning> warnings;

 private:
  const Dockerfile& file_;
};

bool is_lower(std::string_view text) { return text == to_lower(text); }
bool is_upper(std::string_view text) { return text == to_upper(text); }

using Visit = std::function<void(const Instruction&)>;

void for_each_instruction(const Dockerfile& file, const Visit& visit) {
  for (const auto& stage : file.stages) {
    visit(stage.from);
    for (const auto& instruction : stage.instructions) visit(instruction);
  }
}

void for_each_from(const Dockerfile& file,
                   const std::function<void(const Instruction&, const FromInstruction&)>& visit) {
  for (const auto& stage : file.stages) visit(stage.from, std::get<FromInstruction>(stage.from.body));
}

void check_stage_name_casing(const Dockerfile& file, Report& report) {
  for_each_from(file, [&](const Instruction& instruction, const FromInstruction& from) {
    if (is_lower(from.name_as_written)) return;
    report.hit("StageNameCasing", instruction,
               fmt::format("Stage name '{}' should be lowercase", from.name_as_written));
  });
}

// A keyword in mixed case is ConsistentInstructionCasing's business.
void check_from_as_casing(const Dockerfile& file, Report& report) {
  for_each_from(file, [&](const Instruction& instruction, const FromInstruction& from) {
    const auto& keyword = instruction.keyword;
    if (is_lower(keyword) ? is_lower(from.as_keyword) : !is_upper(keyword) || is_upper(from.as_keyword)) return;
    report.hit("FromAsCasing", instruction,
               fmt::format("'{}' and '{}' keywords' casing do not match", from.as_keyword, keyword));
  });
}

void check_empty_continuation(const Dockerfile& file, Report& report) {
  for (const auto& range : file.empty_continuations) {
    report.hit("NoEmptyContinuation", range, "Empty continuation line");
  }
}

// Keywords should have the casing of the majority, upper case if there is none. Those of global ARGs neither count nor
// are judged.
void check_instruction_casing(const Dockerfile& file, Report& report) {
  int lower = 0, upper = 0;
  for_each_instruction(file, [&](const Instruction& instruction) {
    lower += is_lower(instruction.keyword) ? 1 : 0;
    upper += is_upper(instruction.keyword) ? 1 : 0;
  });
  const bool want_lower = lower > upper;
  for_each_instruction(file, [&](const Instruction& instruction) {
    if (want_lower ? is_lower(instruction.keyword) : is_upper(instruction.keyword)) return;
    report.hit("ConsistentInstructionCasing", instruction.range,
               fmt::format("Command '{}' should match the case of the command majority ({})", instruction.keyword,
                           want_lower ? "lowercase" : "uppercase"));
  });
}

void check_duplicate_stage_name(const Dockerfile& file, Report& report) {
  std::set<std::string_view> seen;
  for_each_from(file, [&](const Instruction& instruction, const FromInstruction& from) {
    if (from.name.empty() || seen.insert(from.name).second) return;
    report.hit("DuplicateStageName", instruction.range,
               fmt::format("Duplicate stage name {}, stage names should be unique", quote(from.name)));
  });
}

void check_reserved_stage_name(const Dockerfile& file, Report& report) {
  for_each_from(file, [&](const Instruction& instruction, const FromInstruction& from) {
    if (from.name != "scratch" && from.name != "context") return;
    report.hit("ReservedStageName", instruction.range,
               fmt::format("Stage name should not use the same name as reserved stage {}", quote(from.name)));
  });
}

void check_maintainer(const Dockerfile& file, Report& report) {
  for_each_instruction(file, [&](const Instruction& instruction) {
    if (!std::holds_alternative<MaintainerInstruction>(instruction.body)) return;
    report.hit("MaintainerDeprecated", instruction, "Maintainer instruction is deprecated in favor of using label");
  });
}

using TextRule = void (*)(const Dockerfile& file, Report& report);

constexpr TextRule k_instruction_rules[] = {check_stage_name_casing, check_from_as_casing, check_empty_continuation,
                                            check_maintainer};
constexpr TextRule k_file_rules[] = {check_instruction_casing, check_duplicate_stage_name, check_reserved_stage_name};

std::vector<Warning> by_line(std::vector<Warning> warnings) {
  std::ranges::stable_sort(warnings, {}, [](const Warning& warning) { return warning.range.first; });
  return warnings;
}

}  // namespace

std::vector<Warning> lint_text(const Dockerfile& dockerfile) {
  Report report(dockerfile);
  for (const auto check : k_instruction_rules) check(dockerfile, report);
  for (const auto check : k_file_rules) check(dockerfile, report);
  return by_line(std::move(report.warnings));
}

std::vector<Warning> lint_instructions(const Dockerfile& dockerfile) {
  Report report(dockerfile);
  for (const auto check : k_instruction_rules) check(dockerfile, report);
  return by_line(std::move(report.warnings));
}

}  // namespace mbuild::frontend::dockerfile
