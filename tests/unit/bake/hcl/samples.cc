#include "tests/unit/bake/hcl/samples.h"

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/json.h"
#include "bake/hcl/parse.h"

namespace mbuild::bake::hcl::samples {

namespace {

Scope sample_scope() {
  Scope scope;
  scope.values = {{"words", tuple_value({string_value("a"), string_value("b")})},
                  {"on", bool_value(true)},
                  {"name", string_value("x")},
                  {"nothing", null_value()}};
  scope.home = "/home/sample";
  return scope;
}

}  // namespace

Value value_of(std::string_view expression) {
  const File file = parse_native("sample.hcl", "it = " + std::string(expression) + "\n");
  return evaluate(*file.body.attributes.at(0).expression, sample_scope());
}

std::string json_of(std::string_view expression) { return to_json(value_of(expression)); }

std::string typed_json_of(std::string_view expression, std::string_view type) {
  const Value value = value_of(expression);
  return friendly_name(value.type) == type ? to_json(value) : friendly_name(value.type);
}

std::string failure_of(std::string_view expression) {
  try {
    value_of(expression);
    return "";
  } catch (const Failure& failure) {
    return failure.diagnostic.summary + "; " + failure.diagnostic.detail;
  }
}

std::string parse_failure(std::string_view definition) {
  try {
    parse_native("sample.hcl", std::string(definition));
    return "";
  } catch (const Failure& failure) {
    return failure.message;
  }
}

}  // namespace mbuild::bake::hcl::samples
