#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

// A room whose tests execute the test program again as something else defines this (tests/unit/worker/inner_jobs.cc);
// it does not return when it takes the command line.
extern "C" [[gnu::weak]] void mbuild_test_alternative_main(int argc, char** argv);

int main(int argc, char** argv) {
  if (mbuild_test_alternative_main != nullptr) mbuild_test_alternative_main(argc, argv);
  return Catch::Session().run(argc, argv);
}
