#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bake/hcl/source.h"
#include "bake/hcl/value.h"

// The syntax tree of a definition; native syntax and JSON give the same one.
namespace mbuild::bake::hcl {

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

struct Literal {
  Value value;
};

// A step from a value to a part of it that is known without evaluation: .name, .0, ["key"], [0].
struct Step {
  Value key;               // string or number
  bool attribute = false;  // .name or .0
  Range range;
};

// A name and the steps that directly follow it: target.app.tags[0].
struct Traversal {
  std::string root;
  Range root_range;
  std::vector<Step> steps;
};

struct RelativeTraversal {
  ExpressionPtr object;
  std::vector<Step> steps;
};

struct Index {
  ExpressionPtr object;
  ExpressionPtr key;
};

// The element that a splat's steps begin from.
struct SplatElement {};

struct Splat {
  ExpressionPtr object;
  ExpressionPtr each;  // an expression over SplatElement
};

struct Unary {
  char op = '-';  // or '!'
  ExpressionPtr operand;
};

enum class BinaryOperator {
  logical_or,
  logical_and,
  equal,
  not_equal,
  greater,
  greater_equal,
  less,
  less_equal,
  add,
  subtract,
  multiply,
  divide,
  modulo
};

struct Binary {
  BinaryOperator op = BinaryOperator::add;
  ExpressionPtr left;
  ExpressionPtr right;
};

struct Conditional {
  ExpressionPtr condition;
  ExpressionPtr yes;
  ExpressionPtr no;
};

struct Call {
  std::string name;
  Range name_range;
  std::vector<ExpressionPtr> arguments;
  bool expand = false;  // the last argument is "list..."
};

struct Tuple {
  std::vector<ExpressionPtr> items;
};

struct ObjectItem {
  ExpressionPtr key;  // a bare identifier is a Literal
  ExpressionPtr value;
};

struct Object {
  std::vector<ObjectItem> items;
  bool unique = false;  // a key that is there twice is an error; else the later one counts
};

struct For {
  std::string key_name;  // "" for a loop over values only
  std::string value_name;
  ExpressionPtr collection;
  ExpressionPtr key;  // null: the result is a tuple
  ExpressionPtr value;
  ExpressionPtr condition;  // or null
  bool group = false;       // "value..."
};

// Parts joined as text.
struct Template {
  std::vector<ExpressionPtr> parts;
};

// "${expression}": the value itself.
struct Wrapped {
  ExpressionPtr expression;
};

struct Parentheses {
  ExpressionPtr expression;
};

// %{ for }: like For, but the results are joined.
struct TemplateFor {
  ExpressionPtr loop;
};

// A string of the JSON form: a template, or the text of a type, a name or a reference where such a thing is due.
struct JsonString {
  std::string text;
  ExpressionPtr form;
};

struct Expression {
  Range range;
  std::variant<Literal, Traversal, RelativeTraversal, Index, Splat, SplatElement, Unary, Binary, Conditional, Call,
               Tuple, Object, For, Template, Wrapped, Parentheses, TemplateFor, JsonString>
      form;
};

struct Attribute {
  std::string name;
  ExpressionPtr expression;
  Range name_range;
  Range range;
};

struct Label {
  std::string text;
  Range range;
};

struct Block;

struct Body {
  std::vector<Attribute> attributes;  // in their order, no name twice
  std::vector<Block> blocks;
  Range range;
};

struct Block {
  std::string type;
  std::vector<Label> labels;
  Body body;
  Range type_range;
  Range header_range;  // type and labels
};

// A definition with its text, which all ranges of the body point to: keep it as long as anything of the tree is used.
struct File {
  std::shared_ptr<const Source> source;
  Body body;
};

// The attribute of that name, or null.
const Attribute* find(const Body& body, std::string_view name);

}  // namespace mbuild::bake::hcl
