#include "frontend/dockerfile/table.h"

#include "tests/catch.h"

using namespace mbuild::frontend::dockerfile;

TEST_CASE("the table knows 18 instructions in any case") {
  CHECK(instructions().size() == 18);
  REQUIRE(find_instruction("rUn") != nullptr);
  CHECK(find_instruction("rUn")->keyword == Keyword::run);
  CHECK(find_instruction("NOPE") == nullptr);
}

TEST_CASE("suggestions are near words only") {
  CHECK(suggest_instruction("COPPY") == " (did you mean COPY?)");
  CHECK(suggest_instruction("Coppy") == " (did you mean copy?)");
  CHECK(suggest_instruction("SOMETHING").empty());
  CHECK(suggest_instruction("RUN").empty());
  CHECK(suggest_instruction(std::string(100'000, 'R')).empty());
}

TEST_CASE("the reference names every instruction and flag") {
  const auto text = reference_text();
  for (const auto& info : instructions()) {
    CHECK(text.find(info.name) != std::string::npos);
    for (const auto& flag : info.flags) CHECK(text.find("--" + std::string(flag.name)) != std::string::npos);
  }
}
