#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "bake/json_text.h"
#include "bake/print.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

using nlohmann::ordered_json;
using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}   ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// "description (a, b)", or the members alone.
std::string description_of(const Group& group) {
  auto members = group.targets.value_or(Texts());
  std::ranges::sort(members);
  const std::string list = join(members, ", ");
  return group.description.empty() ? list : fmt::format("{} ({})", group.description, list);
}

struct Listed {
  std::string name, description;
  bool is_group = false;
};

// By name; what begins with "_" is not meant to be seen.
std::vector<Listed> listed(const Definition& definition) {
  std::vector<Listed> all;
  for (const auto& target : definition.targets) {
    const auto* description = text_of(target, Attribute::description);
    all.push_back({target.name, description == nullptr ? "" : *description, false});
  }
  for (const auto& group : definition.groups) all.push_back({group.name, description_of(group), true});
  std::erase_if(all, [](const Listed& one) { return one.name.starts_with('_'); });
  std::ranges::stable_sort(all, {}, &Listed::name);
  return all;
}

std::string print_targets(const Definition& definition, ListFormat format) {
  std::vector<Row> rows = {{"TARGET", "DESCRIPTION"}};
  auto json = ordered_json::array();
  for (const auto& one : listed(definition)) {
    rows.push_back({one.name, one.description});
    ordered_json object = {{"name", one.name}};
    if (!one.description.empty()) object["description"] = one.description;
    if (one.is_group) object["group"] = true;
    json.push_back(std::move(object));
  }
  return format == ListFormat::json ? shown_json(json.dump(2, ' ', false, ordered_json::error_handler_t::replace))
                                    : table(rows);
}

std::string print_variables(const Definition& definition, ListFormat format) {
  std::vector<Row> rows = {{"VARIABLE", "TYPE", "VALUE", "DESCRIPTION"}};
  auto json = ordered_json::array();
  for (const auto& variable : definition.variables) {
    rows.push_back({variable.name, variable.type, variable.value.value_or("<null>"), variable.description});
    ordered_json object = {{"name", variable.name}};
    if (!variable.description.empty()) object["description"] = variable.description;
    if (!variable.type.empty()) object["type"] = variable.type;
    if (variable.value) object["value"] = *variable.value;
    json.push_back(std::move(object));
  }
  return format == ListFormat::json ? shown_json(json.dump(2, ' ', false, ordered_json::error_handler_t::replace))
                                    : table(rows);
}

}  // namespace

ListRequest parse_list(const std::string& text) {
  std::string type = text, format;
  const auto fields = split_csv(text);
  if (fields.size() > 1 || text.find('=') != std::string::npos) {
    type.clear();
    for (const auto& field : fields) {
      const auto equals = field.find('=');
      const std::string key = to_lower(trim(field.substr(0, equals)));
      const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
      if (key == "type") {
        type = value;
      } else if (key == "format") {
        format = value;
      } else {
        throw usage_error(fmt::format("unexpected key '{}' in '{}'", key, field)).with_advice("Keys: type, format.");
      }
    }
  }
  if (type != "targets" && type != "variables")
    throw usage_error(fmt::format("invalid list type {}", type)).with_advice("It is targets or variables.");
  if (!format.empty() && format != "table" && format != "json")
    throw usage_error(fmt::format("invalid list format {}", format)).with_advice("It is table or json.");
  return {type == "variables", format == "json" ? ListFormat::json : ListFormat::table};
}

std::string print_list(const Definition& definition, const ListRequest& request) {
  return request.variables ? print_variables(definition, request.format) : print_targets(definition, request.format);
}

}  // namespace mbuild::bake
