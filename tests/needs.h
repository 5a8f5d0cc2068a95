#pragma once

#include <string_view>

// What a test needs of its host. A test that ends early because a host lacks something says nothing, and must not look
// like one that passed: Catch2 before version 3 can't skip, so tests/main.cc counts these, prints one line at the end
// with what was lacking, and with MBUILD_TEST_NO_SKIP in the environment fails, as CI demands.
namespace mbuild::testing {

// Counts the running test as skipped for lack of this. For the thread of the test.
void count_as_skipped(std::string_view lacking);

}  // namespace mbuild::testing

// Leaves the test, or the function that this stands in, unless the host has what is needed.
#define NEEDS(condition, what)                   \
  do {                                           \
    if (!(condition)) {                          \
      ::mbuild::testing::count_as_skipped(what); \
      return;                                    \
    }                                            \
  } while (false)
