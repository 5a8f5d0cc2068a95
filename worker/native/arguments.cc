#include "worker/native/arguments.h"

#include <algorithm>

namespace mbuild::executor {
namespace {

using Arguments = std::vector<std::string>;

bool any_starts_with(const Arguments& arguments, std::initializer_list<std::string_view> beginnings) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) {
    return std::ranges::any_of(beginnings, [&](std::string_view one) { return argument.starts_with(one); });
  });
}

bool any_is(const Arguments& arguments, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      arguments, [&](const std::string& argument) { return std::ranges::find(words, argument) != words.end(); });
}

// --general-numeric-sort, however it is written, compares long doubles. Options are words with a dash, and the values
// of -k, which begin with a digit.
bool compares_long_doubles(const Arguments& arguments) {
  return std::ranges::any_of(arguments, [](const std::string& argument) {
    const char first = argument.empty() ? '\0' : argument.front();
    return (first == '-' || first == '+' || (first >= '0' && first <= '9')) && argument.find('g') != argument.npos;
  });
}

// Precompiled headers and modules are memory of the very compiler; plugins are libraries of the platform.
bool needs_own_compiler(const Arguments& arguments) {
  return any_starts_with(arguments,
                         {"@", "-fplugin", "--output-pch", "-output-pch", "-fmodule", "-iprefix", "-Winvalid-pch",
                          "-version", "--version", "--help", "--target-help", "-fself-test"}) ||
         any_is(arguments, {"-v"});
}

// A linker's plugin is looked at by who knows where it comes from (compilers.h).
bool needs_own_linker(const Arguments& arguments) {
  return any_starts_with(arguments, {"@", "--plugin", "-plugin=", "--help", "--target-help", "-V"}) ||
         std::ranges::count(arguments, "-plugin") > 1;
}

}  // namespace

bool needs_emulation(std::string_view name, const Arguments& arguments) {
  if (name == "sort") return compares_long_doubles(arguments);
  if (name == "dpkg-deb" || name == "dpkg-split") return any_starts_with(arguments, {"--ver"});
  if (name == "git") return any_starts_with(arguments, {"--build"});
  if (name == "cc1" || name == "cc1plus" || name == "lto1") return needs_own_compiler(arguments);
  if (name == "ld.bfd") return needs_own_linker(arguments);
  if (name == "as") return any_starts_with(arguments, {"@"});
  return false;
}

}  // namespace mbuild::executor
