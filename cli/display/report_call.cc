#include "cli/display/report_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "remote/url.h"

namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

// Columns as wide as their widest cell and `padding`; the last one as it comes. A blank line ends it when wanted.
void print_table(const std::vector<Row>& rows, std::size_t padding, bool blank_line) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + padding);
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) print("{:<{}}", row[i], widths[i]);
    print("{}\n", row.back());
  }
  if (blank_line) print("\n");
}

void print_json(const Json& json) { print("{}\n", json_text(json)); }

void set_text(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}

// A range a line, as buildx has it.
void set_location(Json& json, frontend::dockerfile::Range range) {
  if (range.first <= 0) return;
  Json ranges = Json::array();
  for (int line = range.first; line <= range.last; ++line) {
    ranges.push_back({{"start", {{"line", line}}}, {"end", {{"line", line}}}});
  }
  json["location"]["ranges"] = std::move(ranges);
}

Json items_json(const std::vector<frontend::OutlineItem>& items) {
  Json list = Json::array();
  for (const auto& item : items) {
    Json json = {{"name", item.name}};
    set_text(json, "description", item.description);
    set_text(json, "value", item.value);
    if (item.required) json["required"] = true;
    set_location(json, item.range);
    list.push_back(std::move(json));
  }
  return list;
}

Json outline_json(const executor::Described& described) {
  const auto& outline = described.outline;
  Json json = Json::object();
  set_text(json, "name", outline.name);
  set_text(json, "description", outline.description);
  if (!outline.arguments.empty()) json["args"] = items_json(outline.arguments);
  if (!outline.secrets.empty()) json["secrets"] = items_json(outline.secrets);
  if (!outline.ssh.empty()) json["ssh"] = items_json(outline.ssh);
  json["sources"] = {remote::base64_encode(described.dockerfile_text)};
  return json;
}

void print_needs(const std::string& title, const std::vector<frontend::OutlineItem>& items) {
  if (items.empty()) return;
  std::vector<Row> rows{{title, "REQUIRED"}};
  for (const auto& item : items) rows.push_back({item.name, item.required ? "true" : ""});
  print_table(rows, 3, true);
}

}  // namespace

void print_outline(const executor::Described& described, bool json) {
  if (json) return print_json(outline_json(described));
  const auto& outline = described.outline;
  if (!outline.name.empty()) {
    std::vector<Row> head{{"TARGET:", outline.name}};
    if (!outline.description.empty()) head.push_back({"DESCRIPTION:", outline.description});
    print_table(head, 1, true);
  }
  if (!outline.arguments.empty()) {
    std::vector<Row> rows{{"BUILD ARG", "VALUE", "DESCRIPTION"}};
    for (const auto& item : outline.arguments) rows.push_back({item.name, item.value, item.description});
    print_table(rows, 3, true);
  }
  print_needs("SECRET", outline.secrets);
  print_needs("SSH", outline.ssh);
}

void print_targets(const executor::Described& described, bool json) {
  Json list = Json::array();
  std::vector<Row> rows{{"TARGET", "DESCRIPTION"}};
  for (const auto& target : described.targets) {
    const std::string mark = target.is_default ? "(default)" : "";
    rows.push_back({target.name + (target.name.empty() || mark.empty() ? "" : " ") + mark, target.description});
    Json one = Json::object();
    set_text(one, "name", target.name);
    if (target.is_default) one["default"] = true;
    set_text(one, "description", target.description);
    set_text(one, "base", target.base);
    set_text(one, "platform", target.platform);
    set_location(one, target.range);
    list.push_back(std::move(one));
  }
  if (!json) return print_table(rows, 1, false);
  print_json({{"targets", std::move(list)}, {"sources", {remote::base64_encode(described.dockerfile_text)}}});
}

void print_subrequests(bool json) {
  struct Call {
    const char *name, *description;
  };
  static constexpr Call k_calls[] = {{"outline", "List all parameters current build target supports"},
                                     {"targets", "List all targets current build supports"},
                                     {"lint", "Lint a Dockerfile"},
                                     {"subrequests.describe", "List available subrequest types"}};
  constexpr const char* k_version = "1.0.0";
  Json list = Json::array();
  std::vector<Row> rows{{"NAME", "VERSION", "DESCRIPTION"}};
  for (const auto& [name, description] : k_calls) {
    rows.push_back({name, k_version, description});
    list.push_back({{"name", fmt::format("frontend.{}", name)},
                    {"version", k_version},
                    {"type", "rpc"},
                    {"description", description},
                    {"metadata", {{{"name", "result.json"}}, {{"name", "result.txt"}}}}});
  }
  json ? print_json(list) : print_table(rows, 1, false);
}

}  // namespace mbuild::cli
