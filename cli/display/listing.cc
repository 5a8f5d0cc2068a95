#include "cli/display/listing.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clean_text.h"
#include "base/strings.h"
#include "cli/display/columns.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"

namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view k_table = "table";

// As a shell gives them: '{{.ID}}\t{{.Names}}'.
std::string with_tabs(std::string_view format) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char next = format[i] == '\\' && i + 1 < format.size() ? format[i + 1] : '\0';
    out += next == 't' ? '\t' : next == 'n' ? '\n' : format[i];
    if (next == 't' || next == 'n') ++i;
  }
  return out;
}

// Nothing of a row may end a line or a column.
Json clean_row(const Json& row) {
  Json out = row;
  for (auto& [name, value] : out.items()) {
    if (value.is_string()) value = clean_line(value.get_ref<const std::string&>());
  }
  return out;
}

// As docker's: columns of ten characters at least, three blanks between two.
std::string aligned(const std::vector<std::string>& lines) {
  constexpr std::size_t k_least = 10, k_gap = 3;
  std::vector<std::vector<std::string>> cells;
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    cells.push_back(split(line, '\t'));
    widths.resize(std::max(widths.size(), cells.back().size()), k_least);
    for (std::size_t i = 0; i < cells.back().size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(cells.back()[i]) + k_gap);
    }
  }
  std::string out;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - columns_of(row[i]), ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

// Any member of what is for templates alone is "".
Json titles_of(const Listing& listing) {
  Json out;
  for (const auto& [name, title] : listing.fields) out[name] = *title == '\0' ? Json::object() : Json(title);
  return out;
}

std::string listed_table(const Listing& listing, const std::vector<Json>& rows, std::string_view format) {
  const std::string text = with_tabs(trim(format.substr(k_table.size())));
  std::vector<std::string> lines;
  const auto add = [&](const Json& row) { lines.push_back(fill_template(text, row.dump(), Missing::error)); };
  add(titles_of(listing));
  for (const auto& row : rows) add(clean_row(row));
  return aligned(lines);
}

std::string json_line(const Listing& listing, Json row) {
  for (const auto& [name, title] : listing.fields) {
    if (*title == '\0') row.erase(name);
  }
  return json_text(row, -1) + "\n";
}

}  // namespace

std::string listing_text(const Listing& listing, const std::vector<Json>& rows, const ListingChoice& how) {
  std::string out;
  if (how.quiet) {
    for (const auto& row : rows) out += row[listing.quiet].get<std::string>() + "\n";
    return out;
  }
  if (how.format == "json") {
    for (const auto& row : rows) out += json_line(listing, row);
    return out;
  }
  if (how.format.empty() || how.format == k_table) return listed_table(listing, rows, listing.table);
  if (how.format.starts_with("table ")) return listed_table(listing, rows, how.format);
  const std::string text = with_tabs(how.format);
  for (const auto& row : rows) out += fill_template(text, clean_row(row).dump(), Missing::error) + "\n";
  if (rows.empty()) fill_template(text, titles_of(listing).dump());  // a wrong one is told of in any case
  return out;
}

}  // namespace mbuild::cli
