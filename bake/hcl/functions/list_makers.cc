#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::size_t k_range_limit = 1024;

bool is_list(const Value& value) { return value.type.kind == Kind::list || value.type.kind == Kind::tuple; }

void want_list(Arguments arguments, std::size_t i) {
  if (!is_list(arguments[i])) {
    throw CallError("a list or tuple is required", i);
  }
}

// As `like` is: a list of its element type, or a tuple.
Value sequence_like(const Value& like, Elements elements) {
  return like.type.kind == Kind::list ? list_value(element_type(like.type), std::move(elements))
                                      : tuple_value(std::move(elements));
}

// The type that lists have in common, nothing where they are not all lists.
std::optional<Type> common_list(Arguments arguments) {
  std::vector<Type> types;
  for (const Value& each : arguments) {
    if (each.type.kind != Kind::list) {
      return std::nullopt;
    }
    types.push_back(each.type);
  }
  return unify(types);
}

Value concat(Arguments arguments) {
  if (arguments.empty()) {
    throw CallError("at least one list is required");
  }
  const auto common = common_list(arguments);
  Elements all;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    want_list(arguments, i);
    const Value list = common ? convert(arguments[i], *common) : arguments[i];
    all.insert(all.end(), elements(list).begin(), elements(list).end());
  }
  return common ? list_value(element_type(*common), std::move(all)) : tuple_value(std::move(all));
}

Value distinct(Arguments arguments) {
  Elements result;
  for (const Value& each : elements(arguments[0])) {
    if (std::none_of(result.begin(), result.end(), [&](const Value& seen) { return equal(seen, each); })) {
      result.push_back(each);
    }
  }
  return sequence_like(arguments[0], std::move(result));
}

Value compact(Arguments arguments) {
  Elements result;
  for (const Value& each : elements(arguments[0])) {
    if (!each.is_null() && !as_string(each).empty()) {
      result.push_back(each);
    }
  }
  return list_value(string_type(), std::move(result));
}

void flatten_into(Elements& result, const Value& value) {
  for (const Value& each : elements(value)) {
    if (!each.is_null() && is_sequence(each.type)) {
      flatten_into(result, each);
    } else {
      result.push_back(each);
    }
  }
}

Value flatten(Arguments arguments) {
  if (!is_sequence(arguments[0].type)) {
    throw CallError("a list, tuple or set is required", 0);
  }
  Elements result;
  flatten_into(result, arguments[0]);
  return tuple_value(std::move(result));
}

Value chunklist(Arguments arguments) {
  const Value& list = arguments[0];
  const std::int64_t size = whole_argument(arguments, 1);
  if (size < 0) {
    throw CallError("the size of a chunk is 0 or more", 1);
  }
  const Elements& all = elements(list);
  Elements chunks;
  Elements chunk;
  for (const Value& each : all) {
    chunk.push_back(each);
    if (std::ssize(chunk) == size) {
      chunks.push_back(sequence_like(list, std::exchange(chunk, {})));
    }
  }
  if (!chunk.empty()) {
    chunks.push_back(sequence_like(list, std::move(chunk)));
  }
  return list_value(list.type, std::move(chunks));
}

Value reverselist(Arguments arguments) {
  const Value list = arguments[0].type.kind == Kind::set
                         ? convert(arguments[0], list_of(element_type(arguments[0].type)))
                         : arguments[0];
  want_list(std::span(&list, 1), 0);
  const Elements& all = elements(list);
  return sequence_like(list, Elements(all.rbegin(), all.rend()));
}

Value slice(Arguments arguments) {
  want_list(arguments, 0);
  const Elements& all = elements(arguments[0]);
  const std::int64_t begin = whole_argument(arguments, 1);
  const std::int64_t end = whole_argument(arguments, 2);
  if (begin < 0 || begin > end || end > std::ssize(all)) {
    throw CallError(fmt::format("the bounds {} and {} are not in order within 0 and {}", begin, end, all.size()));
  }
  return sequence_like(arguments[0], Elements(all.begin() + begin, all.begin() + end));
}

Value sort(Arguments arguments) {
  Elements all = elements(arguments[0]);
  if (std::any_of(all.begin(), all.end(), [](const Value& each) { return each.is_null(); })) {
    throw CallError("an element is null, which has no order", 0);
  }
  std::stable_sort(all.begin(), all.end(), [](const Value& a, const Value& b) { return as_string(a) < as_string(b); });
  return list_value(string_type(), std::move(all));
}

Elements numbers_between(const Number& start, const Number& end, const Number& step) {
  const int direction = compare(step, Number(0));
  const int distance = compare(end, start);
  if (direction == 0 || (distance != 0 && (direction > 0) != (distance > 0))) {
    throw CallError("the step does not lead from start to end");
  }
  Elements result;
  for (Number number = start; direction > 0 ? compare(number, end) < 0 : compare(number, end) > 0;
       number = add(number, step)) {
    if (result.size() == k_range_limit) {
      throw CallError(fmt::format("there would be more than {} numbers", k_range_limit));
    }
    result.push_back(number_value(number));
  }
  return result;
}

Value range(Arguments arguments) {
  if (arguments.empty() || arguments.size() > 3) {
    throw CallError("one to three numbers are required: end; start and end; start, end and step");
  }
  const Number start = arguments.size() == 1 ? Number(0) : as_number(arguments[0]);
  const Number& end = as_number(arguments[arguments.size() == 1 ? 0 : 1]);
  const Number step = arguments.size() == 3 ? as_number(arguments[2]) : Number(compare(end, start) < 0 ? -1 : 1);
  return list_value(number_type(), numbers_between(start, end, step));
}

}  // namespace

void add_list_makers(Table& table) {
  const Parameter list{"list", list_of(dynamic_type())};
  define_variadic(table, "concat", {}, any("seqs"), concat);
  define(table, "distinct", {list}, distinct);
  define(table, "compact", {texts("list")}, compact);
  define(table, "flatten", {any("list")}, flatten);
  define(table, "chunklist", {list, number("size")}, chunklist);
  define(table, "reverselist", {any("list")}, reverselist);
  define(table, "slice", {any("list"), number("start_index"), number("end_index")}, slice);
  define(table, "sort", {texts("list")}, sort);
  define_variadic(table, "range", {}, number("params"), range);
}

}  // namespace mbuild::bake::hcl
