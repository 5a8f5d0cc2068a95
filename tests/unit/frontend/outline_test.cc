#include "frontend/outline.h"

#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

// "name=value@line description", "!" behind what is required.
Strings shown(const std::vector<OutlineItem>& items) {
  Strings out;
  for (const auto& item : items) {
    out.push_back(item.name + "=" + item.value + "@" + std::to_string(item.range.first) + " " + item.description +
                  (item.required ? "!" : ""));
  }
  return out;
}

const char* const k_text =
    "ARG inner=se\nARG other=x\nARG unused=a${other}\n# suffix what follows\nARG suffix=\"${inner}\"\n"
    "FROM ba${suffix} AS first\n# not about it\nARG FOO=123\n# BAR a number\nARG BAR=456\n"
    "RUN --mount=type=secret,id=key,required --mount=type=ssh x\nFROM missing${unused} AS second\nARG BAZ\n"
    "FROM scratch AS third\nARG ABC=a inner\n# goal the thing to build\nFROM third AS goal\n"
    "COPY --from=first /x /\nFROM second\n";

TEST_CASE("the outline has what the target uses") {
  Build build(k_text);
  build.request.target = "goal";
  build.request.build_args = {{"BAR", "678"}, {"unknown", "1"}};
  const Outline outline = frontend::outline(build.request);
  CHECK(outline.name == "goal");
  CHECK(outline.description == "the thing to build");
  CHECK(shown(outline.arguments) ==
        Strings{"inner=se@1 ", "suffix=se@5 what follows", "FOO=123@8 ", "BAR=678@10 a number", "ABC=a@15 "});
  CHECK(shown(outline.secrets) == Strings{"key=@11 !"});
  CHECK(shown(outline.ssh) == Strings{"default=@11 "});
}

TEST_CASE("an outline needs no images, but a Dockerfile that makes sense") {
  CHECK(shown(outline(Build("FROM nowhere\nARG A=$B\n").request).arguments) == Strings{"A=@2 "});
  CHECK_THROWS_AS(outline(Build("FROM base\nSTOPSIGNAL x\n").request), Error);
}

TEST_CASE("arguments that use each other are told once") {
  CHECK(shown(outline(Build("ARG a=1\nARG b=$a\nARG a=$b\nFROM base\nARG a\n").request).arguments) ==
        Strings{"b=1@2 ", "a=1@3 "});
}

TEST_CASE("targets are the stages as they are written") {
  const auto list = targets(Build(k_text).request.dockerfile);
  REQUIRE(list.size() == 5);
  CHECK(list.at(0).name == "first");
  CHECK(list.at(0).base == "ba${suffix}");
  CHECK(list.at(3).description == "the thing to build");
  CHECK(list.at(3).range.first == 17);
  CHECK_FALSE(list.at(3).is_default);
  CHECK(list.at(4).name.empty());
  CHECK(list.at(4).is_default);
}

}  // namespace
}  // namespace mbuild::frontend::testing
