#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "executor/api/build_request.h"
#include "executor/describe.h"

namespace mbuild::cli {

// Why each step ran, for --explain.
void print_explanations(const executor::BuildResult& result);
// On standard error: the excerpt, "ERROR: ...", and what to do.
void print_error(const Error& error);
// "N warnings found" and a line for each, on standard error.
void print_warnings(std::span<const frontend::dockerfile::Warning> warnings, const std::string& dockerfile);
// The answer of --call=check on standard output. Returns the exit status.
int print_check(const executor::CheckResult& result, bool json);

}  // namespace mbuild::cli
