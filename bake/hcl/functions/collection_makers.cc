#include <algorithm>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

Value coalesce(Arguments arguments) {
  std::vector<Type> types;
  for (const Value& each : arguments) {
    types.push_back(each.type);
  }
  const auto common = unify(types);
  if (!common) {
    throw CallError("all arguments have to be of one type");
  }
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [](const Value& each) { return !each.is_null(); });
  if (found == arguments.end()) {
    throw CallError("all arguments are null");
  }
  return convert(*found, *common);
}

Value coalescelist(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].type.kind != Kind::list && arguments[i].type.kind != Kind::tuple) {
      throw CallError("a list or tuple is required", i);
    }
  }
  const auto found = std::find_if(arguments.begin(), arguments.end(),
                                  [](const Value& each) { return !each.is_null() && length(each) > 0; });
  if (found == arguments.end()) {
    throw CallError("all lists are empty");
  }
  return *found;
}

// Maps of one type make a map, others an object.
Value merge(Arguments arguments) {
  Members merged;
  bool maps = !arguments.empty() && arguments[0].type.kind == Kind::map;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Value& each = arguments[i];
    if (!is_keyed(each.type) && each.type.kind != Kind::dynamic) {
      throw CallError("a map or object is required", i);
    }
    maps = maps && each.type == arguments[0].type;
    if (each.is_null()) {
      continue;
    }
    for (const auto& [name, member] : members(each)) {
      merged.insert_or_assign(name, member);
    }
  }
  return maps ? map_value(element_type(arguments[0].type), std::move(merged)) : object_value(std::move(merged));
}

Value zipmap(Arguments arguments) {
  const Value& values = arguments[1];
  if (values.type.kind != Kind::list && values.type.kind != Kind::tuple) {
    throw CallError("a list or tuple is required", 1);
  }
  const Elements& names = elements(arguments[0]);
  if (names.size() != length(values)) {
    throw CallError("as many values as keys are required");
  }
  Members zipped;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].is_null()) {
      throw CallError("a key is null", 0);
    }
    zipped.insert_or_assign(as_string(names[i]), elements(values)[i]);
  }
  return values.type.kind == Kind::list ? map_value(element_type(values.type), std::move(zipped))
                                        : object_value(std::move(zipped));
}

}  // namespace

void add_collection_makers(Table& table) {
  define_variadic(table, "coalesce", {}, any_or_null("vals"), coalesce);
  define_variadic(table, "coalescelist", {}, any_or_null("vals"), coalescelist);
  define_variadic(table, "merge", {}, any_or_null("maps"), merge);
  define(table, "zipmap", {texts("keys"), any("values")}, zipmap);
}

}  // namespace mbuild::bake::hcl
