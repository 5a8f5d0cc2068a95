#include "bake/hcl/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mbuild::bake::hcl {

namespace {

[[noreturn]] void mismatch(const Type& wanted) { throw ConversionError(friendly_name(wanted) + " required"); }

// `place` names the part in which a conversion fails.
Value convert_part(const Value& value, const Type& type, const std::string& place) {
  try {
    return convert(value, type);
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

// The one type that all elements have in common.
Type common_type(const Value& value) {
  std::vector<Type> types;
  if (is_sequence(value.type)) {
    for (const Value& element : elements(value)) {
      types.push_back(element.type);
    }
  } else {
    for (const auto& [name, member] : members(value)) {
      types.push_back(member.type);
    }
  }
  const auto common = unify(types);
  if (!common) {
    throw ConversionError("all elements have to be of one type");
  }
  return *common;
}

// The type that elements have which were converted to `wanted`: where parts of that are dynamic, what they came to be.
Type settled(const Type& wanted, const std::vector<Type>& types) {
  const bool same = std::all_of(types.begin(), types.end(), [&](const Type& t) { return t == types.front(); });
  return has_dynamic(wanted) && !types.empty() && same ? types.front() : wanted;
}

Value to_sequence(const Value& value, const Type& type) {
  if (!is_sequence(value.type)) {
    mismatch(type);
  }
  const Type& wanted = element_type(type);
  const Type common = wanted.kind == Kind::dynamic ? common_type(value) : wanted;
  Elements converted;
  std::vector<Type> types;
  for (std::size_t i = 0; i < elements(value).size(); ++i) {
    converted.push_back(convert_part(elements(value)[i], common, fmt::format("element {}", i)));
    types.push_back(converted.back().type);
  }
  Type element = settled(common, types);
  return type.kind == Kind::set ? set_value(std::move(element), std::move(converted))
                                : list_value(std::move(element), std::move(converted));
}

Value to_map(const Value& value, const Type& type) {
  if (!is_keyed(value.type)) {
    mismatch(type);
  }
  const Type& wanted = element_type(type);
  const Type common = wanted.kind == Kind::dynamic ? common_type(value) : wanted;
  Members converted;
  std::vector<Type> types;
  for (const auto& [name, member] : members(value)) {
    Value element = convert_part(member, common, fmt::format("element \"{}\"", name));
    types.push_back(element.type);
    converted.emplace_hint(converted.end(), name, std::move(element));
  }
  return map_value(settled(common, types), std::move(converted));
}

Value to_tuple(const Value& value, const Type& type) {
  const auto& wanted = tuple_elements(type);
  if (value.type.kind != Kind::tuple) {
    mismatch(type);
  }
  if (elements(value).size() != wanted.size()) {
    throw ConversionError(fmt::format("tuple of {} elements required", wanted.size()));
  }
  Elements converted;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    converted.push_back(convert_part(elements(value)[i], wanted[i], fmt::format("element {}", i)));
  }
  return tuple_value(std::move(converted));
}

Value to_object(const Value& value, const Type& type) {
  if (!is_keyed(value.type)) {
    mismatch(type);
  }
  Members converted;
  for (const auto& [name, wanted] : object_attributes(type)) {
    const auto found = members(value).find(name);
    if (found != members(value).end()) {
      converted.emplace(name, convert_part(found->second, wanted, fmt::format("attribute \"{}\"", name)));
    } else if (type.parts->optional.contains(name)) {
      converted.emplace(name, null_value(wanted));
    } else {
      throw ConversionError(fmt::format("attribute \"{}\" is required", name));
    }
  }
  return object_value(std::move(converted));
}

}  // namespace

Value convert(const Value& value, const Type& type) {
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

Elements unified(const Elements& values) {
  std::vector<Type> types;
  for (const Value& value : values) {
    types.push_back(value.type);
  }
  const auto common = unify(types);
  if (!common) {
    throw ConversionError("all have to be of one type");
  }
  Elements result;
  for (const Value& value : values) {
    result.push_back(convert(value, *common));
  }
  return result;
}

}  // namespace mbuild::bake::hcl
