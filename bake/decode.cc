#include "bake/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bake/entries.h"
#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "base/error.h"

namespace mbuild::bake {
namespace {

using hcl::Value;

[[noreturn]] void unsuitable(const hcl::Range& range, std::string what) {
  hcl::fail(range, "Unsuitable value type", "Unsuitable value: " + std::move(what));
}

Texts texts_in(const Value& value, const hcl::Range& range) {
  Texts texts;
  for (const auto& element : hcl::elements(value)) {
    if (element.is_null()) unsuitable(range, "an element of the list is null, and a string is required");
    texts.push_back(hcl::as_string(element));
  }
  return texts;
}

// A member that is null is as one that is not there.
Pairs pairs_in(const Value& value) {
  Pairs pairs;
  for (const auto& [key, member] : hcl::members(value)) {
    if (!member.is_null()) pairs[key] = hcl::as_string(member);
  }
  return pairs;
}

void refuse_null_members(const Value& value, const hcl::Range& range) {
  if (!hcl::is_keyed(value.type)) return;
  for (const auto& [key, member] : hcl::members(value)) {
    if (member.is_null()) unsuitable(range, "null value is not allowed");
  }
}

hcl::Type resources_type() {
  std::map<std::string, hcl::Type, std::less<>> types;
  std::set<std::string, std::less<>> optional;
  for (const char* name : {"memory", "memory-swap", "cpuset-cpus", "cpuset-mems"}) types[name] = hcl::string_type();
  for (const char* name : {"cpu-shares", "cpu-period", "cpu-quota"}) types[name] = hcl::number_type();
  for (const auto& [name, type] : types) optional.insert(name);
  return hcl::object_of(std::move(types), std::move(optional));
}

// Numbers are checked, and kept as text.
Value resources_of(const Value& value, const hcl::Range& range) {
  const auto checked = hcl::suitable(value, resources_type(), range);
  for (const auto& [name, member] : hcl::members(checked)) {
    if (member.type.kind == hcl::Kind::number && !member.is_null() && !hcl::to_int64(hcl::as_number(member)))
      unsuitable(range, fmt::format("{}: a whole number is required", name));
  }
  return hcl::suitable(checked, hcl::map_of(hcl::string_type()), range);
}

// The type of a secret or agent that is an object. What else it has is not looked at.
hcl::Type object_type(Attribute attribute) {
  if (attribute == Attribute::ssh)
    return hcl::object_of({{"id", hcl::string_type()}, {"paths", hcl::list_of(hcl::string_type())}}, {"id", "paths"});
  return hcl::object_of({{"id", hcl::string_type()}, {"src", hcl::string_type()}, {"env", hcl::string_type()}},
                        {"id", "src", "env"});
}

Entry entry_of_object(Attribute attribute, const Value& object, const hcl::Range& range) {
  const bool is_open = attribute != Attribute::secret && attribute != Attribute::ssh;
  const auto type = is_open ? hcl::map_of(hcl::string_type()) : object_type(attribute);
  const auto members = hcl::members(hcl::suitable(object, type, range));
  Entry entry;
  for (const auto& [key, member] : members) {
    if (member.is_null()) continue;
    if (hcl::is_sequence(member.type)) {
      entry.paths = texts_in(member, range);
    } else {
      entry.fields[key] = hcl::as_string(member);
    }
  }
  return entry;
}

Entries entries_of_item(Attribute attribute, const Value& item, const hcl::Range& range) {
  if (item.is_null()) unsuitable(range, "null value is not allowed");
  try {
    if (item.type.kind == hcl::Kind::string) return parse_entries(attribute, hcl::as_string(item));
    if (hcl::is_keyed(item.type)) return {checked_entry(attribute, entry_of_object(attribute, item, range))};
  } catch (const hcl::Failure&) {
    throw;
  } catch (const Error& error) {
    hcl::fail(range, fmt::format("Invalid {}", row_of(attribute).name), error.message);
  }
  unsuitable(range, fmt::format("string or object required, but have {}", hcl::friendly_name(item.type)));
}

Entries entries_in(Attribute attribute, const Value& value, const hcl::Range& range) {
  if (value.type.kind != hcl::Kind::list && value.type.kind != hcl::Kind::tuple)
    unsuitable(range, "list of string or object required");
  Entries entries;
  for (const auto& item : hcl::elements(value)) {
    for (const auto& entry : entries_of_item(attribute, item, range)) put_entry(attribute, entries, entry);
  }
  return entries;
}

Value list_of_texts(const Texts& texts) {
  hcl::Elements elements;
  for (const auto& text : texts) elements.push_back(hcl::string_value(text));
  return hcl::list_value(hcl::string_type(), std::move(elements));
}

Value map_of_pairs(const Pairs& pairs) {
  hcl::Members members;
  for (const auto& [key, value] : pairs) members[key] = hcl::string_value(value);
  return hcl::map_value(hcl::string_type(), std::move(members));
}

Value object_of_entry(Attribute attribute, const Entry& entry) {
  if (attribute == Attribute::secret) {
    hcl::Members members;
    for (const char* name : {"id", "src", "env"}) members[name] = hcl::string_value(field_of(entry, name));
    return hcl::object_value(std::move(members));
  }
  if (attribute == Attribute::ssh)
    return hcl::object_value({{"id", hcl::string_value(field_of(entry, "id"))}, {"paths", list_of_texts(entry.paths)}});
  auto fields = entry.fields;
  if (attribute == Attribute::output) fields.try_emplace("dest");
  return map_of_pairs(fields);
}

Value object_of_resources(const Pairs& pairs) {
  hcl::Members members;
  const auto type = resources_type();
  for (const auto& [name, member] : hcl::object_attributes(type)) {
    const auto found = pairs.find(name);
    members[name] =
        found == pairs.end() ? hcl::null_value(member) : hcl::convert(hcl::string_value(found->second), member);
  }
  return hcl::object_value(std::move(members));
}

Value list_of_entries(Attribute attribute, const Entries& entries) {
  hcl::Elements elements;
  for (const auto& entry : entries) elements.push_back(object_of_entry(attribute, entry));
  const auto type = elements.empty() ? hcl::map_of(hcl::string_type()) : elements.front().type;
  return hcl::list_value(type, std::move(elements));
}

Value unset_value(const AttributeRow& row) {
  if (row.attribute == Attribute::description) return hcl::string_value("");
  switch (row.shape) {
    case Shape::text:
      return hcl::null_value(hcl::string_type());
    case Shape::flag:
      return hcl::null_value(hcl::bool_type());
    case Shape::texts:
      return hcl::null_value(hcl::list_of(hcl::string_type()));
    case Shape::pairs:
      return hcl::null_value(row.attribute == Attribute::resources ? resources_type()
                                                                   : hcl::map_of(hcl::string_type()));
    case Shape::entries:
      break;
  }
  return list_of_entries(row.attribute, {});
}

}  // namespace

std::optional<AttributeValue> decode(const AttributeRow& row, const hcl::Expression& expression,
                                     const hcl::Scope& scope) {
  const auto& range = expression.range;
  auto value = hcl::evaluate(expression, scope);
  if (value.is_null()) {
    const bool may_be_unset =
        row.shape != Shape::entries && row.attribute != Attribute::description && row.attribute != Attribute::resources;
    if (!may_be_unset) unsuitable(range, "null value is not allowed");
    return std::nullopt;
  }
  switch (row.shape) {
    case Shape::text:
      return hcl::as_string(hcl::suitable(value, hcl::string_type(), range));
    case Shape::flag:
      return hcl::as_bool(hcl::suitable(value, hcl::bool_type(), range));
    case Shape::texts:
      return texts_in(hcl::suitable(value, hcl::list_of(hcl::string_type()), range), range);
    case Shape::pairs:
      if (row.attribute == Attribute::resources) return pairs_in(resources_of(value, range));
      if (row.attribute == Attribute::contexts) refuse_null_members(value, range);
      return pairs_in(hcl::suitable(value, hcl::map_of(hcl::string_type()), range));
    case Shape::entries:
      break;
  }
  return entries_in(row.attribute, value, range);
}

Value to_value(const AttributeRow& row, const AttributeValue* value) {
  if (value == nullptr) return unset_value(row);
  switch (row.shape) {
    case Shape::text:
      return hcl::string_value(std::get<std::string>(*value));
    case Shape::flag:
      return hcl::bool_value(std::get<bool>(*value));
    case Shape::texts:
      return list_of_texts(std::get<Texts>(*value));
    case Shape::pairs:
      return row.attribute == Attribute::resources ? object_of_resources(std::get<Pairs>(*value))
                                                   : map_of_pairs(std::get<Pairs>(*value));
    case Shape::entries:
      break;
  }
  return list_of_entries(row.attribute, std::get<Entries>(*value));
}

}  // namespace mbuild::bake
