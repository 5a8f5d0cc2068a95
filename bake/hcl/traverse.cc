#include <fmt/format.h>

#include <algorithm>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

namespace mbuild::bake::hcl {

namespace {

std::string shown(const Value& key) {
  return key.type.kind == Kind::string ? fmt::format("\"{}\"", as_string(key)) : as_string(convert(key, string_type()));
}

Value key_as(const Value& key, const Type& type, const Range& range) {
  if (key.is_null()) {
    fail(range, "Invalid index", "The key is null.");
  }
  try {
    return convert(key, type);
  } catch (const ConversionError& error) {
    fail(range, "Invalid index", fmt::format("The key does not fit: {}.", error.message));
  }
}

Value element_of(const Value& collection, const Value& key, bool attribute, const Range& range) {
  if (attribute && key.type.kind == Kind::string) {
    fail(range, "Unsupported attribute",
         fmt::format("A {} has elements, and no attribute {}.", friendly_name(collection.type), shown(key)));
  }
  const Elements& all = elements(collection);
  const Value number = key_as(key, number_type(), range);
  const auto index = to_int64(as_number(number));
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= all.size()) {
    fail(range, "Invalid index",
         fmt::format("There is no element {} in {} element{}, which are counted from 0.", shown(number), all.size(),
                     all.size() == 1 ? "" : "s"));
  }
  return all[static_cast<std::size_t>(*index)];
}

[[noreturn]] void no_member(const Value& collection, const Value& key, bool attribute, const Range& range) {
  std::string names;
  for (const auto& [name, member] : members(collection)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  const std::string there = names.empty() ? "it is empty" : "there are " + names;
  fail(range, attribute ? "Unsupported attribute" : "Invalid index",
       fmt::format("This {} has no {} {}: {}.", collection.type.kind == Kind::map ? "map" : "object",
                   attribute ? "attribute" : "element", shown(key), there));
}

Value member_of(const Value& collection, const Value& key, bool attribute, const Range& range) {
  const Value name = key_as(key, string_type(), range);
  const auto found = members(collection).find(as_string(name));
  if (found == members(collection).end()) {
    no_member(collection, name, attribute, range);
  }
  return found->second;
}

}  // namespace

Value part_of(const Value& collection, const Value& key, bool attribute, const Range& range) {
  if (collection.is_null()) {
    fail(range, attribute ? "Attempt to get attribute from null value" : "Attempt to index null value",
         "This value is null, so it has no parts.");
  }
  if (collection.type.kind == Kind::list || collection.type.kind == Kind::tuple) {
    return element_of(collection, key, attribute, range);
  }
  if (is_keyed(collection.type)) {
    return member_of(collection, key, attribute, range);
  }
  fail(range, attribute ? "Unsupported attribute" : "Invalid index",
       fmt::format("A value of type {} has no parts that could be named.", friendly_name(collection.type)));
}

Value follow(Value value, std::span<const Step> steps) {
  for (const Step& step : steps) {
    value = part_of(value, step.key, step.attribute, step.range);
  }
  return value;
}

Value evaluate_splat(const Splat& splat, const Scope& scope) {
  const Value object = evaluate(*splat.object, scope);
  const bool sequence = is_sequence(object.type);
  if (object.is_null()) {
    if (sequence) {
      fail(splat.object->range, "Splat of null value", "A list that is null has no elements.");
    }
    return tuple_value({});
  }
  Elements results;
  Scope inner;
  inner.outer = &scope;
  for (const Value& element : sequence ? elements(object) : Elements{object}) {
    inner.values.insert_or_assign(std::string(k_splat_element), element);
    results.push_back(evaluate(*splat.each, inner));
  }
  const bool same =
      std::all_of(results.begin(), results.end(), [&](const Value& each) { return each.type == results.front().type; });
  if (!sequence || object.type.kind == Kind::tuple || !same) {
    return tuple_value(std::move(results));
  }
  const bool whole = std::holds_alternative<SplatElement>(splat.each->form);
  Type none = whole ? element_type(object.type) : dynamic_type();
  Type element = results.empty() ? std::move(none) : results.front().type;
  return list_value(std::move(element), std::move(results));
}

}  // namespace mbuild::bake::hcl
