#pragma once

#include <optional>
#include <string>

#include "bake/hcl/syntax.h"
#include "bake/hcl/type.h"
#include "bake/hcl/value.h"

// Variables that are given a value from outside: text to a value of their type.
namespace mbuild::bake {

struct VariableKind {
  std::string name;
  hcl::Range place;       // where errors point to
  bool declared = false;  // its type is declared: else it is that of its default
  hcl::Type type;
};

// Lists are one CSV record, maps one of KEY:VALUE. Throws hcl::Failure.
hcl::Value value_of_text(const VariableKind& variable, const std::string& text);
// A value of the declared type as JSON. Throws hcl::Failure.
hcl::Value value_of_json(const VariableKind& variable, const std::string& text);

}  // namespace mbuild::bake
