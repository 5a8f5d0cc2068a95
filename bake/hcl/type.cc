#include "bake/hcl/type.h"

#include <algorithm>
#include <utility>

namespace mbuild::bake::hcl {

namespace {

Type with_parts(Kind kind, TypeParts parts) { return {kind, std::make_shared<const TypeParts>(std::move(parts))}; }

Type collection(Kind kind, Type element) {
  TypeParts parts;
  parts.elements.push_back(std::move(element));
  return with_parts(kind, std::move(parts));
}

}  // namespace

Type string_type() { return {Kind::string, nullptr}; }

Type number_type() { return {Kind::number, nullptr}; }

Type bool_type() { return {Kind::boolean, nullptr}; }

Type dynamic_type() { return {}; }

Type list_of(Type element) { return collection(Kind::list, std::move(element)); }

Type set_of(Type element) { return collection(Kind::set, std::move(element)); }

Type map_of(Type element) { return collection(Kind::map, std::move(element)); }

Type tuple_of(std::vector<Type> elements) { return with_parts(Kind::tuple, {std::move(elements), {}, {}}); }

Type object_of(std::map<std::string, Type, std::less<>> attributes, std::set<std::string, std::less<>> optional) {
  return with_parts(Kind::object, {{}, std::move(attributes), std::move(optional)});
}

bool is_primitive(const Type& type) {
  return type.kind == Kind::string || type.kind == Kind::number || type.kind == Kind::boolean;
}

bool is_sequence(const Type& type) {
  return type.kind == Kind::list || type.kind == Kind::set || type.kind == Kind::tuple;
}

bool is_keyed(const Type& type) { return type.kind == Kind::map || type.kind == Kind::object; }

const Type& element_type(const Type& collection) { return collection.parts->elements.front(); }

const std::vector<Type>& tuple_elements(const Type& tuple) { return tuple.parts->elements; }

const std::map<std::string, Type, std::less<>>& object_attributes(const Type& object) {
  return object.parts->attributes;
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind != b.kind) {
    return false;
  }
  return a.parts == b.parts || (a.parts->elements == b.parts->elements && a.parts->attributes == b.parts->attributes);
}

bool has_dynamic(const Type& type) {
  if (!type.parts) {
    return type.kind == Kind::dynamic;
  }
  const auto& [elements, attributes, optional] = *type.parts;
  return std::any_of(elements.begin(), elements.end(), has_dynamic) ||
         std::any_of(attributes.begin(), attributes.end(), [](const auto& each) { return has_dynamic(each.second); });
}

std::string friendly_name(const Type& type) {
  switch (type.kind) {
    case Kind::dynamic:
      return "any type";
    case Kind::string:
      return "string";
    case Kind::number:
      return "number";
    case Kind::boolean:
      return "bool";
    case Kind::list:
      return "list of " + friendly_name(element_type(type));
    case Kind::set:
      return "set of " + friendly_name(element_type(type));
    case Kind::map:
      return "map of " + friendly_name(element_type(type));
    case Kind::tuple:
      return "tuple";
    case Kind::object:
      return "object";
  }
  std::unreachable();
}

}  // namespace mbuild::bake::hcl
