#include "bake/hcl/diagnostic.h"
#include "bake/hcl/parse.h"
#include "tests/unit/bake/hcl/samples.h"

using namespace mbuild::bake::hcl;
using namespace mbuild::bake::hcl::samples;
using Catch::Matchers::Contains;

TEST_CASE("a definition has attributes and blocks with labels and ranges") {
  const File file = parse_native("d.hcl",
                                 "a = 1 # one\n/* two\nlines */\n"
                                 "target \"app\" {\n  tags = [\n    \"x\",\n  ] // three\n}\n"
                                 "group default { targets = [\"app\"] }\nempty x \"y\" {}\n");
  REQUIRE(file.body.attributes.size() == 1);
  REQUIRE(file.body.blocks.size() == 3);
  CHECK(describe(file.body.attributes[0].range) == "d.hcl:1,1-6");
  const Block& target = file.body.blocks[0];
  CHECK(target.type == "target");
  CHECK(target.labels.at(0).text == "app");
  CHECK(describe(target.header_range) == "d.hcl:4,1-13");
  CHECK(describe(find(target.body, "tags")->range) == "d.hcl:5,3-7,4");
  CHECK(file.body.blocks[1].labels.at(0).text == "default");
  CHECK(file.body.blocks[1].body.attributes.size() == 1);
  CHECK(file.body.blocks[2].labels.size() == 2);
}

TEST_CASE("what is no definition is refused where it stands") {
  CHECK_THAT(parse_failure("a = 1 b = 2\n"), Contains("sample.hcl:1,7-8: Missing newline after argument"));
  CHECK_THAT(parse_failure("a = 1\na = 2\n"), Contains("sample.hcl:2,1-2: Attribute redefined"));
  CHECK_THAT(parse_failure("t \"x\" { a = 1 b = 2 }\n"), Contains("Invalid single-line block"));
  CHECK_THAT(parse_failure("t {\n a = 1\n"), Contains("Unclosed block"));
  CHECK_THAT(parse_failure("t {\n} x\n"), Contains("Missing newline after block"));
  CHECK_THAT(parse_failure("a =\n"), Contains("Invalid expression"));
  CHECK_THAT(parse_failure("a ; b\n"), Contains("semicolon"));
  CHECK_THAT(parse_failure("t 'x' {}\n"), Contains("single quote"));
  CHECK_THAT(parse_failure("a = 1 & 2\n"), Contains("operator"));
  CHECK_THAT(parse_failure("/* x"), Contains("Unterminated comment"));
  CHECK_THAT(parse_failure("}\n"), Contains("block definition required"));
  CHECK_THAT(parse_failure("t \"${x}\" {}\n"), Contains("Invalid string literal"));
  CHECK_THAT(parse_failure("a = \"x\ny\"\n"), Contains("multi-line"));
  CHECK_THAT(parse_failure("a = \"\\q\"\n"), Contains("escape"));
  CHECK_THAT(parse_failure("a = \"\xFF\"\n"), Contains("UTF-8"));
  CHECK_THAT(parse_failure("a = <<E\nx\n"), Contains("Unterminated heredoc"));
  CHECK_THAT(parse_failure("a = \"%{ if true }x\"\n"), Contains("endif"));
  CHECK_THAT(parse_failure("a = \"x%{ endif }\"\n"), Contains("Unexpected template directive"));
}

TEST_CASE("expressions within each other have a limit") {
  CHECK(parse_failure("a = " + std::string(50, '(') + "1" + std::string(50, ')') + "\n").empty());
  CHECK_THAT(parse_failure("a = " + std::string(100000, '(') + "\n"), Contains("too deep"));
  CHECK_THAT(parse_failure("a = " + std::string(100000, '-') + "1\n"), Contains("too deep"));
  std::string sum = "a = 1";
  for (int i = 0; i < 100000; ++i) sum += "+1";
  CHECK_THAT(parse_failure(sum + "\n"), Contains("too long"));
}

TEST_CASE("an excerpt marks the lines of a range") {
  const File file = parse_native("d.hcl", "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nf = 6\n");
  const std::string text = excerpt(file.body.attributes[3].range);
  CHECK_THAT(text, Contains("d.hcl:4\n"));
  CHECK_THAT(text, Contains("   2 |     b = 2\n"));
  CHECK_THAT(text, Contains("   4 | >>> d = 4\n"));
  CHECK_THAT(text, !Contains("a = 1"));
}

TEST_CASE("a type expression is a type") {
  const auto name_of = [](const std::string& text) {
    const File file = parse_native("t", "t = " + text + "\n");
    return friendly_name(type_expression(*file.body.attributes[0].expression));
  };
  CHECK(name_of("string") == "string");
  CHECK(name_of("any") == "any type");
  CHECK(name_of("map(list(number))") == "map of list of number");
  CHECK(name_of("object({ a = string, b = optional(bool) })") == "object");
  CHECK(name_of("tuple([string, number])") == "tuple");
  CHECK_THROWS_WITH(name_of("list"), Contains("needs the type of its elements"));
  CHECK_THROWS_WITH(name_of("text"), Contains("There is no type"));
  CHECK_THROWS_WITH(name_of("object({ a = optional(string, 1) })"), Contains("no default"));
}

TEST_CASE("names that an expression depends on leave out those of loops") {
  const File file = parse_native("t", "t = [for v in list: \"${v}-${f(other.a[0])}-${convert(x, string)}\"]\n");
  std::string names;
  for (const Traversal* each : traversals(*file.body.attributes[0].expression)) names += each->root + " ";
  CHECK(names == "list other x ");
  REQUIRE(calls(*file.body.attributes[0].expression).size() == 2);
  CHECK(calls(*file.body.attributes[0].expression)[0]->name == "f");
}
