#include "bake/variable_value.h"

#include <fmt/format.h>

#include <functional>

#include "bake/entries.h"
#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/json.h"
#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

using hcl::Kind;
using hcl::Value;

[[noreturn]] void refuse(const VariableKind& variable, std::string why) {
  hcl::fail(variable.place, "Invalid value of variable", std::move(why));
}

[[noreturn]] void refuse_type(const VariableKind& variable) {
  const auto type = variable.type.kind == Kind::dynamic ? "dynamic" : hcl::friendly_name(variable.type);
  refuse(variable, fmt::format("unsupported type {} for variable {}; {}_JSON takes it as JSON", type, variable.name,
                               variable.name));
}

std::vector<std::string> fields_of(const VariableKind& variable, const std::string& text) {
  if (text.empty()) {
    refuse(variable, fmt::format("failed to parse {} as {}: it is empty; {}_JSON takes [] and {{}}", variable.name,
                                 hcl::friendly_name(variable.type), variable.name));
  }
  try {
    return split_csv(text);
  } catch (const Error& error) {
    refuse(variable, fmt::format("failed to parse {} as {}: {}", variable.name, hcl::friendly_name(variable.type),
                                 error.message));
  }
}

Value primitive(const VariableKind& variable, const hcl::Type& type, const std::string& text) {
  switch (type.kind) {
    case Kind::dynamic:
    case Kind::string:
      return hcl::string_value(hcl::normalise(text));
    case Kind::number:
      if (auto number = hcl::parse_double(text)) return hcl::number_value(*number);
      refuse(variable, fmt::format("failed to parse {} as number: \"{}\" is none, or too large", variable.name, text));
    case Kind::boolean:
      if (const auto truth = bool_word(text)) return hcl::bool_value(*truth);
      refuse(variable,
             fmt::format("failed to parse {} as bool: \"{}\" is neither true nor false", variable.name, text));
    default:
      refuse_type(variable);
  }
}

hcl::Elements primitives(const VariableKind& variable, const std::string& text) {
  hcl::Elements elements;
  const auto& type = hcl::element_type(variable.type);
  if (!hcl::is_primitive(type)) refuse_type(variable);
  for (const auto& field : fields_of(variable, text)) elements.push_back(primitive(variable, type, field));
  return elements;
}

Value tuple_of_text(const VariableKind& variable, const std::string& text) {
  const auto& types = hcl::tuple_elements(variable.type);
  const auto fields = fields_of(variable, text);
  if (fields.size() != types.size()) {
    refuse(variable, fmt::format("tuple {} expects {} elements but only {} provided", variable.name, types.size(),
                                 fields.size()));
  }
  hcl::Elements elements;
  for (std::size_t i = 0; i < types.size(); ++i) elements.push_back(primitive(variable, types[i], fields[i]));
  return hcl::tuple_value(std::move(elements));
}

// "key:value", where either may be quoted as a field of CSV is.
std::pair<std::string, std::string> key_and_value(const VariableKind& variable, const std::string& field) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if (c == '"' && quoted && i + 1 < field.size() && field[i + 1] == '"') {
      parts.back() += field[i++];
    } else if (c == '"' && (quoted || parts.back().empty())) {
      quoted = !quoted;
    } else if (c == ':' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() != 2)
    refuse(variable,
           fmt::format("failed to parse {} as map: \"{}\" is not one k/v pair KEY:VALUE", variable.name, field));
  return {parts[0], parts[1]};
}

Value map_of_text(const VariableKind& variable, const std::string& text) {
  const auto& type = hcl::element_type(variable.type);
  if (!hcl::is_primitive(type)) refuse_type(variable);
  hcl::Members members;
  for (const auto& field : fields_of(variable, text)) {
    const auto [key, value] = key_and_value(variable, field);
    members[hcl::normalise(key)] = primitive(variable, type, value);
  }
  return hcl::map_value(type, std::move(members));
}

}  // namespace

Value value_of_text(const VariableKind& variable, const std::string& text) {
  if (!variable.declared) return primitive(variable, variable.type, text);
  switch (variable.type.kind) {
    case Kind::list:
      return hcl::list_value(hcl::element_type(variable.type), primitives(variable, text));
    case Kind::set:
      return hcl::set_value(hcl::element_type(variable.type), primitives(variable, text));
    case Kind::map:
      return map_of_text(variable, text);
    case Kind::tuple:
      return tuple_of_text(variable, text);
    case Kind::dynamic:
      refuse_type(variable);
    default:
      return primitive(variable, variable.type, text);
  }
}

Value value_of_json(const VariableKind& variable, const std::string& text) {
  try {
    return hcl::from_json(text, variable.type);
  } catch (const hcl::ConversionError& error) {
    refuse(variable, fmt::format("failed to convert variable {} from JSON: {}", variable.name, error.message));
  }
}

}  // namespace mbuild::bake
