#include "remote/secrets.h"

#include "tests/catch.h"

using namespace mbuild::remote;

namespace {

std::string cleaned(const std::string& authorization, const std::string& text) {
  return without_secrets(text, secrets_of({{"Authorization", authorization}}));
}

}  // namespace

TEST_CASE("What an answer repeats of the Authorization header is hidden") {
  CHECK(cleaned("Bearer abcdef", "bad token Bearer abcdef!") == "bad token Bearer <hidden>!");
  // "me:pass word"
  CHECK(cleaned("Basic bWU6cGFzcyB3b3Jk", "you sent Basic bWU6cGFzcyB3b3Jk") == "you sent Basic <hidden>");
  CHECK(cleaned("Basic bWU6cGFzcyB3b3Jk", "user me:pass word") == "user <hidden>");
  CHECK(cleaned("Basic bWU6cGFzcyB3b3Jk", "password pass word, pass%20word") == "password <hidden>, <hidden>");
}

TEST_CASE("Nothing else is hidden") {
  CHECK(cleaned("Basic bWU6cGFzcyB3b3Jk", "me and others") == "me and others");
  CHECK(without_secrets("text", secrets_of({{"Accept", "text"}})) == "text");
  CHECK(without_secrets("text", secrets_of({}, {"", "t"})) == "text");
}

TEST_CASE("What else a request says that is secret is hidden, too") {
  CHECK(without_secrets("refused: refresh-me", secrets_of({}, {"refresh-me"})) == "refused: <hidden>");
}
