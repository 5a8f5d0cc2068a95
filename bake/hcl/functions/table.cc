#include "bake/hcl/functions/table.h"

#include "bake/hcl/value.h"

namespace mbuild::bake::hcl {

namespace {

Table make_table() {
  Table table;
  for (auto* add : {add_arithmetic, add_comparison, add_strings, add_text_parts, add_format, add_regex,
                    add_collection_readers, add_collection_makers, add_list_makers, add_sets, add_encodings, add_hashes,
                    add_identifiers, add_cidr, add_dates, add_paths, add_versions, add_unevaluated}) {
    add(table);
  }
  return table;
}

const Table& standard_table() {
  static const Table table = make_table();
  return table;
}

}  // namespace

void define(Table& table, std::string_view name, std::vector<Parameter> parameters,
            std::function<Value(Arguments)> call) {
  Function function;
  function.parameters = std::move(parameters);
  function.call = std::move(call);
  table.emplace(name, std::move(function));
}

void define_variadic(Table& table, std::string_view name, std::vector<Parameter> parameters, Parameter rest,
                     std::function<Value(Arguments)> call) {
  define(table, name, std::move(parameters), std::move(call));
  table.find(name)->second.rest = std::move(rest);
}

std::int64_t whole_argument(Arguments arguments, std::size_t i) {
  const auto whole = to_int64(as_number(arguments[i]));
  if (!whole) {
    throw CallError("a whole number is required", i);
  }
  return *whole;
}

Value text_value(std::string_view text) { return string_value(normalise(text)); }

const Function* standard_function(std::string_view name) {
  const auto found = standard_table().find(name);
  return found == standard_table().end() ? nullptr : &found->second;
}

std::vector<std::string> standard_function_names() {
  std::vector<std::string> names;
  for (const auto& [name, function] : standard_table()) {
    names.push_back(name);
  }
  return names;
}

}  // namespace mbuild::bake::hcl
