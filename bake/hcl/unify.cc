#include <algorithm>

#include "bake/hcl/type.h"

// The type that values of several types have in common. Structures of one kind are unified part by part; where that
// does not go, a tuple's elements or an object's attributes are unified to those of a list or map. A plain null, whose
// type is dynamic, takes any type; within structures it makes the result dynamic, and then each value stays as it is.
namespace mbuild::bake::hcl {

namespace {

using Types = std::span<const Type>;

// Kinds that may stand for the collection `kind`: a tuple is often a list in disguise, an object a map.
bool all_are(Types types, Kind kind, Kind disguise) {
  return std::all_of(types.begin(), types.end(),
                     [&](const Type& t) { return t.kind == kind || t.kind == disguise || t.kind == Kind::dynamic; });
}

bool any_is(Types types, Kind kind) {
  return std::any_of(types.begin(), types.end(), [&](const Type& t) { return t.kind == kind; });
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
  const auto element = parts.empty() ? std::optional(dynamic_type()) : unify(parts);
  return element ? std::optional(collection(*element)) : std::nullopt;
}

std::optional<Type> unify_tuples(Types types) {
  const std::size_t size = tuple_elements(types.front()).size();
  const bool alike =
      std::all_of(types.begin(), types.end(), [&](const Type& t) { return tuple_elements(t).size() == size; });
  std::vector<Type> elements;
  for (std::size_t i = 0; alike && i < size; ++i) {
    std::vector<Type> column;
    for (const Type& type : types) {
      column.push_back(tuple_elements(type)[i]);
    }
    const auto element = unify(column);
    if (!element) {
      break;
    }
    elements.push_back(*element);
  }
  return alike && elements.size() == size ? std::optional(tuple_of(std::move(elements))) : unify_as(types, list_of);
}

bool same_names(const Type& a, const Type& b) {
  const auto& left = object_attributes(a);
  const auto& right = object_attributes(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

std::optional<Type> unify_objects(Types types) {
  const bool alike =
      std::all_of(types.begin(), types.end(), [&](const Type& t) { return same_names(types.front(), t); });
  std::map<std::string, Type, std::less<>> attributes;
  for (const auto& [name, first] : object_attributes(types.front())) {
    std::vector<Type> column;
    for (const Type& type : types) {
      if (alike) {
        column.push_back(object_attributes(type).find(name)->second);
      }
    }
    const auto attribute = alike ? unify(column) : std::nullopt;
    if (!attribute) {
      return unify_as(types, map_of);
    }
    attributes.emplace(name, *attribute);
  }
  return alike ? std::optional(object_of(std::move(attributes))) : unify_as(types, map_of);
}

// Numbers and bools have their text in common.
std::optional<Type> unify_primitives(Types types) {
  const bool same = std::all_of(types.begin(), types.end(), [&](const Type& t) { return t == types.front(); });
  if (same) {
    return types.front();
  }
  return std::all_of(types.begin(), types.end(), is_primitive) && any_is(types, Kind::string)
             ? std::optional(string_type())
             : std::nullopt;
}

std::optional<Type> unify_structures(Types types) {
  if (any_is(types, Kind::dynamic)) {
    return dynamic_type();
  }
  if (any_is(types, Kind::map)) {
    return all_are(types, Kind::map, Kind::object) ? unify_as(types, map_of) : std::nullopt;
  }
  if (any_is(types, Kind::list)) {
    return all_are(types, Kind::list, Kind::tuple) || all_are(types, Kind::list, Kind::set) ? unify_as(types, list_of)
                                                                                            : std::nullopt;
  }
  if (any_is(types, Kind::set)) {
    return all_are(types, Kind::set, Kind::tuple) ? unify_as(types, set_of) : std::nullopt;
  }
  if (all_are(types, Kind::object, Kind::object)) {
    return unify_objects(types);
  }
  return all_are(types, Kind::tuple, Kind::tuple) ? unify_tuples(types) : std::nullopt;
}

}  // namespace

std::optional<Type> unify(Types types) {
  std::vector<Type> known;
  std::copy_if(types.begin(), types.end(), std::back_inserter(known),
               [](const Type& t) { return t.kind != Kind::dynamic; });
  if (known.empty()) {
    return dynamic_type();
  }
  const bool primitive = std::any_of(known.begin(), known.end(), is_primitive);
  return primitive ? unify_primitives(known) : unify_structures(types);
}

}  // namespace mbuild::bake::hcl
