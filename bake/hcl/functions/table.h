#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bake/hcl/functions.h"

// The table of the standard functions, which the files of this directory fill. Inner to the room.
namespace mbuild::bake::hcl {

using Table = std::map<std::string, Function, std::less<>>;
using Arguments = std::span<const Value>;

inline Parameter text(std::string name) { return {std::move(name), string_type()}; }
inline Parameter number(std::string name) { return {std::move(name), number_type()}; }
inline Parameter boolean(std::string name) { return {std::move(name), bool_type()}; }
inline Parameter any(std::string name) { return {std::move(name), dynamic_type()}; }
inline Parameter any_or_null(std::string name) { return {std::move(name), dynamic_type(), true}; }
inline Parameter texts(std::string name) { return {std::move(name), list_of(string_type())}; }

void define(Table& table, std::string_view name, std::vector<Parameter> parameters,
            std::function<Value(Arguments)> call);
// `rest` stands for any number of further arguments.
void define_variadic(Table& table, std::string_view name, std::vector<Parameter> parameters, Parameter rest,
                     std::function<Value(Arguments)> call);

void add_arithmetic(Table& table);
void add_comparison(Table& table);
void add_strings(Table& table);
void add_text_parts(Table& table);
void add_format(Table& table);
void add_regex(Table& table);
void add_collection_readers(Table& table);
void add_collection_makers(Table& table);
void add_list_makers(Table& table);
void add_sets(Table& table);
void add_encodings(Table& table);
void add_hashes(Table& table);
void add_identifiers(Table& table);
void add_cidr(Table& table);
void add_dates(Table& table);
void add_paths(Table& table);
void add_versions(Table& table);
void add_unevaluated(Table& table);

// The argument as a whole number. Throws CallError.
std::int64_t whole_argument(Arguments arguments, std::size_t i);
Value text_value(std::string_view text);  // normalised

}  // namespace mbuild::bake::hcl
