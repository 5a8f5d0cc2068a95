#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace mbuild {

// What kind of thing went wrong; the value is the exit status of the program.
enum class ExitClass { step_failed = 1, usage = 2, network = 3, store = 4, host = 5, internal = 70 };

// The one exception type: what ends a step or the build. `message` says what failed, `context` (innermost first) in
// what it failed, `advice` what the user can do, `excerpt` shows the place in a source text.
class Error : public std::exception {
 public:
  Error(ExitClass exit_class, std::string message) : exit_class(exit_class), message(std::move(message)) {}

  Error& with_context(std::string text) &;
  Error&& with_context(std::string text) &&;
  Error&& with_advice(std::string text) &&;
  Error&& with_excerpt(std::string text) &&;

  // "outermost: ...: innermost: message", without advice and excerpt.
  const char* what() const noexcept override { return full_.empty() ? message.c_str() : full_.c_str(); }

  ExitClass exit_class;
  std::string message;
  std::vector<std::string> context;
  std::string advice;
  std::string excerpt;
  int code = 0;  // errno of the system call that failed, where one did

 private:
  std::string full_;
};

// True for an error whose cause is a full disk, or a quota that is used up.
bool is_out_of_space(const Error& error);

// An Error of class `usage`.
inline Error usage_error(std::string message) { return Error(ExitClass::usage, std::move(message)); }

// An Error for a failed system call: "operation: strerror(code)". Class `store` unless told otherwise.
Error system_error(int code, std::string_view operation, ExitClass exit_class = ExitClass::store);

// Thrown through the layers when a stop was requested; never shown as a failure of its own.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace mbuild
