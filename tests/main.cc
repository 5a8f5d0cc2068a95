#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "tests/needs.h"

// A room whose tests execute the test program again as something else defines this (tests/unit/worker/inner_jobs.cc);
// it does not return when it takes the command line.
extern "C" [[gnu::weak]] void mbuild_test_alternative_main(int argc, char** argv);

namespace {

// How many times something was lacking.
std::map<std::string, int, std::less<>>& lacking() {
  static std::map<std::string, int, std::less<>> counts;
  return counts;
}

// "3 skipped: for lack of root (1), an inner process (2)"
void tell_of_skipped() {
  int all = 0;
  std::string reasons;
  for (const auto& [what, count] : lacking()) {
    all += count;
    reasons += (reasons.empty() ? "" : ", ") + what + " (" + std::to_string(count) + ")";
  }
  std::cout << all << " skipped: for lack of " << reasons << std::endl;
}

}  // namespace

namespace mbuild::testing {

void count_as_skipped(std::string_view what) { ++lacking()[std::string(what)]; }

}  // namespace mbuild::testing

int main(int argc, char** argv) {
  if (mbuild_test_alternative_main != nullptr) mbuild_test_alternative_main(argc, argv);
  const int failed = Catch::Session().run(argc, argv);
  if (lacking().empty()) return failed;
  tell_of_skipped();
  return failed == 0 && std::getenv("MBUILD_TEST_NO_SKIP") != nullptr ? 1 : failed;
}
