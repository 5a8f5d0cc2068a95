#include "bake/hcl/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mbuild::bake::hcl {

namespace {

Value converted(const Value& value, const Type& type);

[[noreturn]] void mismatch(const Type& wanted) { throw ConversionError(friendly_name(wanted) + " required"); }

// `place` names the part in which a conversion fails.
Value convert_part(const Value& value, const Type& type, const std::string& place) {
  try {
    return converted(value, type);
  } catch (const ConversionError& error) {
    throw ConversionError(place + ": " + error.message);
  }
}

Value to_string_value(const Value& value) {
  switch (value.type.kind) {
    case Kind::number:
      return string_value(to_text(as_number(value)));
    case Kind::boolean:
      return string_value(as_bool(value) ? "true" : "false");
    default:
      mismatch(string_type());
  }
}

Value to_number_value(const Value& value) {
  if (value.type.kind != Kind::string) {
    mismatch(number_type());
  }
  const auto number = parse_number(as_string(value));
  if (!number) {
    throw ConversionError("a number is required");
  }
  return number_value(*number);
}

Value to_bool_value(const Value& value) {
  if (value.type.kind != Kind::string) {
    mismatch(bool_type());
  }
  const std::string& text = as_string(value);
  if (text == "true" || text == "1") {
    return bool_value(true);
  }
  if (text == "false" || text == "0") {
    return bool_value(false);
  }
  throw ConversionError("a bool is required, which as text is \"true\" or \"false\"");
}

// The type that elements of the collection become: `wanted`, or what they have in common where that is left open.
Type element_type_for(const Type& wanted, const Type& collection) {
  if (wanted.kind != Kind::dynamic) {
    return wanted;
  }
  if (collection.kind != Kind::tuple && collection.kind != Kind::object) {
    return element_type(collection);
  }
  std::vector<Type> types = collection.parts->elements;
  for (const auto& [name, attribute] : collection.parts->attributes) {
    types.push_back(attribute);
  }
  const auto common = types.empty() ? dynamic_type() : unify(types);
  if (!common) {
    throw ConversionError("all elements have to be of one type");
  }
  return *common;
}

// The type that elements have which were converted to `wanted`: where parts of that are dynamic, what they came to be.
Type settled(const Type& wanted, const std::vector<Type>& types) {
  if (types.empty() || !has_dynamic(wanted)) {
    return wanted;
  }
  const auto common = unify(types);
  if (!common) {
    throw ConversionError("all elements have to be of one type");
  }
  return *common;
}

Value to_sequence(const Value& value, const Type& type) {
  if (!is_sequence(value.type)) {
    mismatch(type);
  }
  const Type common = element_type_for(element_type(type), value.type);
  Elements result;
  std::vector<Type> types;
  for (std::size_t i = 0; i < elements(value).size(); ++i) {
    result.push_back(convert_part(elements(value)[i], common, fmt::format("element {}", i)));
    types.push_back(result.back().type);
  }
  Type element = settled(common, types);
  for (Value& each : result) {
    each = converted(each, element);
  }
  return type.kind == Kind::set ? set_value(std::move(element), std::move(result))
                                : list_value(std::move(element), std::move(result));
}

Value to_map(const Value& value, const Type& type) {
  if (!is_keyed(value.type)) {
    mismatch(type);
  }
  const Type common = element_type_for(element_type(type), value.type);
  Members result;
  std::vector<Type> types;
  for (const auto& [name, member] : members(value)) {
    Value element = convert_part(member, common, fmt::format("element \"{}\"", name));
    types.push_back(element.type);
    result.emplace_hint(result.end(), name, std::move(element));
  }
  Type element = settled(common, types);
  for (auto& [name, each] : result) {
    each = converted(each, element);
  }
  return map_value(std::move(element), std::move(result));
}

Value to_tuple(const Value& value, const Type& type) {
  const auto& wanted = tuple_elements(type);
  if (value.type.kind != Kind::tuple) {
    mismatch(type);
  }
  if (elements(value).size() != wanted.size()) {
    throw ConversionError(fmt::format("tuple of {} elements required", wanted.size()));
  }
  Elements result;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    result.push_back(convert_part(elements(value)[i], wanted[i], fmt::format("element {}", i)));
  }
  return tuple_value(std::move(result));
}

Value to_object(const Value& value, const Type& type) {
  if (!is_keyed(value.type)) {
    mismatch(type);
  }
  Members result;
  for (const auto& [name, wanted] : object_attributes(type)) {
    const auto found = members(value).find(name);
    if (found != members(value).end()) {
      result.emplace(name, convert_part(found->second, wanted, fmt::format("attribute \"{}\"", name)));
    } else if (type.parts->optional.contains(name)) {
      result.emplace(name, null_value(wanted));
    } else {
      throw ConversionError(fmt::format("attribute \"{}\" is required", name));
    }
  }
  return object_value(std::move(result));
}

Value converted(const Value& value, const Type& type) {
  if (type.kind == Kind::dynamic || value.type == type) {
    return value;
  }
  if (value.is_null()) {
    return null_value(type);
  }
  switch (type.kind) {
    case Kind::string:
      return to_string_value(value);
    case Kind::number:
      return to_number_value(value);
    case Kind::boolean:
      return to_bool_value(value);
    case Kind::list:
    case Kind::set:
      return to_sequence(value, type);
    case Kind::map:
      return to_map(value, type);
    case Kind::tuple:
      return to_tuple(value, type);
    case Kind::object:
      return to_object(value, type);
    case Kind::dynamic:
      break;
  }
  std::unreachable();
}

}  // namespace

Value convert(const Value& value, const Type& type) {
  Value result = converted(value, type);
  if (!is_convertible(value.type, type)) {  // which the value alone does not show: it is null, or empty
    mismatch(type);
  }
  return result;
}

}  // namespace mbuild::bake::hcl
