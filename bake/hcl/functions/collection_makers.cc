#include <algorithm>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

// A plain null, which may be of any type, leaves values that have none in common as they are.
Elements unified_if_typed(Arguments arguments) {
  const bool typed = std::none_of(arguments.begin(), arguments.end(),
                                  [](const Value& each) { return each.type.kind == Kind::dynamic; });
  try {
    return unified(Elements(arguments.begin(), arguments.end()));
  } catch (const ConversionError&) {
    if (typed) {
      throw;
    }
    return {arguments.begin(), arguments.end()};
  }
}

Value coalesce(Arguments arguments) {
  const Elements common = unified_if_typed(arguments);
  const auto found = std::find_if(common.begin(), common.end(), [](const Value& each) { return !each.is_null(); });
  if (found == common.end()) {
    throw CallError("all arguments are null");
  }
  return *found;
}

Value coalescelist(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].type.kind != Kind::list && arguments[i].type.kind != Kind::tuple) {
      throw CallError("a list or tuple is required", i);
    }
    if (!arguments[i].is_null() && length(arguments[i]) > 0) {
      return arguments[i];
    }
  }
  throw CallError("all lists are empty");
}

// Maps of one type make a map, others an object.
Value merge(Arguments arguments) {
  Members merged;
  std::optional<Type> common;
  bool maps = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Value& each = arguments[i];
    if (each.is_null()) {
      continue;
    }
    if (!is_keyed(each.type)) {
      throw CallError("a map or object is required", i);
    }
    maps = maps && each.type.kind == Kind::map && (!common || *common == each.type);
    common = each.type;
    for (const auto& [name, member] : members(each)) {
      merged.insert_or_assign(name, member);
    }
  }
  return maps && common ? map_value(element_type(*common), std::move(merged)) : object_value(std::move(merged));
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
