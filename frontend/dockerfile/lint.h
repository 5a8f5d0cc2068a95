#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/dockerfile/syntax.h"

// Build checks: warnings about what is legal and unwise. The rules and their words are BuildKit's.
namespace mbuild::frontend::dockerfile {

struct Rule {
  std::string_view name;         // "StageNameCasing", as in check=skip=
  std::string_view description;  // what the rule is about
  std::string_view url;          // "" when there is no page
  bool experimental = false;     // reported only when check=experimental= names it
};

// All rules, in the order of the documentation.
std::span<const Rule> rules();
// The rule of that name; throws Error (internal) for a name that is not in rules().
const Rule& rule(std::string_view name);

// A hit of a rule: `message` says what is wrong in this case.
Warning make_warning(std::string_view rule_name, std::string message, Range range);

// True when hits of the rule are wanted: not skipped for the file (`options`) nor for the one instruction (`skip`, as
// in Instruction::skip); an experimental rule is asked for by name or by "all" and cannot be skipped.
// Names are compared with case.
bool is_enabled(const Rule& rule, const CheckOptions& options, std::span<const std::string> skip = {});

// Appends the hit to `warnings` if is_enabled().
void add_warning(std::vector<Warning>& warnings, const CheckOptions& options, std::span<const std::string> skip,
                 std::string_view rule_name, std::string message, Range range);

// The value of a check= directive or of BUILDKIT_DOCKERFILE_CHECK: "skip=A,B;error=true;experimental=all".
// Throws Error (usage): invalid check option "x".
CheckOptions parse_check_options(std::string_view text);

// The rules named by "# check=skip=A,B" comment lines (without '#') above an instruction; "all" stands for every rule.
std::vector<std::string> skips_of_comments(std::span<const std::string> comments);

// Runs the rules that need only the text of a file over it: StageNameCasing, FromAsCasing, NoEmptyContinuation,
// ConsistentInstructionCasing, DuplicateStageName, ReservedStageName, MaintainerDeprecated.
// Sorted by line, filtered by Dockerfile::check. parse_dockerfile() has put these in Dockerfile::warnings already; call
// it again after replacing `check` (BUILDKIT_DOCKERFILE_CHECK).
std::vector<Warning> lint_text(const Dockerfile& dockerfile);
// Only those of them that judge each instruction by itself, for a file that ends in an error.
std::vector<Warning> lint_instructions(const Dockerfile& dockerfile);

// The error that check=error=true asks for: "lint violation found for rules: A, B" (sorted, each once), or "" when
// no warning has a rule.
std::string violation_message(std::span<const Warning> warnings);

}  // namespace mbuild::frontend::dockerfile
