#include "cli/display/end_report.h"

#include "tests/catch.h"

using namespace mbuild::cli;

TEST_CASE("An annotation has a place, and no byte of its text ends it") {
  CHECK(annotation("error", "a/Dockerfile", 3, "no such file") == "::error file=a/Dockerfile,line=3::no such file");
  CHECK(annotation("warning", "a,b:c", 1, "100%\nof x: y") == "::warning file=a%2Cb%3Ac,line=1::100%25%0Aof x: y");
  CHECK(annotation("error", "", 0, "x") == "::error::x");
}
