#include "bake/print.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "bake/attributes.h"
#include "bake/entries.h"
#include "bake/json_text.h"

namespace mbuild::bake {
namespace {

using nlohmann::ordered_json;

// So that the text is not a template where it is read again.
std::string escaped(const AttributeRow& row, const std::string& text) {
  if (!row.escaped) return text;
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    if ((text[i] == '$' || text[i] == '%') && i + 1 < text.size() && text[i + 1] == '{') result += text[i];
  }
  return result;
}

ordered_json json_of_texts(const AttributeRow& row, const Texts& texts) {
  auto list = ordered_json::array();
  for (const auto& text : texts) list.push_back(escaped(row, text));
  return list;
}

ordered_json json_of_pairs(const AttributeRow& row, const Pairs& pairs) {
  auto object = ordered_json::object();
  for (const auto& [key, value] : pairs) object[key] = escaped(row, value);
  return object;
}

// Numbers where a number is meant, as shares of processors are.
ordered_json json_of_resources(const Pairs& resources) {
  auto object = ordered_json::object();
  for (const char* name :
       {"memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"}) {
    const auto found = resources.find(name);
    if (found == resources.end()) continue;
    const std::string& value = found->second;
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool is_number =
        std::string_view(name).starts_with("cpu-") && code == std::errc() && end == value.data() + value.size();
    object[name] = is_number ? ordered_json(number) : ordered_json(value);
  }
  return object;
}

ordered_json json_of_policy(const Entry& policy) {
  const auto is_true = [&](const char* name) { return field_of(policy, name) == "true"; };
  ordered_json json;
  const auto file = field_of(policy, "filename");
  json["Files"] = nullptr;
  if (!file.empty()) json["Files"] = ordered_json::array({{{"Filename", file}, {"Data", nullptr}}});
  json["Reset"] = is_true("reset");
  json["Disabled"] = is_true("disabled");
  json["Strict"] = nullptr;
  if (policy.fields.contains("strict")) json["Strict"] = is_true("strict");
  json["LogLevel"] = nullptr;
  if (const auto level = field_of(policy, "log-level"); !level.empty()) json["LogLevel"] = level;
  return json;
}

ordered_json json_of_entry(Attribute attribute, const Entry& entry) {
  if (attribute == Attribute::policy) return json_of_policy(entry);
  auto json = ordered_json::object();
  if (attribute == Attribute::secret && entry.fields.contains("id")) json["id"] = field_of(entry, "id");
  if (attribute == Attribute::secret && entry.fields.contains("src")) json["src"] = field_of(entry, "src");
  for (const auto& [name, value] : entry.fields) json[name] = value;
  if (attribute == Attribute::attest && json.contains("disabled")) json["disabled"] = true;
  if (!entry.paths.empty()) json["paths"] = entry.paths;
  return json;
}

// Nothing for what is empty, but for text that is set.
std::optional<ordered_json> json_of(const AttributeRow& row, const AttributeValue& value) {
  switch (row.shape) {
    case Shape::text: {
      const auto& text = std::get<std::string>(value);
      if (row.attribute == Attribute::description && text.empty()) return std::nullopt;
      return escaped(row, text);
    }
    case Shape::flag:
      return std::get<bool>(value);
    case Shape::texts:
      if (std::get<Texts>(value).empty()) return std::nullopt;
      return json_of_texts(row, std::get<Texts>(value));
    case Shape::pairs:
      if (row.attribute == Attribute::resources) return json_of_resources(std::get<Pairs>(value));
      if (std::get<Pairs>(value).empty()) return std::nullopt;
      return json_of_pairs(row, std::get<Pairs>(value));
    case Shape::entries:
      break;
  }
  if (std::get<Entries>(value).empty()) return std::nullopt;
  auto list = ordered_json::array();
  for (const auto& entry : std::get<Entries>(value)) list.push_back(json_of_entry(row.attribute, entry));
  return list;
}

ordered_json json_of_target(const Target& target) {
  auto json = ordered_json::object();
  for (const auto& [attribute, value] : target.attributes) {
    const auto& row = row_of(attribute);
    if (auto shown = json_of(row, value)) json[std::string(row.name)] = std::move(*shown);
  }
  return json;
}

ordered_json json_of_group(const Group& group) {
  ordered_json json;
  if (!group.description.empty()) json["description"] = group.description;
  json["targets"] = nullptr;
  if (group.targets) json["targets"] = *group.targets;
  return json;
}

}  // namespace

std::string print_selection(const Selection& selection) {
  ordered_json json;
  for (const auto& [name, group] : selection.groups) json["group"][name] = json_of_group(group);
  json["target"] = ordered_json::object();
  for (const auto& [name, target] : selection.targets) json["target"][name] = json_of_target(target);
  return shown_json(json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace mbuild::bake
