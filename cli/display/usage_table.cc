#include "cli/display/usage_table.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/clock.h"
#include "base/error.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/display/json_text.h"

namespace mbuild::cli {
namespace {

using Item = cache::StoreItem;
using Predicate = std::function<bool(const Item&)>;

const char* yes_or_no(bool value) { return value ? "true" : "false"; }

bool is_mutable(const Item& item) { return item.kind == Item::Kind::cache_mount; }

// The value of a field, for filters that compare texts; several for parents.
std::vector<std::string> values_of(const Item& item, const std::string& field) {
  if (field == "id") return {item.id};
  if (field == "type") return {item.type};
  if (field == "description") return {item.description};
  if (field == "parents" || field == "parent") return item.parents;
  if (field == "inuse") return {yes_or_no(item.in_use)};
  if (field == "mutable") return {yes_or_no(is_mutable(item))};
  if (field == "immutable") return {yes_or_no(!is_mutable(item))};
  if (field == "shared") return {yes_or_no(item.shared)};
  return {yes_or_no(!item.shared)};
}

const std::vector<std::string>& field_names() {
  static const std::vector<std::string> names = {"id",      "type",    "description", "parents",
                                                 "inuse",   "mutable", "immutable",   "shared",
                                                 "private", "until",   "unused-for"};
  return names;
}

Predicate any_value(std::string field, std::function<bool(const std::string&)> test) {
  return [field = std::move(field), test = std::move(test)](const Item& item) {
    const auto values = values_of(item, field);
    return std::any_of(values.begin(), values.end(), test);
  };
}

Predicate parse_filter(const std::string& text) {
  const auto at = text.find_first_of("=!~");
  const std::string field = to_lower(trim(text.substr(0, at)));
  const auto& known = field_names();
  if (field != "parent" && std::find(known.begin(), known.end(), field) == known.end()) {
    throw Error(ExitClass::usage, fmt::format("invalid filter \"{}\"{}", text, did_you_mean(field, known)))
        .with_advice("Fields are " + join(known, ", ") + ".");
  }
  if (at == std::string::npos) return any_value(field, [](const std::string& value) { return value == "true"; });
  const auto equals = text.find('=', at);
  const std::string sign = equals == std::string::npos ? text.substr(at, 1) : text.substr(at, equals - at + 1);
  std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
  if (value.starts_with('=')) value.erase(0, 1);  // "==" is "="
  if (field == "until" || field == "unused-for") {
    const std::int64_t limit = unix_seconds() - parse_duration(value);
    return [limit](const Item& item) { return item.used <= limit; };
  }
  if (sign == "=") return any_value(field, [value](const std::string& found) { return found == value; });
  if (sign == "!=") {
    const auto equal = any_value(field, [value](const std::string& found) { return found == value; });
    return [equal](const Item& item) { return !equal(item); };
  }
  if (sign != "~=") {
    throw Error(ExitClass::usage, fmt::format("invalid filter \"{}\"", text)).with_advice("Signs are =, != and ~=.");
  }
  try {
    const std::regex pattern(value);
    return any_value(field, [pattern](const std::string& found) { return std::regex_search(found, pattern); });
  } catch (const std::regex_error& error) {
    throw Error(ExitClass::usage, fmt::format("invalid filter \"{}\": {}", text, error.what()));
  }
}

std::string time_text(std::int64_t seconds) { return seconds == 0 ? "" : rfc3339(seconds); }

nlohmann::ordered_json json_of(const Item& item) {
  nlohmann::ordered_json json;
  json["ID"] = item.id;
  json["Parents"] = item.parents;
  json["CreatedAt"] = time_text(item.created);
  json["Mutable"] = is_mutable(item);
  json["Reclaimable"] = item.reclaimable();
  json["Shared"] = item.shared;
  json["InUse"] = item.in_use;
  json["Size"] = item.bytes;
  json["Description"] = item.description;
  json["LastUsedAt"] = time_text(item.used);
  json["Type"] = item.type;
  return json;
}

std::string table_of(const std::vector<Item>& items) {
  const std::int64_t now = unix_seconds();
  std::string out = fmt::format("{:<68} {:<12} {:<12} {}\n", "ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED");
  for (const auto& item : items) {
    out += fmt::format("{:<68} {:<12} {:<12} {}\n", item.id + (is_mutable(item) ? "*" : ""),
                       yes_or_no(item.reclaimable()), size_text(item.bytes), age_text(item.used, now));
  }
  return out;
}

std::string pretty_text(const Item& item) {
  const std::int64_t now = unix_seconds();
  std::string out;
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<16}{}\n", fmt::format("{}:", name), value);
  };
  line("ID", item.id);
  line("Parents", join(item.parents, " "));
  line("Created at", time_text(item.created));
  line("Mutable", yes_or_no(is_mutable(item)));
  line("Reclaimable", yes_or_no(item.reclaimable()));
  line("Shared", yes_or_no(item.shared));
  line("Size", size_text(item.bytes));
  line("Description", item.description);
  line("Last used", age_text(item.used, now));
  line("Type", item.type);
  return out + "\n";
}

std::string fill_template(const std::string& text, const nlohmann::ordered_json& json) {
  std::string out;
  for (std::size_t at = 0;;) {
    const auto begin = text.find("{{", at);
    out += text.substr(at, begin - at);
    if (begin == std::string::npos) return out;
    const auto end = text.find("}}", begin);
    std::string field(trim(text.substr(begin + 2, end == std::string::npos ? end : end - begin - 2)));
    if (end == std::string::npos || !field.starts_with('.') || !json.contains(field.erase(0, 1))) {
      throw Error(ExitClass::usage, fmt::format("invalid format \"{}\"", text))
          .with_advice(
              "A format is table, pretty, json, or a text with {{.ID}}, {{.Size}} and other names of the JSON.");
    }
    out += json[field].is_string() ? json[field].get<std::string>() : json[field].dump();
    at = end + 2;
  }
}

}  // namespace

std::function<bool(const Item&)> parse_item_filters(const std::vector<std::string>& filters) {
  std::vector<Predicate> all;
  for (const auto& text : filters) {
    for (const auto& part : split_csv(text)) all.push_back(parse_filter(part));
  }
  if (all.empty()) return {};
  return [all = std::move(all)](const Item& item) {
    return std::all_of(all.begin(), all.end(), [&](const Predicate& holds) { return holds(item); });
  };
}

std::int64_t parse_duration(const std::string& text) {
  const auto fail = [&] {
    return Error(ExitClass::usage, fmt::format("invalid duration \"{}\"", text))
        .with_advice("For example 24h or 1h30m.");
  };
  double total = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (text.empty()) throw fail();
  while (at != end) {
    double value = 0;
    const auto [rest, code] = std::from_chars(at, end, value);
    if (code != std::errc() || value < 0 || rest == end) throw fail();
    const std::string_view unit(rest, std::string_view(rest, end).starts_with("ms") ? 2 : 1);
    if (unit == "ms") {
      total += value / 1000;
    } else if (const auto known = std::string_view("smhdw").find(unit); known != std::string_view::npos) {
      constexpr double k_seconds[] = {1, 60, 3600, 86'400, 604'800};
      total += value * k_seconds[known];
    } else {
      throw fail();
    }
    at = rest + unit.size();
  }
  return static_cast<std::int64_t>(total);
}

std::string age_text(std::int64_t time, std::int64_t now) {
  constexpr std::pair<std::int64_t, const char*> k_units[] = {
      {604'800, "week"}, {86'400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
  const std::int64_t age = now - time;
  for (const auto& [seconds, name] : k_units) {
    if (age >= seconds) return fmt::format("{} {}{} ago", age / seconds, name, age / seconds == 1 ? "" : "s");
  }
  return "now";
}

std::string items_text(const std::vector<Item>& items, const std::string& format) {
  if (format == "table") return table_of(items);
  std::string out;
  for (const auto& item : items) {
    if (format == "pretty") {
      out += pretty_text(item);
    } else if (format == "json") {
      out += json_text(json_of(item), -1) + "\n";
    } else {
      out += fill_template(format, json_of(item)) + "\n";
    }
  }
  return out;
}

}  // namespace mbuild::cli
