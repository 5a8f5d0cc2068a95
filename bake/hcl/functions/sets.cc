#include <algorithm>
#include <iterator>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

using Combine = Elements (*)(const Elements& a, const Elements& b);

bool before(const Value& a, const Value& b) { return compare_in_set(a, b) < 0; }

bool is_known(const Type& type) { return type.kind != Kind::dynamic; }

// Brought to one type, for which an empty set of nothing in particular does not count.
Elements alike(Arguments sets) {
  std::vector<Type> types;
  for (const Value& set : sets) {
    if (element_type(set.type).kind != Kind::dynamic || !elements(set).empty()) {
      types.push_back(element_type(set.type));
    }
  }
  const auto element = types.empty() ? dynamic_type() : unify(types);
  const bool open = element && element->kind == Kind::dynamic && std::any_of(types.begin(), types.end(), is_known);
  if (!element || open) {
    throw CallError("the elements of all sets have to be of one type");
  }
  Elements result;
  for (const Value& set : sets) {
    result.push_back(convert(set, set_of(*element)));
  }
  return result;
}

// The sets in turn.
void define_combination(Table& table, std::string_view name, Combine combine) {
  const Parameter first{"first_set", set_of(dynamic_type())};
  const Parameter others{"other_sets", set_of(dynamic_type())};
  define_variadic(table, name, {first}, others, [combine](Arguments arguments) {
    const Elements sets = alike(arguments);
    Elements result = elements(sets[0]);
    for (std::size_t i = 1; i < sets.size(); ++i) {
      result = combine(result, elements(sets[i]));
    }
    return set_value(element_type(sets[0].type), std::move(result));
  });
}

Elements unite(const Elements& a, const Elements& b) {
  Elements result;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), before);
  return result;
}

Elements intersect(const Elements& a, const Elements& b) {
  Elements result;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), before);
  return result;
}

Elements subtract_set(const Elements& a, const Elements& b) {
  Elements result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), before);
  return result;
}

Elements differ(const Elements& a, const Elements& b) {
  Elements result;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), before);
  return result;
}

// All rows of one element each, the last column changing fastest.
std::vector<Elements> rows_of(const Elements& columns) {
  std::vector<Elements> rows{{}};
  for (const Value& column : columns) {
    std::vector<Elements> longer;
    for (const Elements& row : rows) {
      for (const Value& element : elements(column)) {
        longer.push_back(row);
        longer.back().push_back(element);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

Value setproduct(Arguments arguments) {
  if (arguments.size() < 2) {
    throw CallError("at least two arguments are required");
  }
  Elements columns;
  std::vector<Type> types;
  bool lists = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_sequence(arguments[i].type)) {
      throw CallError("a set or a list is required", i);
    }
    lists = lists && arguments[i].type.kind != Kind::set;
    columns.push_back(convert(arguments[i], list_of(dynamic_type())));
    types.push_back(element_type(columns.back().type));
  }
  Elements product;
  for (Elements& row : rows_of(columns)) {
    product.push_back(tuple_value(std::move(row)));
  }
  Type row = tuple_of(std::move(types));
  return lists ? list_value(std::move(row), std::move(product)) : set_value(std::move(row), std::move(product));
}

Value sethaselement(Arguments arguments) {
  const Elements& all = elements(arguments[0]);
  return bool_value(std::any_of(all.begin(), all.end(), [&](const Value& each) { return equal(each, arguments[1]); }));
}

}  // namespace

void add_sets(Table& table) {
  define_combination(table, "setunion", unite);
  define_combination(table, "setintersection", intersect);
  define_combination(table, "setsubtract", subtract_set);
  define_combination(table, "setsymmetricdifference", differ);
  define_variadic(table, "setproduct", {}, any("sets"), setproduct);
  define(table, "sethaselement", {{"set", set_of(dynamic_type())}, any("elem")}, sethaselement);
}

}  // namespace mbuild::bake::hcl
