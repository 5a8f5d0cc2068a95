#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bake/hcl/number.h"
#include "bake/hcl/type.h"

// Values: immutable, cheap to copy, each with its exact type.
namespace mbuild::bake::hcl {

struct Data;

struct Value {
  Type type;
  std::shared_ptr<const Data> data;  // none: null, which may have any type

  bool is_null() const { return data == nullptr; }
};

using Elements = std::vector<Value>;
using Members = std::map<std::string, Value, std::less<>>;

struct Data {
  std::variant<bool, Number, std::string, Elements, Members> content;
};

Value null_value(Type type = {});
Value string_value(std::string text);  // as it is: what comes from outside goes through normalise() first
Value number_value(const Number& number);
Value bool_value(bool truth);
Value tuple_value(Elements elements);  // each of any type
Value object_value(Members attributes);
// All elements have to be of the element type.
Value list_value(Type element, Elements elements);
Value set_value(Type element, Elements elements);  // in any order, with duplicates
Value map_value(Type element, Members members);

// What is in a value that is not null; of a wrong kind they throw Error (internal).
bool as_bool(const Value& value);
const Number& as_number(const Value& value);
const std::string& as_string(const Value& value);
const Elements& elements(const Value& value);  // list, set (in its order), tuple
const Members& members(const Value& value);    // map, object
std::size_t length(const Value& value);        // of any collection, tuple, object

// Equal in type and content; nulls of one type are equal.
bool equal(const Value& a, const Value& b);
// The order of a set's elements, nulls last: negative, 0 or positive.
int compare_in_set(const Value& a, const Value& b);
// Unicode's composed form (NFC); bytes that are no UTF-8 stay.
std::string normalise(std::string_view text);

}  // namespace mbuild::bake::hcl
