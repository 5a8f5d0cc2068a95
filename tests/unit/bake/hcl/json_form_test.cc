#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluate.h"
#include "bake/hcl/json.h"
#include "bake/hcl/parse.h"
#include "tests/unit/bake/hcl/samples.h"

using namespace mbuild::bake::hcl;
using Catch::Matchers::Contains;

namespace {

const std::vector<BlockSchema> k_schema{{"variable", 1, {{"validation", 0, {}}}}, {"target", 1, {}}};

File parse_sample(const std::string& text) { return parse_json_form("d.json", text, k_schema); }

}  // namespace

TEST_CASE("the JSON form gives the tree of the native syntax") {
  const std::string text =
      R"({"//": "note", "x": 1, "target": [{"a": {"//": "n", "tags": ["${x}", null]}}, {"b": [{"n": 1}, {"n": 2}]}],)"
      R"-("target": {"a": {"on": true}}, "variable": {"v": {"type": "list(string)", "validation": [{"c": 1}, {"c": 2}]}}})-";
  const File file = parse_sample(text);
  REQUIRE(file.body.attributes.size() == 1);
  REQUIRE(file.body.blocks.size() == 5);
  CHECK(file.body.blocks[0].labels.at(0).text == "a");
  CHECK(file.body.blocks[2].labels.at(0).text == "b");
  CHECK(file.body.blocks[3].body.attributes.at(0).name == "on");
  CHECK(file.body.blocks[4].body.blocks.size() == 2);
  CHECK(friendly_name(type_expression(*find(file.body.blocks[4].body, "type")->expression)) == "list of string");
  Scope scope;
  scope.values = {{"x", number_value(7)}};
  const std::string tags = to_json(evaluate(*find(file.body.blocks[0].body, "tags")->expression, scope));
  CHECK(tags == "[7,null]");
}

TEST_CASE("strings of the JSON form are templates, keys as well") {
  const File file = parse_sample(R"({"x": {"${\"k\"}-1": "%{ if true }${1 + 1}%{ endif }\n\\n", "b": "$${y}"}})");
  CHECK(to_json(evaluate(*file.body.attributes[0].expression, {})) == R"({"b":"${y}","k-1":"2\n\\n"})");
}

TEST_CASE("an object of the JSON form has no key twice") {
  const File file = parse_sample(R"({"x": {"a": 1, "a": 2}})");
  CHECK_THROWS_WITH(evaluate(*file.body.attributes[0].expression, {}),
                    Contains("d.json:1,16-19") && Contains("An attribute named \"a\""));
}

TEST_CASE("JSON that is none is refused with its place") {
  CHECK_THROWS_WITH(parse_sample("{\"a\": 1,}"), Contains("d.json:1,9-10: Invalid JSON"));
  CHECK_THROWS_WITH(parse_sample("{\n\"a\": \"${\"}"), Contains("d.json:2,6-10"));
  CHECK_THROWS_WITH(parse_sample("{\"target\": 1}"), Contains("Incorrect JSON value type"));
  CHECK_THROWS_WITH(parse_sample("[{\"target\": {\"a\": {}}}]"),
                    Contains("d.json:1,1-") && Contains("object is required"));
  for (const char* none : {"null", "{}", "[]", "[{}]"}) {
    CHECK_THROWS_WITH(parse_sample(std::string("{\"target\": ") + none + "}"),
                      Contains("d.json:1,12-") && Contains("Missing block label"));
  }
  CHECK(parse_sample("{\"target\": [{\"a\": {}}, {}]}").body.blocks.size() == 1);
  CHECK_THROWS_WITH(parse_sample("{\"a\": 1, \"a\": 2}"), Contains("Duplicate argument"));
  CHECK_THROWS_WITH(parse_sample("{\"a\": 01}"), Contains("Invalid JSON"));
  CHECK_THROWS_WITH(parse_sample(std::string(100000, '[')), Contains("levels"));
}

TEST_CASE("typed JSON") {
  CHECK(friendly_name(from_json("[1, \"2\"]", list_of(string_type())).type) == "list of string");
  const Value any = from_json(R"({"value": ["a"], "type": ["list", "string"]})", dynamic_type());
  CHECK(friendly_name(any.type) == "list of string");
  CHECK(to_json(any, dynamic_type()) == R"({"value":["a"],"type":["list","string"]})");
  CHECK_THROWS_WITH(from_json("1", list_of(string_type())), Contains("list of string required"));
  CHECK_THROWS_WITH(from_json("{", number_type()), Contains("expected"));
}
