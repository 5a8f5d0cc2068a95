#include "frontend/dockerfile/expand.h"

#include <map>

#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend::dockerfile;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

namespace {

std::optional<std::string> lookup(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> k_values = {
      {"A", "one"},       {"EMPTY", ""},        {"WORDS", " x  y "}, {"PATHS", "/a/b/c.tar.gz"},
      {"STAR", "a*b/*c"}, {"LINES", "ab\nab"},  {"UTF", "äöü"},      {"SLASHES", "/tmp/tmp/x"},
      {"GLOB", "\\*"},    {"naïve", "accented"}};
  const auto found = k_values.find(name);
  if (found == k_values.end()) return std::nullopt;
  return found->second;
}

std::string text_of(std::string_view word, const ExpandOptions& options = {}) {
  return expand(word, lookup, options).text;
}

std::string error_of(std::string_view word) {
  return samples::message_of([&] { expand(word, lookup); });
}

}  // namespace

TEST_CASE("names are expanded, with and without braces") {
  CHECK(text_of("$A-${A}_$A.") == "one-one_one.");
  CHECK(text_of("<$NONE>") == "<>");
  CHECK(text_of("$naïve $naïve—") == "accented accented—");
  CHECK(text_of("$.$ $%") == "$.$ $%");
}

TEST_CASE("special parameters are empty") {
  CHECK(text_of("a$1b$@c$$d$0e$123f") == "abcdef");
  CHECK(text_of("${1:-x}${@:-y}") == "xy");
}

TEST_CASE("operators choose by unset or by empty") {
  CHECK(text_of("${NONE-x}${EMPTY-x}${A-x}") == "xone");
  CHECK(text_of("${NONE:-x}${EMPTY:-x}${A:-x}") == "xxone");
  CHECK(text_of("${NONE+x}${EMPTY+x}${A+x}") == "xx");
  CHECK(text_of("${NONE:+x}${EMPTY:+x}${A:+x}") == "x");
  CHECK(text_of("${NONE:-${EMPTY:-\"a } b\"}}}") == "a } b}");
  CHECK(text_of("${A?}${EMPTY?no}") == "one");
}

TEST_CASE("mandatory variables") {
  CHECK_THAT(error_of("${NONE?}"), Contains("NONE: is not allowed to be unset"));
  CHECK_THAT(error_of("${EMPTY:?}"), Contains("EMPTY: is not allowed to be empty"));
  CHECK_THAT(error_of("${NONE:?said $A}"), Contains("NONE: said one"));
  CHECK_THAT(error_of("${A:-${NONE:?x}}"), Contains("NONE: x"));
}

TEST_CASE("malformed substitutions are refused") {
  for (const auto* word : {"${}", "${:-x}", "${{x}"})
    CHECK_THAT(error_of(word), Contains("syntax error: bad substitution"));
  for (const auto* word : {"${", "${A:-x", "${A-", "${A:-'x}"}) {
    CHECK_THAT(error_of(word), Contains("syntax error: missing '}'"));
  }
  for (const auto* word : {"${A", "${A:=x}", "${A=x}", "${A:#x}", "${A:%x}", "${A!}", "${ A}"}) {
    CHECK_THAT(error_of(word), Contains("unsupported modifier"));
  }
  CHECK_THAT(error_of("${A/x}"), Contains("missing '/' in ${}"));
  CHECK_THAT(error_of("x$"), Catch::Matchers::Equals(""));
  CHECK_THAT(error_of("${A:=x}"), Contains("failed to process \"${A:=x}\""));
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string word;
  for (int i = 0; i < 100'000; ++i) word += "${A:-";
  CHECK_THAT(error_of(word), Contains("nested too deeply"));
}

TEST_CASE("what multiplies its own length is refused, not computed") {
  const std::string value(4000, 'x');
  const Lookup lookup_long = [&](std::string_view) { return std::optional(value); };
  const auto error = samples::message_of([&] { expand("${V//x/${V//x/$V}}", lookup_long); });
  CHECK_THAT(error, Contains("the value comes to more than 16 MiB"));
}

TEST_CASE("patterns cost the product of the lengths, also where nothing matches") {
  const std::string value(20'000, 'x');
  const Lookup lookup_long = [&](std::string_view) { return std::optional(value); };
  CHECK(expand("${V//*x*y/-}", lookup_long).text == value);
  CHECK(expand("${V//$V?/-}", lookup_long).text == value);
  CHECK(expand("${V//*?**x/-}", lookup_long).text == "-");
}

TEST_CASE("prefixes and suffixes are removed by pattern") {
  CHECK(text_of("${PATHS#*/}|${PATHS##*/}|${PATHS%.*}|${PATHS%%.*}") == "a/b/c.tar.gz|c.tar.gz|/a/b/c.tar|/a/b/c");
  CHECK(text_of("${UTF#?}${UTF%?}") == "öüäö");
  CHECK(text_of("${STAR#a\\*}") == "b/*c");
  CHECK(text_of("${A#x}${A%$NONE}") == "oneone");
  CHECK(text_of("${NONE#x}") == "");
  CHECK_THAT(error_of("${A#\\x}"), Contains("invalid pattern (\\x) in substitution: invalid escape '\\x'"));
}

TEST_CASE("matches are replaced, the first or all, the longest ones") {
  CHECK(text_of("${SLASHES/\\/tmp/}|${SLASHES//\\/tmp/}|${SLASHES//t*p/_}") == "/tmp/x|/x|/_/x");
  CHECK(text_of("${STAR//$GLOB/.}") == "a.b/.c");
  CHECK(text_of("${A/n/$A}") == "oonee");
  CHECK(text_of("${A/$EMPTY/x}") == "xone");
  CHECK(text_of("${A//*/x}${EMPTY//*/x}") == "xx");
  CHECK(text_of("${LINES//a*/x}") == "x\nx");
}

TEST_CASE("where all matches are replaced, dollars in the replacement are those of a template") {
  CHECK(text_of("${A//n/<\\$0>}") == "o<\\n>e");
  CHECK(text_of("${A//n/\\$\\$x.\\${x}") == "o\\$\\.\\${xe");  // the first brace closes
  CHECK(text_of("${A/n/\\$0}") == "o\\$0e");
}

TEST_CASE("quotes and escapes") {
  CHECK(text_of("'$A\\'\"$A\\\"\\$A\\\\\\n\"\\$A\\'") == "$A\\one\"$A\\\\n$A'");
  CHECK(text_of("a\\") == "a");
  CHECK_THAT(error_of("'a"), Contains("unexpected end of statement while looking for matching single-quote"));
  CHECK_THAT(error_of("\"a\\\""), Contains("unexpected end of statement while looking for matching double-quote"));
}

TEST_CASE("the escape character is the directive's") { CHECK(text_of("`$A \\$A", {.escape = '`'}) == "$A \\one"); }

TEST_CASE("raw quotes are ordinary characters") {
  CHECK(text_of("it's \"$A\" '$A' \\$A \\\\ \\\n.", {.raw_quotes = true}) == "it's \"one\" 'one' $A \\ \n.");
}

TEST_CASE("kept quotes protect and stay") {
  CHECK(text_of("'$A' \"$A\"", {.keep_quotes = true}) == "'$A' \"one\"");
  CHECK(text_of("\\$A", {.raw_escapes = true}) == "\\$A");
}

TEST_CASE("unset variables may be left as they stand") {
  CHECK(text_of("$NONE ${NONE} ${NONE:-x} ${NONE#y} ${NONE/a/b} $A", {.skip_unset = true}) ==
        "$NONE ${NONE} ${NONE:-x} ${NONE#y} ${NONE/a/b} one");
}

TEST_CASE("the names that were not set are told") {
  CHECK(expand("$A $X ${Y:-$Z} '$W'", lookup).undefined == std::set<std::string>{"X", "Y", "Z"});
}

TEST_CASE("words split at unquoted blanks, those of a variable too") {
  const auto words = [](const char* text) { return expand_words(text, lookup); };
  CHECK(words("a$WORDS'b c' d\\ e \"$WORDS\"") == Strings{"a", "x", "y", "b c", "d e", " x  y "});
  CHECK(words("  ").empty());
  CHECK(words("80 ${NONE:-81 82} ''") == Strings{"80", "81", "82"});
}
