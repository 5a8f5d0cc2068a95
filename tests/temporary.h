#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/scratch_directory.h"

// What the tests of any room may need of the world around them.
namespace mbuild::testing {

// An empty directory that goes with the object and all it holds.
class TemporaryDirectory : public ScratchDirectory {
 public:
  TemporaryDirectory() : ScratchDirectory(std::filesystem::temp_directory_path().string(), "mbuild-unit") {}
  std::string operator/(std::string_view name) const { return path() + "/" + std::string(name); }
};

// Sets an environment variable for as long as the object lives.
class ScopedVariable {
 public:
  ScopedVariable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) {
      before_ = before;
      was_set_ = true;
    }
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;
  ~ScopedVariable() { was_set_ ? ::setenv(name_.c_str(), before_.c_str(), 1) : ::unsetenv(name_.c_str()); }

 private:
  std::string name_, before_;
  bool was_set_ = false;
};

// "<exit status> <what()>" of the Error that `work` throws, "" when it throws none.
template <typename Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.exit_class)) + " " + error.what();
  }
  return "";
}

inline bool mentions(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace mbuild::testing
