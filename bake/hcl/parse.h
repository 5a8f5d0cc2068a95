#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bake/hcl/syntax.h"
#include "bake/hcl/type.h"

// From text to a syntax tree. All throw Failure.
namespace mbuild::bake::hcl {

File parse_native(std::string name, std::string text);

// In JSON, only the reader knows which members are blocks, and how many labels these have.
struct BlockSchema {
  std::string type;
  int labels = 0;
  std::vector<BlockSchema> blocks;  // those within
};
File parse_json_form(std::string name, std::string text, const std::vector<BlockSchema>& schema);

// One expression, whose places are those of `source`; `begin` is where it starts there.
ExpressionPtr parse_expression(const Source& source, std::size_t begin, std::size_t end);

// Readings of an expression that is not evaluated. All take the strings of the JSON form, too.
// The type that it states: string, list(string), object({a = optional(number)}).
Type type_expression(const Expression& expression);
// The identifier that it is, or nothing.
std::optional<std::string> keyword(const Expression& expression);
// The identifiers of a list; throws Failure with `complaint` as its summary where one is something else.
std::vector<std::string> keywords(const Expression& list, const std::string& complaint);
// All that begins with a name, for finding out what an expression depends on; names of loops are left out.
std::vector<const Traversal*> traversals(const Expression& expression);
std::vector<const Call*> calls(const Expression& expression);

}  // namespace mbuild::bake::hcl
