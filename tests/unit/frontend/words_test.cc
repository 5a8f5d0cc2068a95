#include "frontend/dockerfile/words.h"

#include "frontend/dockerfile/text.h"
#include "tests/catch.h"

using namespace mbuild::frontend::dockerfile;
using Strings = std::vector<std::string>;

TEST_CASE("lines split into keyword, flags and rest") {
  const auto line = split_line("  COPY --a='x y' --b\\ c   d  e ", '\\');
  CHECK(line.keyword == "COPY");
  CHECK(line.flags == Strings{"--a=x y", "--b c"});
  CHECK(line.rest == "d  e");
  CHECK(split_line("RUN -x", '\\').rest == "-x");
}

TEST_CASE("quoted words keep their quotes and escapes") {
  CHECK(split_quoted(R"( a="b c"d  'e \' f\ g "h\"i" j\)", '\\') ==
        Strings{"a=\"b c\"d", "'e \\'", "f\\ g", "\"h\\\"i\"", "j"});
  CHECK(split_quoted("a` b", '`') == Strings{"a` b"});
}

TEST_CASE("stray bytes in JSON words are replaced") {
  CHECK(parse_json_words("[\"a\xff\"]") == Strings{"a\xef\xbf\xbd"});
  CHECK(parse_json_words(R"(["\ud800", "\ud83d\ude00", "\\ud800"])") ==
        Strings{"\xef\xbf\xbd", "\xf0\x9f\x98\x80", "\\ud800"});
  CHECK_FALSE(parse_json_words("{}").has_value());
  CHECK_FALSE(parse_json_words("[\"a\"] b").has_value());
}

TEST_CASE("white space is Unicode's, stray bytes are none") {
  CHECK(trim_space("\xc2\xa0 a \xe3\x80\x80") == "a");
  CHECK(trim_space("a\x85") == "a\x85");
  CHECK(trim_space(" \xa0").size() == 1);
}

TEST_CASE("words in messages are quoted") { CHECK(quote("a\"b\\c\n\x01") == "\"a\\\"b\\\\c\\n\\x01\""); }
