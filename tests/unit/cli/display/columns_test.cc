#include "cli/display/columns.h"

#include "tests/catch.h"

using namespace mbuild::cli;

TEST_CASE("Columns are those of a terminal") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("abc") == 3);
  CHECK(columns_of("é") == 1);
  CHECK(columns_of("e\u0301") == 1);
  CHECK(columns_of("日本") == 4);
  CHECK(columns_of("🚀!") == 3);
}

TEST_CASE("A text is cut between characters, and says so") {
  CHECK(fit_columns("abc", 3) == "abc");
  CHECK(fit_columns("abcd", 3) == "ab…");
  CHECK(fit_columns("日本語", 5) == "日本…");
  CHECK(fit_columns("日本語", 4) == "日…");
  CHECK(fit_columns("日本", 4) == "日本");
  CHECK(fit_columns("abc", 1) == "…");
  CHECK(fit_columns("abc", 0).empty());
  CHECK(fit_columns("e\u0301e\u0301", 2) == "e\u0301e\u0301");
}
