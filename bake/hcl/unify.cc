#include <algorithm>
#include <array>
#include <iterator>

#include "bake/hcl/type.h"

// Which types convert to which, and the type that values of several types have in common. Types of one kind are unified
// part by part; a tuple is often a list in disguise, and an object a map. Else the common type is that of the types
// which all others convert to. A plain null, whose type is dynamic, takes any type; beside structures it makes the
// result dynamic, and then each value stays as it is.
namespace mbuild::bake::hcl {

namespace {

using Types = std::span<const Type>;

bool are_all(Types types, std::initializer_list<Kind> kinds) {
  return std::all_of(types.begin(), types.end(),
                     [&](const Type& type) { return std::find(kinds.begin(), kinds.end(), type.kind) != kinds.end(); });
}

bool is_any(Types types, Kind kind) {
  return std::any_of(types.begin(), types.end(), [&](const Type& type) { return type.kind == kind; });
}

// The types of all parts of structures, one after the other.
std::vector<Type> parts_of(Types types) {
  std::vector<Type> parts;
  for (const Type& type : types) {
    parts.insert(parts.end(), type.parts->elements.begin(), type.parts->elements.end());
    for (const auto& [name, attribute] : type.parts->attributes) {
      parts.push_back(attribute);
    }
  }
  return parts;
}

std::optional<Type> unify_as(Types types, Type (*collection)(Type)) {
  const std::vector<Type> parts = parts_of(types);
  const auto element = parts.empty() ? std::nullopt : unify(parts);
  return element ? std::optional(collection(*element)) : std::nullopt;
}

std::optional<Type> unify_tuples(Types types) {
  const std::size_t size = tuple_elements(types.front()).size();
  if (std::any_of(types.begin(), types.end(), [&](const Type& t) { return tuple_elements(t).size() != size; })) {
    return unify_as(types, list_of);
  }
  std::vector<Type> elements;
  for (std::size_t i = 0; i < size; ++i) {
    std::vector<Type> column;
    for (const Type& type : types) {
      column.push_back(tuple_elements(type)[i]);
    }
    const auto element = unify(column);
    if (!element) {
      return std::nullopt;
    }
    elements.push_back(*element);
  }
  return tuple_of(std::move(elements));
}

bool same_names(const Type& a, const Type& b) {
  const auto& left = object_attributes(a);
  const auto& right = object_attributes(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

std::optional<Type> unify_objects(Types types) {
  if (std::any_of(types.begin(), types.end(), [&](const Type& t) { return !same_names(types.front(), t); })) {
    return unify_as(types, map_of);
  }
  std::map<std::string, Type, std::less<>> attributes;
  for (const auto& [name, first] : object_attributes(types.front())) {
    std::vector<Type> column;
    for (const Type& type : types) {
      column.push_back(object_attributes(type).find(name)->second);
    }
    const auto attribute = unify(column);
    if (!attribute) {
      return std::nullopt;
    }
    attributes.emplace(name, *attribute);
  }
  return object_of(std::move(attributes));
}

// Types of which some are `kind` and the others what may stand for it, which are taken as `collection` first.
std::optional<Type> unify_disguised(Types types, Kind disguise, Type (*collection)(Type)) {
  std::vector<Type> disguised;
  std::copy_if(types.begin(), types.end(), std::back_inserter(disguised),
               [&](const Type& type) { return type.kind == disguise; });
  const auto shown = unify_as(disguised, collection);
  if (!shown) {
    return std::nullopt;
  }
  std::vector<Type> all(types.begin(), types.end());
  std::replace_if(all.begin(), all.end(), [&](const Type& type) { return type.kind == disguise; }, *shown);
  const auto common = unify(all);
  return common && common->kind == shown->kind ? common : std::nullopt;
}

// Whether others convert to `a` rather than to `b`. A list is more general than a tuple, and that than a set.
bool is_more_general(const Type& a, const Type& b) {
  constexpr std::array k_order = {Kind::string, Kind::number, Kind::boolean, Kind::list,   Kind::tuple,
                                  Kind::set,    Kind::map,    Kind::object,  Kind::dynamic};
  if (a.kind != b.kind) {
    return std::find(k_order.begin(), k_order.end(), a.kind) < std::find(k_order.begin(), k_order.end(), b.kind);
  }
  const bool collections = a.kind == Kind::list || a.kind == Kind::set || a.kind == Kind::map;
  return collections && is_more_general(element_type(a), element_type(b));
}

std::optional<Type> unify_by_conversion(Types types) {
  std::vector<Type> wanted(types.begin(), types.end());
  std::stable_sort(wanted.begin(), wanted.end(), is_more_general);
  const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const Type& type) {
    return std::all_of(types.begin(), types.end(), [&](const Type& other) { return is_convertible(other, type); });
  });
  return found == wanted.end() ? std::nullopt : std::optional(*found);
}

bool is_tuple_convertible(const Type& tuple, const Type& element) {
  const auto& elements = tuple_elements(tuple);
  if (elements.empty()) {
    return true;
  }
  const auto wanted = element.kind == Kind::dynamic ? unify(elements) : element;
  if (!wanted || (wanted->kind == Kind::dynamic && !are_all(elements, {Kind::dynamic}))) {
    return false;
  }
  return std::all_of(elements.begin(), elements.end(), [&](const Type& type) { return is_convertible(type, *wanted); });
}

bool is_object_convertible(const Type& object, const Type& element) {
  const std::vector<Type> attributes = parts_of(std::span(&object, 1));
  if (attributes.empty()) {
    return true;
  }
  const auto wanted = element.kind == Kind::dynamic ? unify(attributes) : element;
  return wanted && std::all_of(attributes.begin(), attributes.end(),
                               [&](const Type& type) { return is_convertible(type, *wanted); });
}

bool is_convertible_to_tuple(const Type& from, const Type& to) {
  const auto& wanted = tuple_elements(to);
  return from.kind == Kind::tuple && std::equal(tuple_elements(from).begin(), tuple_elements(from).end(),
                                                wanted.begin(), wanted.end(), is_convertible);
}

bool is_convertible_to_object(const Type& from, const Type& to) {
  if (!is_keyed(from)) {
    return false;
  }
  return std::all_of(object_attributes(to).begin(), object_attributes(to).end(), [&](const auto& attribute) {
    const auto& [name, type] = attribute;
    const bool optional = to.parts->optional.contains(name);
    if (from.kind == Kind::map) {
      return optional || is_convertible(element_type(from), type);
    }
    const auto found = object_attributes(from).find(name);
    return found == object_attributes(from).end() ? optional : is_convertible(found->second, type);
  });
}

}  // namespace

bool is_convertible(const Type& from, const Type& to) {
  if (to.kind == Kind::dynamic || from.kind == Kind::dynamic || from == to) {
    return true;
  }
  switch (to.kind) {
    case Kind::string:
      return is_primitive(from);
    case Kind::number:
    case Kind::boolean:
      return from.kind == Kind::string;
    case Kind::list:
    case Kind::set:
      if (from.kind == Kind::tuple) {
        return is_tuple_convertible(from, element_type(to));
      }
      return is_sequence(from) && is_convertible(element_type(from), element_type(to));
    case Kind::map:
      if (from.kind == Kind::object) {
        return is_object_convertible(from, element_type(to));
      }
      return from.kind == Kind::map && is_convertible(element_type(from), element_type(to));
    case Kind::tuple:
      return is_convertible_to_tuple(from, to);
    default:
      return is_convertible_to_object(from, to);
  }
}

std::optional<Type> unify(Types types) {
  const bool nulls = is_any(types, Kind::dynamic);
  const auto unify_collections = [&](Type (*collection)(Type)) {
    return nulls ? std::optional(dynamic_type()) : unify_as(types, collection);
  };
  if (is_any(types, Kind::map) && are_all(types, {Kind::map, Kind::dynamic})) {
    return unify_collections(map_of);
  }
  if (is_any(types, Kind::map) && are_all(types, {Kind::map, Kind::object, Kind::dynamic})) {
    if (const auto common = unify_disguised(types, Kind::object, map_of)) {
      return common;
    }
  } else if (is_any(types, Kind::list) && are_all(types, {Kind::list, Kind::dynamic})) {
    return unify_collections(list_of);
  } else if (is_any(types, Kind::list) && are_all(types, {Kind::list, Kind::tuple, Kind::dynamic})) {
    if (const auto common = unify_disguised(types, Kind::tuple, list_of)) {
      return common;
    }
  } else if (is_any(types, Kind::set) && are_all(types, {Kind::set, Kind::dynamic})) {
    return unify_collections(set_of);
  } else if (is_any(types, Kind::object) && are_all(types, {Kind::object, Kind::dynamic})) {
    return nulls ? std::optional(dynamic_type()) : unify_objects(types);
  } else if (is_any(types, Kind::tuple) && are_all(types, {Kind::tuple, Kind::dynamic})) {
    return nulls ? std::optional(dynamic_type()) : unify_tuples(types);
  } else if (is_any(types, Kind::object) && is_any(types, Kind::tuple)) {
    return std::nullopt;
  }
  return unify_by_conversion(types);
}

}  // namespace mbuild::bake::hcl
