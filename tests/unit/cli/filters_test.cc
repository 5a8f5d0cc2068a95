#include "cli/filters.h"

#include "tests/catch.h"

namespace mbuild::cli {
namespace {

struct Thing {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
};

const std::vector<Filter<Thing>> k_filters = {{"name",
                                               [](const std::string& text) -> std::function<bool(const Thing&)> {
                                                 return [text](const Thing& thing) { return thing.name == text; };
                                               }},
                                              {"label",
                                               [](const std::string& text) -> std::function<bool(const Thing&)> {
                                                 return [text](const Thing& thing) {
                                                   return has_label(thing.labels, text);
                                                 };
                                               },
                                               true}};

std::string meant_by(const std::vector<std::string>& texts) {
  const std::vector<Thing> things = {{"a", {{"x", "1"}, {"y", "="}}}, {"b", {{"x", "2"}}}, {"c", {}}};
  const auto is_meant = parse_filters(texts, k_filters);
  std::string out;
  for (const auto& thing : things) {
    if (is_meant(thing)) out += thing.name;
  }
  return out;
}

}  // namespace

TEST_CASE("of values of one filter one has to hold, of labels all, and of several filters all", "[filters]") {
  CHECK(meant_by({}) == "abc");
  CHECK(meant_by({"name=a", "NAME = b"}) == "ab");
  CHECK(meant_by({"label=x"}) == "ab");
  CHECK(meant_by({"label=x=1", "label=y"}) == "a");
  CHECK(meant_by({"label=y=="}) == "a");
  CHECK(meant_by({"name=a", "label=x=2"}) == "");
}

TEST_CASE("a filter that is none is an error", "[filters]") {
  for (const char* wrong : {"", "name", "nane=a", "=a"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(meant_by({wrong}), Error);
  }
}

}  // namespace mbuild::cli
