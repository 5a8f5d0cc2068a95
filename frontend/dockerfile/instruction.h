#pragma once

#include <string_view>
#include <vector>

#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/syntax.h"

// The second step: arguments are judged and become a typed instruction.
namespace mbuild::frontend::dockerfile {

// `text` is the logical line, `heredocs` the bodies that follow it. Throws Error (usage).
InstructionBody make_body(const Arguments& arguments, std::string_view text, const std::vector<Heredoc>& heredocs);

// The parts that have files of their own: COPY and ADD, RUN, HEALTHCHECK.
CopyInstruction make_copy(const Arguments& arguments, const std::vector<Heredoc>& heredocs);
RunInstruction make_run(const Arguments& arguments, const std::vector<Heredoc>& heredocs);
HealthCheckInstruction make_health_check(const Arguments& arguments);
// The command in `words`, from `first` on: shell form joins them.
Command make_command(const Arguments& arguments, std::size_t first = 0);

}  // namespace mbuild::frontend::dockerfile
