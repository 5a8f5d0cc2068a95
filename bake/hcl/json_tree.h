#pragma once

#include <string>
#include <vector>

#include "bake/hcl/source.h"

// JSON with the places of its parts, members in their order and repeated ones kept: what definitions and jsondecode
// are read from.
namespace mbuild::bake::hcl {

enum class JsonKind { null, boolean, number, string, array, object };

struct JsonMember;

struct JsonNode {
  JsonKind kind = JsonKind::null;
  std::string text;  // of a string, decoded; of a number or bool, as written
  Range range;
  std::vector<JsonNode> items;
  std::vector<JsonMember> members;
};

struct JsonMember {
  std::string name;
  Range name_range;
  JsonNode value;
};

// Throws Failure.
JsonNode parse_json_tree(const Source& source);

}  // namespace mbuild::bake::hcl
