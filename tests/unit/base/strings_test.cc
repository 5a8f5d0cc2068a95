#include "base/strings.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using mbuild::testing::error_of;
using Words = std::vector<std::string>;

TEST_CASE("Splitting keeps empty parts, and joining undoes it") {
  CHECK(split("a,,b,", ',') == Words{"a", "", "b", ""});
  CHECK(split("", ',') == Words{""});
  CHECK(join(split("a,,b,", ','), ",") == "a,,b,");
  CHECK(join(Words{}, ",").empty());
}

TEST_CASE("Trimming takes blanks from both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ").empty());
  CHECK(trim("/x//", "/") == "x");
}

TEST_CASE("Case is folded in ASCII only") {
  CHECK(to_lower("AbZ[\xC4") == "abz[\xC4");
  CHECK(to_upper("aBz{\xE4") == "ABZ{\xE4");
  CHECK(iequals("Content-Type", "content-tYPE"));
  CHECK_FALSE(iequals("abc", "abcd"));
  CHECK_FALSE(iequals("@", "`"));  // they differ in the bit that tells letters' case
}

TEST_CASE("A CSV record without quotes is split at its commas") {
  CHECK(split_csv("type=oci,dest=a b") == Words{"type=oci", "dest=a b"});
  CHECK(split_csv("a,,") == Words{"a", "", ""});
}

TEST_CASE("A quoted CSV field may hold commas and doubled quotes") {
  CHECK(split_csv(R"("a,b",c)") == Words{"a,b", "c"});
  CHECK(split_csv(R"("say ""hi""",x)") == Words{R"(say "hi")", "x"});
  CHECK(split_csv(R"(a,"")") == Words{"a", ""});
}

TEST_CASE("Stray quotes in a CSV record are usage errors") {
  for (const char* text : {R"(a"b)", R"("a)", R"("a"b)", R"(x,"a)"}) {
    CAPTURE(text);
    CHECK(error_of([&] { split_csv(text); }).starts_with("2 "));
  }
}

TEST_CASE("The edit distance counts insertions, deletions and substitutions") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("same", "same") == 0);
  CHECK(edit_distance("ab", "ba") == 2);
}

TEST_CASE("The nearest known word is offered when it is near enough") {
  const Words known = {"build", "doctor", "prune"};
  CHECK(nearest("biuld", known) == "build");
  CHECK(nearest("PRUNE", known) == "prune");
  CHECK(nearest("elephant", known).empty());
  CHECK(did_you_mean("docter", known) == " (did you mean doctor?)");
  CHECK(did_you_mean("xyz", known).empty());
}

TEST_CASE("A word of which nothing is left is not near") { CHECK(nearest("ab", Words{"xy"}).empty()); }

TEST_CASE("Paths are cleaned without looking at any file") {
  CHECK(clean_path("a//b/./c/") == "a/b/c");
  CHECK(clean_path("/a/../../b") == "/b");
  CHECK(clean_path("a/../../b") == "../b");
  CHECK(clean_path("../../x") == "../../x");
  CHECK(clean_path("a/..") == ".");
  CHECK(clean_path("") == ".");
  CHECK(clean_path("//") == "/");
}

TEST_CASE("A relative path is joined to its base, an absolute one is not") {
  CHECK(join_path("/a/b", "../c") == "/a/c");
  CHECK(join_path("/a/b", "/c/.") == "/c");
  CHECK(join_path("/", "x") == "/x");
}

TEST_CASE("The last component and what is before it") {
  CHECK(base_name("/a/b") == "b");
  CHECK(base_name("a/b/") == "b");
  CHECK(base_name("b") == "b");
  CHECK(base_name("/") == "/");
  CHECK(dir_name("/a/b") == "/a");
  CHECK(dir_name("/a") == "/");
  CHECK(dir_name("b") == ".");
}

TEST_CASE("Sizes have units of powers of 1024") {
  CHECK(parse_size("100") == 100);
  CHECK(parse_size("5b") == 5);
  CHECK(parse_size("128m") == 128U << 20);
  CHECK(parse_size("1.5GB") == 3ULL << 29);
  CHECK(parse_size(" 2 KiB ") == 2048);
  CHECK(parse_size("1t") == 1ULL << 40);
}

TEST_CASE("What is no size is a usage error") {
  for (const char* text : {"", "m", "-1", "1x", "1mm", "1 2", "inf", "nan", "1bb", "1kib2"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_size(text); }) == std::string("2 invalid size: '") + text + "'");
  }
}

TEST_CASE("A size that no number of bytes can hold is a usage error") {
  CHECK(error_of([] { parse_size("99999999999999999999"); }).starts_with("2 invalid size"));
  CHECK(error_of([] { parse_size("99999999t"); }).starts_with("2 invalid size"));
  CHECK(parse_size("15p") == 15ULL << 50);
}

TEST_CASE("Of many the first are named, and how many more there are") {
  CHECK(join_some(std::vector<std::string>{"a", "b"}) == "a, b");
  CHECK(join_some(std::vector<std::string>(50'000, "x"), 2) == "x, x and 49998 more");
}

TEST_CASE("A text is clipped between characters") {
  CHECK(clip_text("short", 5) == "short");
  CHECK(clip_text("a\xE2\x82\xAC and more", 3) == "a... (12 bytes more)");
}
