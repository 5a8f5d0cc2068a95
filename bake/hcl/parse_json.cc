#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "bake/hcl/json_tree.h"
#include "bake/hcl/parse.h"
#include "bake/hcl/parser.h"

// The JSON form. The reader says which members are blocks; what they hold is found by peeling off labels: each is a
// level of objects by name, and each level may be an array of such instead, whose items count as written one after the
// other.
namespace mbuild::bake::hcl {

namespace {

using Schema = std::vector<BlockSchema>;

ExpressionPtr template_of(const JsonNode& node, std::string_view text) {
  Cursor cursor{{node.range.source, text, node.range}};
  return parse_bare_template(cursor);
}

ExpressionPtr expression_of(const JsonNode& node);

ExpressionPtr object_of(const JsonNode& node) {
  Object object{.items = {}, .unique = true};
  for (const JsonMember& member : node.members) {
    const JsonNode name{JsonKind::string, member.name, member.name_range, {}, {}};
    object.items.push_back({template_of(name, member.name), expression_of(member.value)});
  }
  return make_expression(node.range, std::move(object));
}

ExpressionPtr tuple_of(const JsonNode& node) {
  Tuple tuple;
  for (const JsonNode& item : node.items) {
    tuple.items.push_back(expression_of(item));
  }
  return make_expression(node.range, std::move(tuple));
}

ExpressionPtr expression_of(const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::null:
      return make_expression(node.range, Literal{null_value()});
    case JsonKind::boolean:
      return make_expression(node.range, Literal{bool_value(node.text == "true")});
    case JsonKind::number:
      return make_expression(node.range, Literal{number_value(*parse_number(node.text))});
    case JsonKind::string:
      return make_expression(node.range, JsonString{node.text, template_of(node, node.text)});
    case JsonKind::array:
      return tuple_of(node);
    case JsonKind::object:
      return object_of(node);
  }
  std::unreachable();
}

Body body_of(const JsonNode& node, const Schema& schema);

// The objects that a node stands for: itself, or the items of an array.
std::vector<const JsonNode*> objects_of(const JsonNode& node, std::string_view what) {
  std::vector<const JsonNode*> objects;
  if (node.kind == JsonKind::array) {
    for (const JsonNode& item : node.items) {
      objects.push_back(&item);
    }
  } else if (node.kind != JsonKind::null) {
    objects.push_back(&node);
  }
  for (const JsonNode* object : objects) {
    if (object->kind != JsonKind::object) {
      fail(object->range, "Incorrect JSON value type", fmt::format("A JSON object is required here, for {}.", what));
    }
  }
  return objects;
}

void add_blocks(Body& body, const BlockSchema& schema, const JsonNode& node, Block block) {
  if (std::ssize(block.labels) == schema.labels) {
    for (const JsonNode* content : objects_of(node, fmt::format("the content of \"{}\"", schema.type))) {
      Block each = block;
      each.body = body_of(*content, schema.blocks);
      body.blocks.push_back(std::move(each));
    }
    return;
  }
  const auto levels = objects_of(node, fmt::format("the name of \"{}\"", schema.type));
  if (std::all_of(levels.begin(), levels.end(), [](const JsonNode* level) { return level->members.empty(); })) {
    fail(node.range, "Missing block label",
         fmt::format("At least one object property is required, whose name represents the {} block's name.",
                     schema.type));
  }
  for (const JsonNode* level : levels) {
    for (const JsonMember& labelled : level->members) {
      Block longer = block;
      longer.labels.push_back({labelled.name, labelled.name_range});
      longer.header_range = labelled.name_range;
      add_blocks(body, schema, labelled.value, std::move(longer));
    }
  }
}

void add_attribute(Body& body, const JsonMember& member) {
  if (const Attribute* first = find(body, member.name)) {
    fail(member.name_range, "Duplicate argument",
         fmt::format("The argument \"{}\" was set at {} already.", member.name, describe(first->name_range)));
  }
  body.attributes.push_back(
      {member.name, expression_of(member.value), member.name_range, join(member.name_range, member.value.range)});
}

Body body_of(const JsonNode& node, const Schema& schema) {
  Body body;
  body.range = node.range;
  for (const JsonMember& member : node.members) {
    const auto found = std::find_if(schema.begin(), schema.end(), [&](const auto& s) { return s.type == member.name; });
    if (found != schema.end()) {
      Block block;
      block.type = member.name;
      block.type_range = block.header_range = member.name_range;
      add_blocks(body, *found, member.value, std::move(block));
    } else if (member.name != "//") {
      add_attribute(body, member);
    }
  }
  return body;
}

}  // namespace

File parse_json_form(std::string name, std::string text, const Schema& schema) {
  File file{std::make_shared<const Source>(Source{std::move(name), std::move(text)}), {}};
  const JsonNode root = parse_json_tree(*file.source);
  if (root.kind != JsonKind::object) {
    fail(root.range, "Incorrect JSON value type", "A JSON object is required here, for a definition.");
  }
  file.body = body_of(root, schema);
  return file;
}

}  // namespace mbuild::bake::hcl
