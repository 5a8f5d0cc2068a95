#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Types of values. Lists, sets and maps hold one type; tuples and objects hold one for each member.
namespace mbuild::bake::hcl {

enum class Kind { dynamic, string, number, boolean, list, set, map, tuple, object };

struct TypeParts;

// Cheap to copy. `dynamic` is the type of a plain null, and in a type expression "any".
struct Type {
  Kind kind = Kind::dynamic;
  std::shared_ptr<const TypeParts> parts;  // of collections, tuples and objects
};

struct TypeParts {
  std::vector<Type> elements;                           // list, set, map: one; tuple: each
  std::map<std::string, Type, std::less<>> attributes;  // object
  std::set<std::string, std::less<>> optional;          // object: those that may be missing
};

Type string_type();
Type number_type();
Type bool_type();
Type dynamic_type();
Type list_of(Type element);
Type set_of(Type element);
Type map_of(Type element);
Type tuple_of(std::vector<Type> elements);
Type object_of(std::map<std::string, Type, std::less<>> attributes, std::set<std::string, std::less<>> optional = {});

bool is_primitive(const Type& type);                         // string, number, bool
bool is_sequence(const Type& type);                          // list, set, tuple
bool is_keyed(const Type& type);                             // map, object
const Type& element_type(const Type& collection);            // of a list, set or map
const std::vector<Type>& tuple_elements(const Type& tuple);  // of a tuple
const std::map<std::string, Type, std::less<>>& object_attributes(const Type& object);
bool operator==(const Type& a, const Type& b);
bool has_dynamic(const Type& type);  // it, or a part of it, is dynamic

// "string", "list of string", "map of number", "object", "tuple", "any type" as messages and lists say it.
std::string friendly_name(const Type& type);
// Whether values of `from` convert to `to`, as far as the types decide: a text may be no number all the same.
bool is_convertible(const Type& from, const Type& to);
// The type that values of all these convert to, nothing where there is none (or no type).
std::optional<Type> unify(std::span<const Type> types);

}  // namespace mbuild::bake::hcl
