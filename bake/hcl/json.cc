#include "bake/hcl/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/json_tree.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::string_view k_line_separator = "\xE2\x80\xA8";
constexpr std::string_view k_paragraph_separator = "\xE2\x80\xA9";

// The escape of a character that cannot stand for itself, else "".
std::string escape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '<':
    case '>':
    case '&':
      return fmt::format("\\u{:04x}", c);
    default:
      return static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\u{:04x}", c) : "";
  }
}

void append_string(std::string& json, std::string_view text) {
  json += '"';
  while (!text.empty()) {
    if (text.starts_with(k_line_separator) || text.starts_with(k_paragraph_separator)) {
      json += text[2] == k_line_separator[2] ? "\\u2028" : "\\u2029";
      text.remove_prefix(3);
      continue;
    }
    const std::string escaped = escape(text[0]);
    escaped.empty() ? json += text[0] : json += escaped;
    text.remove_prefix(1);
  }
  json += '"';
}

// Values separated by commas, between brackets; `append` writes one.
template <typename Items, typename Append>
void append_items(std::string& json, char open, const Items& items, char close, Append append) {
  json += open;
  bool first = true;
  for (const auto& item : items) {
    json += first ? "" : ",";
    first = false;
    append(item);
  }
  json += close;
}

void append_value(std::string& json, const Value& value, const Type& type);

void append_number(std::string& json, const Number& number) {
  if (is_infinite(number)) {
    throw ConversionError("infinity cannot be written as JSON");
  }
  json += to_text(number);
}

const Type& part_type(const Type& type, std::size_t i) {
  return type.kind == Kind::tuple ? tuple_elements(type)[i] : element_type(type);
}

const Type& member_type(const Type& type, const std::string& name) {
  return type.kind == Kind::object ? object_attributes(type).find(name)->second : element_type(type);
}

void append_content(std::string& json, const Value& value, const Type& type) {
  switch (value.type.kind) {
    case Kind::string:
      return append_string(json, as_string(value));
    case Kind::number:
      return append_number(json, as_number(value));
    case Kind::boolean:
      json += as_bool(value) ? "true" : "false";
      return;
    case Kind::map:
    case Kind::object:
      return append_items(json, '{', members(value), '}', [&](const auto& member) {
        append_string(json, member.first);
        json += ':';
        append_value(json, member.second, member_type(type, member.first));
      });
    case Kind::dynamic:
      json += "null";
      return;
    default: {
      std::size_t i = 0;
      return append_items(json, '[', elements(value), ']',
                          [&](const Value& element) { append_value(json, element, part_type(type, i++)); });
    }
  }
}

// What is of any type says of which it is.
void append_value(std::string& json, const Value& value, const Type& type) {
  if (value.is_null()) {
    json += "null";
  } else if (type.kind == Kind::dynamic) {
    json += "{\"value\":";
    append_content(json, value, value.type);
    json += ",\"type\":" + type_to_json(value.type) + "}";
  } else {
    append_content(json, value, type);
  }
}

std::string quoted(std::string_view text) {
  std::string json;
  append_string(json, text);
  return json;
}

Value value_of(const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::null:
      return null_value();
    case JsonKind::boolean:
      return bool_value(node.text == "true");
    case JsonKind::number:
      return number_value(*parse_number(node.text));
    case JsonKind::string:
      return string_value(normalise(node.text));
    case JsonKind::array: {
      Elements elements;
      for (const JsonNode& item : node.items) {
        elements.push_back(value_of(item));
      }
      return tuple_value(std::move(elements));
    }
    case JsonKind::object: {
      Members members;
      for (const JsonMember& member : node.members) {
        members.insert_or_assign(normalise(member.name), value_of(member.value));
      }
      return object_value(std::move(members));
    }
  }
  std::unreachable();
}

// The type that a JSON text of type_to_json states.
Type type_of(const Value& json) {
  if (json.type.kind == Kind::string) {
    for (const Type& type : {string_type(), number_type(), bool_type(), dynamic_type()}) {
      if (type_to_json(type) == quoted(as_string(json))) {
        return type;
      }
    }
  }
  if (json.type.kind != Kind::tuple || length(json) < 2 || elements(json)[0].type.kind != Kind::string) {
    throw ConversionError("a type is required");
  }
  const std::string& kind = as_string(elements(json)[0]);
  const Value& content = elements(json)[1];
  if (kind == "list" || kind == "set" || kind == "map") {
    return (kind == "list" ? list_of : kind == "set" ? set_of : map_of)(type_of(content));
  }
  if (kind == "tuple" && content.type.kind == Kind::tuple) {
    std::vector<Type> types;
    std::transform(elements(content).begin(), elements(content).end(), std::back_inserter(types), type_of);
    return tuple_of(std::move(types));
  }
  if (kind == "object" && content.type.kind == Kind::object) {
    std::map<std::string, Type, std::less<>> attributes;
    for (const auto& [name, type] : members(content)) {
      attributes.emplace(name, type_of(type));
    }
    return object_of(std::move(attributes));
  }
  throw ConversionError("a type is required");
}

Value typed(const Value& value, const Type& type);

// {"value": ..., "type": ...}
Value typed_by_itself(const Value& value) {
  if (value.is_null()) {
    return value;
  }
  if (value.type.kind != Kind::object || !members(value).contains("value") || !members(value).contains("type")) {
    throw ConversionError("an object with \"value\" and \"type\" is required");
  }
  return typed(members(value).find("value")->second, type_of(members(value).find("type")->second));
}

Value part(const Value& value, const Type& type, const std::string& place) {
  try {
    return typed(value, type);
  } catch (const ConversionError& error) {
    throw ConversionError(place + ": " + error.message);
  }
}

Value typed_parts(const Value& value, const Type& type) {
  if (is_keyed(type) && value.type.kind == Kind::object) {
    Members result;
    for (const auto& [name, member] : members(value)) {
      const bool known = type.kind == Kind::map || object_attributes(type).contains(name);
      if (!known) {
        throw ConversionError(fmt::format("there is no attribute \"{}\"", name));
      }
      result.emplace(name, part(member, member_type(type, name), fmt::format("\"{}\"", name)));
    }
    return object_value(std::move(result));
  }
  const bool fits =
      value.type.kind == Kind::tuple && (type.kind != Kind::tuple || length(value) == tuple_elements(type).size());
  if (!is_sequence(type) || !fits) {
    return value;
  }
  Elements result;
  for (const Value& element : elements(value)) {
    const std::size_t i = result.size();
    result.push_back(part(element, part_type(type, i), fmt::format("element {}", i)));
  }
  return tuple_value(std::move(result));
}

// Parts of any type are read first, then the whole is converted.
Value typed(const Value& value, const Type& type) {
  if (type.kind == Kind::dynamic) {
    return typed_by_itself(value);
  }
  return convert(value.is_null() ? value : typed_parts(value, type), type);
}

}  // namespace

std::string to_json(const Value& value) { return to_json(value, value.type); }

std::string to_json(const Value& value, const Type& type) {
  std::string json;
  append_value(json, value, type);
  return json;
}

std::string type_to_json(const Type& type) {
  std::string json;
  switch (type.kind) {
    case Kind::dynamic:
      return "\"dynamic\"";
    case Kind::string:
    case Kind::number:
    case Kind::boolean:
      return quoted(friendly_name(type));
    case Kind::list:
      return "[\"list\"," + type_to_json(element_type(type)) + "]";
    case Kind::set:
      return "[\"set\"," + type_to_json(element_type(type)) + "]";
    case Kind::map:
      return "[\"map\"," + type_to_json(element_type(type)) + "]";
    case Kind::tuple:
      append_items(json, '[', tuple_elements(type), ']', [&](const Type& each) { json += type_to_json(each); });
      return "[\"tuple\"," + json + "]";
    case Kind::object:
      append_items(json, '{', object_attributes(type), '}',
                   [&](const auto& each) { json += quoted(each.first) + ":" + type_to_json(each.second); });
      return "[\"object\"," + json + "]";
  }
  std::unreachable();
}

Value from_json(std::string_view text) {
  const Source source{"", std::string(text)};
  try {
    return value_of(parse_json_tree(source));
  } catch (const Failure& failure) {
    throw ConversionError(failure.diagnostic.detail);
  }
}

Value from_json(std::string_view text, const Type& type) { return typed(from_json(text), type); }

}  // namespace mbuild::bake::hcl
