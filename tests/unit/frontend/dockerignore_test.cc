#include "frontend/dockerignore.h"

#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend;
using Strings = std::vector<std::string>;

namespace {

bool excluded(const Strings& patterns, std::string_view path) { return IgnoreMatcher(patterns).excludes(path); }

std::string error_of(const Strings& patterns) {
  return samples::message_of([&] { IgnoreMatcher matcher(patterns); });
}

}  // namespace

TEST_CASE("a directory may be named from the root of the context when it is asked whether to skip it") {
  const IgnoreMatcher matcher({"*", "!e/*"});
  for (const char* path : {"e", "/e"}) {
    CHECK(matcher.excludes(path));
    CHECK_FALSE(matcher.can_skip_directory(path));
  }
  CHECK(matcher.can_skip_directory("/f"));
}

TEST_CASE("an ignore file is cleaned up") {
  CHECK(parse_dockerignore("\xef\xbb\xbf#no\n/foo\r\n  ./bar/  \n #yes\n\n! /a/../b\ndir/**\n") ==
        Strings{"foo", "bar", "#yes", "!b", "dir/**"});
  CHECK(samples::message_of([] { parse_dockerignore("a\n!\n"); }) == "illegal exclusion pattern: \"!\"");
  CHECK(error_of({"!"}) == "illegal exclusion pattern: \"!\"");
}

TEST_CASE("a hit on a directory covers what is below") {
  CHECK(excluded({"dir"}, "dir"));
  CHECK(excluded({"dir"}, "dir/a/b"));
  CHECK_FALSE(excluded({"dir"}, "dirt"));
  CHECK_FALSE(excluded({"dir"}, "a/dir"));
  CHECK_FALSE(excluded({"*"}, "."));
}

TEST_CASE("stars and question marks stop at slashes") {
  CHECK(excluded({"*.log"}, "a.log"));
  CHECK_FALSE(excluded({"*.log"}, "d/a.log"));
  CHECK(excluded({"*/*.log"}, "d/a.log"));
  CHECK(excluded({"a?c"}, "aäc"));
  CHECK_FALSE(excluded({"a?c"}, "a/c"));
  CHECK_FALSE(excluded({"*.log"}, "alog"));
}

TEST_CASE("double stars cover any depth") {
  CHECK(excluded({"**/*.log"}, "a.log"));
  CHECK(excluded({"**/*.log"}, "x/y/a.log"));
  CHECK(excluded({"**/deep"}, "x/deep/y"));
  CHECK_FALSE(excluded({"**/deep"}, "x/notdeep"));
  CHECK(excluded({"a/**/b"}, "a/b"));
  CHECK(excluded({"a/**/b"}, "a/x/y/b"));
  CHECK_FALSE(excluded({"a/**/b"}, "a/xb"));
  CHECK(excluded({"a/**"}, "a/x"));
  CHECK_FALSE(excluded({"a/**"}, "a"));
  CHECK(excluded({"**"}, "any/thing"));
  CHECK(excluded({"**end"}, "x/the-end"));
  CHECK(excluded({"**/x/*"}, "a/x/b"));
}

TEST_CASE("classes negate with a caret only") {
  CHECK(excluded({"[a-c]x"}, "bx"));
  CHECK_FALSE(excluded({"[a-c]x"}, "dx"));
  CHECK(excluded({"[^a]x"}, "bx"));
  CHECK_FALSE(excluded({"[^a]x"}, "ax"));
  CHECK(excluded({"[!a]x"}, "!x"));
  CHECK(excluded({"[!a]x"}, "ax"));
  CHECK(excluded({"[\\]]x"}, "]x"));
}

TEST_CASE("escapes protect signs and mean something before letters") {
  CHECK(excluded({"\\*"}, "*"));
  CHECK_FALSE(excluded({"\\*"}, "a"));
  CHECK(excluded({"\\d"}, "7"));
  CHECK_FALSE(excluded({"dir/\\a"}, "dir/a"));
  CHECK_FALSE(excluded({"[\\a]"}, "a"));
  CHECK(excluded({"[\\d_]"}, "7"));
  CHECK(excluded({"[^\\W]"}, "a"));
  CHECK_FALSE(excluded({"\\D"}, "7"));
  CHECK(excluded({"\\x61\\142\\x{e9}"}, "abé"));
}

TEST_CASE("escapes may stand for a place") {
  CHECK(excluded({"\\b*"}, "bz"));
  CHECK_FALSE(excluded({"\\b*"}, ".hid"));
  CHECK_FALSE(excluded({"a\\b"}, "ab"));
  CHECK_FALSE(excluded({"build\\bin"}, "build/bin"));
  CHECK(excluded({"a\\Bb"}, "ab"));
  CHECK(excluded({"\\Aa\\z"}, "a"));
  CHECK_FALSE(excluded({"a\\z*"}, "ab"));
}

TEST_CASE("malformed patterns are refused") {
  for (const auto* pattern : {"[a", "[]a]", "[b-a]", "a\\", "\\q"}) {
    CHECK_THAT(error_of({pattern}), Catch::Matchers::Contains("syntax error in pattern"));
  }
}

TEST_CASE("the last matching pattern wins") {
  const Strings patterns = {"*", "!dir", "dir/*", "!dir/sub", "dir/sub/*.log"};
  CHECK(excluded(patterns, "foo"));
  CHECK_FALSE(excluded(patterns, "dir"));
  CHECK(excluded(patterns, "dir/x"));
  CHECK_FALSE(excluded(patterns, "dir/sub/x"));
  CHECK(excluded(patterns, "dir/sub/x.log"));
  CHECK_FALSE(excluded({"keep", "!keep/k"}, "keep/k"));
}

TEST_CASE("an exception for a directory that was never excluded is not heard below") {
  CHECK(excluded({"*/f", "!d"}, "d/f"));
}

TEST_CASE("a walk with states says the same as single questions") {
  const IgnoreMatcher matcher({"**/x", "!a/x", "a/x/*", "!**/keep"});
  IgnoreMatcher::DirectoryState root, a, x, file;
  CHECK(matcher.excludes("a", root, a) == matcher.excludes("a"));
  CHECK(matcher.excludes("a/x", a, x) == matcher.excludes("a/x"));
  for (const auto* path : {"a/x/y", "a/x/keep"}) CHECK(matcher.excludes(path, x, file) == matcher.excludes(path));
}

TEST_CASE("a directory is skipped when no exception can be below") {
  CHECK(IgnoreMatcher({"dir"}).can_skip_directory("dir"));
  CHECK_FALSE(IgnoreMatcher({"*", "!keep/a/**"}).can_skip_directory("keep"));
  CHECK(IgnoreMatcher({"*", "!keep/a"}).can_skip_directory("other"));
  CHECK_FALSE(IgnoreMatcher({"*", "!**/a"}).can_skip_directory("other"));
}

TEST_CASE("many stars cost no exponential time") {
  std::string pattern, path(2000, 'a');
  for (int i = 0; i < 50; ++i) pattern += "*a";
  CHECK_FALSE(excluded({pattern + "b"}, path));
}
