#include <fmt/format.h>

#include <map>
#include <set>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/parse.h"
#include "bake/hcl/parser.h"

namespace mbuild::bake::hcl {

namespace {

// The expression itself; that which a string of the JSON form has as its text is parsed into `holder`.
const Expression& native(const Expression& expression, ExpressionPtr& holder) {
  const auto* string = std::get_if<JsonString>(&expression.form);
  if (!string) {
    return expression;
  }
  Cursor cursor{{expression.range.source, string->text, expression.range}, 0, false};
  holder = parse_expression(cursor);
  const Token token = peek(cursor);
  if (token.kind != TokenKind::end) {
    fail(expression.range, "Invalid expression", "The expression is complete before " + describe(token) + ".");
  }
  return *holder;
}

[[noreturn]] void bad_type(const Expression& expression, const std::string& detail) {
  fail(expression.range, "Invalid type specification", detail);
}

Type keyword_type(const Expression& expression, const std::string& name) {
  static const std::map<std::string, Type> k_types{
      {"string", string_type()}, {"number", number_type()}, {"bool", bool_type()}, {"any", dynamic_type()}};
  if (const auto found = k_types.find(name); found != k_types.end()) {
    return found->second;
  }
  if (name == "list" || name == "set" || name == "map") {
    bad_type(expression, fmt::format("\"{0}\" needs the type of its elements, as in {0}(string).", name));
  }
  if (name == "object") {
    bad_type(expression, "\"object\" needs its attributes, as in object({ name = string }).");
  }
  if (name == "tuple") {
    bad_type(expression, "\"tuple\" needs its elements' types, as in tuple([string, number]).");
  }
  bad_type(expression, fmt::format("There is no type \"{}\": there are string, number, bool, any, list, set, map, "
                                   "object and tuple.",
                                   name));
}

Type tuple_type(const Call& call) {
  const auto* tuple = std::get_if<Tuple>(&call.arguments[0]->form);
  if (!tuple) {
    bad_type(*call.arguments[0], "A tuple's elements are stated as a list: tuple([string, number]).");
  }
  std::vector<Type> elements;
  for (const ExpressionPtr& item : tuple->items) {
    elements.push_back(type_expression(*item));
  }
  return tuple_of(std::move(elements));
}

// The T of "optional(T)", or null.
const Expression* optional_type(const Expression& expression) {
  const auto* call = std::get_if<Call>(&expression.form);
  if (!call || call->name != "optional") {
    return nullptr;
  }
  if (call->arguments.size() != 1) {
    bad_type(expression, "\"optional\" takes one type, and no default value.");
  }
  return call->arguments[0].get();
}

std::string attribute_name(const Expression& key) {
  const auto* literal = std::get_if<Literal>(&key.form);
  if (!literal || literal->value.type.kind != Kind::string) {
    bad_type(key, "An attribute of an object type is named by a plain name.");
  }
  return as_string(literal->value);
}

Type object_type(const Call& call) {
  const auto* object = std::get_if<Object>(&call.arguments[0]->form);
  if (!object) {
    bad_type(*call.arguments[0], "An object's attributes stand in braces: object({ name = string }).");
  }
  std::map<std::string, Type, std::less<>> attributes;
  std::set<std::string, std::less<>> optional;
  for (const ObjectItem& item : object->items) {
    const std::string name = attribute_name(*item.key);
    const Expression* inner = optional_type(*item.value);
    if (!attributes.emplace(name, type_expression(inner ? *inner : *item.value)).second) {
      bad_type(*item.key, fmt::format("The attribute \"{}\" is there twice.", name));
    }
    if (inner) {
      optional.insert(name);
    }
  }
  return object_of(std::move(attributes), std::move(optional));
}

Type call_type(const Expression& expression, const Call& call) {
  static const std::map<std::string, Type (*)(Type)> k_collections{{"list", list_of}, {"set", set_of}, {"map", map_of}};
  const auto collection = k_collections.find(call.name);
  if (collection == k_collections.end() && call.name != "object" && call.name != "tuple") {
    bad_type(expression, fmt::format("\"{}\" takes no arguments as a type.", call.name));
  }
  if (call.arguments.size() != 1) {
    bad_type(expression, fmt::format("\"{}\" takes one argument, which says what is in it.", call.name));
  }
  if (collection != k_collections.end()) {
    return collection->second(type_expression(*call.arguments[0]));
  }
  return call.name == "object" ? object_type(call) : tuple_type(call);
}

}  // namespace

Type type_expression(const Expression& expression) {
  ExpressionPtr holder;
  const Expression& type = native(expression, holder);
  if (const auto name = keyword(type)) {
    return keyword_type(type, *name);
  }
  if (const auto* call = std::get_if<Call>(&type.form)) {
    return call_type(type, *call);
  }
  bad_type(type, "A type is a name, such as string, or says what it holds, such as list(string).");
}

std::optional<std::string> keyword(const Expression& expression) {
  ExpressionPtr holder;
  const Expression& name = native(expression, holder);
  const auto* traversal = std::get_if<Traversal>(&name.form);
  return traversal && traversal->steps.empty() ? std::optional(traversal->root) : std::nullopt;
}

std::vector<std::string> keywords(const Expression& list, const std::string& complaint) {
  const auto* tuple = std::get_if<Tuple>(&list.form);
  if (!tuple) {
    fail(list.range, complaint, "A list of names is required.");
  }
  std::vector<std::string> names;
  for (const ExpressionPtr& item : tuple->items) {
    const auto name = keyword(*item);
    if (!name) {
      fail(item->range, complaint, "Each parameter name must be an identifier.");
    }
    names.push_back(*name);
  }
  return names;
}

}  // namespace mbuild::bake::hcl
