#include <fmt/format.h>

#include <algorithm>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

void want_list(Arguments arguments, std::size_t i, bool sets) {
  const Kind kind = arguments[i].type.kind;
  if (kind != Kind::list && kind != Kind::tuple && !(sets && kind == Kind::set)) {
    throw CallError(sets ? "a list, tuple or set is required" : "a list or tuple is required", i);
  }
}

void want_keyed(Arguments arguments, std::size_t i) {
  if (!is_keyed(arguments[i].type)) {
    throw CallError("a map or object is required", i);
  }
}

Value length_value(Arguments arguments) {
  const Type& type = arguments[0].type;
  if (!is_sequence(type) && type.kind != Kind::map) {
    throw CallError("a list, tuple, set or map is required", 0);
  }
  return number_value(static_cast<std::int64_t>(length(arguments[0])));
}

Value keys(Arguments arguments) {
  want_keyed(arguments, 0);
  Elements names;
  for (const auto& [name, member] : members(arguments[0])) {
    names.push_back(string_value(name));
  }
  return arguments[0].type.kind == Kind::map ? list_value(string_type(), std::move(names))
                                             : tuple_value(std::move(names));
}

Value values(Arguments arguments) {
  want_keyed(arguments, 0);
  const Type& type = arguments[0].type;
  Elements all;
  for (const auto& [name, member] : members(arguments[0])) {
    all.push_back(member);
  }
  return type.kind == Kind::map ? list_value(element_type(type), std::move(all)) : tuple_value(std::move(all));
}

Value lookup(Arguments arguments) {
  want_keyed(arguments, 0);
  const Type& type = arguments[0].type;
  Value otherwise = type.kind == Kind::map ? convert(arguments[2], element_type(type)) : arguments[2];
  const auto found = members(arguments[0]).find(as_string(arguments[1]));
  return found == members(arguments[0]).end() ? otherwise : found->second;
}

Value element(Arguments arguments) {
  want_list(arguments, 0, false);
  const Elements& all = elements(arguments[0]);
  const std::int64_t index = whole_argument(arguments, 1);
  if (all.empty()) {
    throw CallError("an empty list has no elements");
  }
  const auto size = static_cast<std::int64_t>(all.size());
  return all[static_cast<std::size_t>((index % size + size) % size)];
}

// What the keys of the collection are; other than an index in brackets, those of functions are not converted.
Kind kind_of_keys(const Type& collection) {
  if (collection.kind == Kind::map) {
    return Kind::string;
  }
  if (collection.kind != Kind::list && collection.kind != Kind::tuple) {
    throw CallError("a list, tuple or map is required", 0);
  }
  return Kind::number;
}

// What the key names in the collection, or null.
const Value* find_part(Arguments arguments) {
  const Kind wanted = kind_of_keys(arguments[0].type);
  if (arguments[1].type.kind != wanted) {
    return nullptr;
  }
  if (wanted == Kind::string) {
    const auto found = members(arguments[0]).find(as_string(arguments[1]));
    return found == members(arguments[0]).end() ? nullptr : &found->second;
  }
  const auto index = to_int64(as_number(arguments[1]));
  const bool there = index && *index >= 0 && static_cast<std::size_t>(*index) < length(arguments[0]);
  return there ? &elements(arguments[0])[static_cast<std::size_t>(*index)] : nullptr;
}

Value index(Arguments arguments) {
  const Kind wanted = kind_of_keys(arguments[0].type);
  if (arguments[1].type.kind != wanted) {
    throw CallError(wanted == Kind::string ? "the key of a map is a string" : "the key of a list or tuple is a number",
                    1);
  }
  const Value* part = find_part(arguments);
  if (!part) {
    throw CallError("there is no element of that key", 1);
  }
  return *part;
}

bool contains(const Value& collection, const Value& wanted) {
  return std::any_of(elements(collection).begin(), elements(collection).end(),
                     [&](const Value& each) { return equal(each, wanted); });
}

Value indexof(Arguments arguments) {
  want_list(arguments, 0, false);
  const Elements& all = elements(arguments[0]);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Value& each) { return equal(each, arguments[1]); });
  if (found == all.end()) {
    throw CallError("item not found");
  }
  return number_value(static_cast<std::int64_t>(found - all.begin()));
}

}  // namespace

void add_collection_readers(Table& table) {
  define(table, "length", {any("collection")}, length_value);
  define(table, "keys", {any("inputMap")}, keys);
  define(table, "values", {any("mapping")}, values);
  define(table, "lookup", {any("inputMap"), text("key"), any("default")}, lookup);
  define(table, "element", {any("list"), number("index")}, element);
  define(table, "index", {any("collection"), any("key")}, index);
  define(table, "hasindex", {any("collection"), any("key")},
         [](Arguments arguments) { return bool_value(find_part(arguments) != nullptr); });
  define(table, "contains", {any("list"), any("value")}, [](Arguments arguments) {
    want_list(arguments, 0, true);
    return bool_value(contains(arguments[0], arguments[1]));
  });
  define(table, "indexof", {any("list"), any("value")}, indexof);
}

}  // namespace mbuild::bake::hcl
