#include "bake/hcl/functions/table.h"
#include "bake/hcl/functions/version_constraint.h"

namespace mbuild::bake::hcl {

namespace {

Value semvercmp(Arguments arguments) {
  const auto version = parse_version(as_string(arguments[0]));
  if (!version) {
    throw CallError("a version as 1.2.3 is required", 0);
  }
  const auto constraints = parse_constraints(as_string(arguments[1]));
  if (!constraints) {
    throw CallError("constraints as \">=1.2, <2\" are required", 1);
  }
  return bool_value(satisfies(*version, *constraints));
}

}  // namespace

void add_versions(Table& table) { define(table, "semvercmp", {text("version"), text("constraint")}, semvercmp); }

}  // namespace mbuild::bake::hcl
