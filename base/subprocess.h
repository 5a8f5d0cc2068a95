#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mbuild {

struct SubprocessResult {
  int status = 0;      // exit status, or 128 + signal
  std::string output;  // standard output
  std::string error;   // standard error
};

// Runs a program found in PATH with standard input from `input`, and waits. `environment` ("NAME=value", or "NAME" to
// take a variable away) is laid over this process's own. Throws Error (host) when it cannot be started; Cancelled when
// stop is requested (the program is killed first; what it started itself is not waited for).
SubprocessResult run_program(const std::vector<std::string>& argv, std::string_view input = {},
                             std::stop_token stop = {}, const std::string& directory = {},
                             const std::vector<std::string>& environment = {});

// The same with standard input from a descriptor, which is closed here once the program has it: whoever fills a pipe
// notices when the program ends.
SubprocessResult run_program_reading(const std::vector<std::string>& argv, Fd input, std::stop_token stop = {},
                                     const std::string& directory = {},
                                     const std::vector<std::string>& environment = {});

// Starts this program again with these arguments, in a session of its own, where interrupts do not reach it, and
// returns its process id. Its standard input is `input`; without one (-1) all its standard streams are /dev/null.
// Throws Error (host) when it cannot be started.
int start_self(const std::vector<std::string>& arguments, int input = -1);

// The program's absolute path when PATH has it, else "".
std::string find_program(const std::string& name);

}  // namespace mbuild
