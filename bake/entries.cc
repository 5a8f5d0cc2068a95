#include "bake/entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

using Fields = std::map<std::string, std::string>;

// Blanks around keys of caches and secrets belong to them. Attestations are made by others, to whom the case of their
// keys may matter.
std::string key_of(Attribute attribute, const std::string& written) {
  const bool exact =
      attribute == Attribute::cache_from || attribute == Attribute::cache_to || attribute == Attribute::secret;
  auto key = to_lower(exact ? written : trim(written));
  return attribute == Attribute::attest && key != "type" && key != "disabled" ? written : key;
}

Fields parse_fields(Attribute attribute, const std::vector<std::string>& texts) {
  Fields fields;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
      throw usage_error("invalid value " + text).with_advice("Fields are KEY=VALUE, separated by commas.");
    }
    fields[key_of(attribute, text.substr(0, equals))] = text.substr(equals + 1);
  }
  return fields;
}

Entries parse_output(const std::string& text) {
  const auto texts = split_csv(text);
  if (texts.size() == 1 && texts[0] == text && !to_lower(text).starts_with("type=")) {
    if (text == "-") return {{.fields = {{"type", "tar"}, {"dest", "-"}}, .paths = {}}};
    return {{.fields = {{"type", "local"}, {"dest", text}}, .paths = {}}};
  }
  return {checked_entry(Attribute::output, {.fields = parse_fields(Attribute::output, texts), .paths = {}})};
}

Entries parse_caches(Attribute attribute, const std::string& text) {
  const auto texts = split_csv(text);
  if (std::ranges::any_of(texts, [](const auto& field) { return field.find('=') != std::string::npos; }))
    return {checked_entry(attribute, {.fields = parse_fields(attribute, texts), .paths = {}})};
  Entries entries;
  for (const auto& reference : texts)
    entries.push_back({.fields = {{"type", "registry"}, {"ref", reference}}, .paths = {}});
  return entries;
}

Entries parse_agent(const std::string& text) {
  const auto equals = text.find('=');
  Entry entry{.fields = {{"id", text.substr(0, equals)}}, .paths = {}};
  if (equals != std::string::npos) entry.paths = split(text.substr(equals + 1), ',');
  return {checked_entry(Attribute::ssh, std::move(entry))};
}

void rename(Fields& fields, const std::string& from, const std::string& to) {
  auto node = fields.extract(from);
  if (node.empty()) return;
  node.key() = to;
  fields.insert(std::move(node));
}

void drop_empty(Fields& fields) {
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
}

bool checked_bool(const std::string& name, const std::string& text) {
  if (const auto value = bool_word(text)) return *value;
  throw usage_error(fmt::format("invalid value {}={}: it is true or false", name, text));
}

void check_secret(Fields& fields) {
  static constexpr std::array<std::string_view, 5> k_known = {"type", "id", "src", "source", "env"};
  for (const auto& [name, value] : fields) {
    if (std::ranges::find(k_known, name) != k_known.end()) continue;
    throw usage_error(fmt::format("unexpected key '{}' in '{}={}'", name, name, value))
        .with_advice("A secret has id, src and env.");
  }
  rename(fields, "source", "src");
  const auto type = fields.extract("type");
  if (!type.empty() && !type.mapped().empty() && type.mapped() != "file" && type.mapped() != "env")
    throw usage_error(fmt::format("unsupported secret type \"{}\"", type.mapped())).with_advice("It is file or env.");
  if (!type.empty() && type.mapped() == "env" && !fields.contains("env")) rename(fields, "src", "env");
  drop_empty(fields);
}

void check_attestation(Fields& fields) {
  if (fields["type"].empty()) {
    throw usage_error("attestation type not specified").with_advice("Types are provenance and sbom.");
  }
  const auto disabled = fields.find("disabled");
  if (disabled == fields.end()) return;
  if (checked_bool("disabled", disabled->second)) {
    disabled->second = "true";
  } else {
    fields.erase(disabled);
  }
}

std::string checked_level(const std::string& text) {
  static const std::vector<std::string> k_levels = {"panic", "fatal", "error", "warning", "info", "debug", "trace"};
  const auto level = to_lower(text) == "warn" ? "warning" : to_lower(text);
  if (std::ranges::find(k_levels, level) != k_levels.end()) return level;
  throw usage_error(fmt::format("invalid value log-level={}{}", text, did_you_mean(level, k_levels)))
      .with_advice("It is " + join(k_levels, ", ") + ".");
}

void check_policy(Fields& fields) {
  static const std::vector<std::string> k_known = {"filename", "reset", "disabled", "strict", "log-level"};
  drop_empty(fields);
  for (auto& [name, value] : fields) {
    if (std::ranges::find(k_known, name) == k_known.end())
      throw usage_error(fmt::format("invalid value {}={}{}", name, value, did_you_mean(name, k_known)));
    if (name == "reset" || name == "disabled" || name == "strict") value = checked_bool(name, value) ? "true" : "false";
    if (name == "log-level") value = checked_level(value);
  }
}

std::string as_written(const Fields& fields) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : fields) texts.push_back(name + "=" + value);
  return join(texts, ",");
}

}  // namespace

std::string field_of(const Entry& entry, const std::string& name) {
  const auto found = entry.fields.find(name);
  return found == entry.fields.end() ? "" : found->second;
}

Entries parse_entries(Attribute attribute, const std::string& text) {
  if (text.empty()) return {};
  if (attribute == Attribute::output) return parse_output(text);
  if (attribute == Attribute::cache_from || attribute == Attribute::cache_to) return parse_caches(attribute, text);
  if (attribute == Attribute::ssh) return parse_agent(text);
  return {checked_entry(attribute, {.fields = parse_fields(attribute, split_csv(text)), .paths = {}})};
}

Entry checked_entry(Attribute attribute, Entry entry) {
  auto& fields = entry.fields;
  if (attribute == Attribute::secret) {
    check_secret(fields);
  } else if (attribute == Attribute::attest) {
    check_attestation(fields);
  } else if (attribute == Attribute::policy) {
    check_policy(fields);
  } else if (attribute == Attribute::ssh) {
    drop_empty(fields);
  } else if (field_of(entry, "type").empty()) {
    if (attribute == Attribute::output) throw usage_error("type is required for output");
    throw usage_error(fmt::format("type required for \"{}\"", as_written(fields)))
        .with_advice("A cache is type=registry,ref=REF, type=local,src=DIR, or just the name of an image.");
  }
  if (attribute == Attribute::output && field_of(entry, "dest").empty()) fields.erase("dest");
  return entry;
}

std::string identity_of(Attribute attribute, const Entry& entry) {
  if (attribute == Attribute::attest) return field_of(entry, "type");
  if (attribute == Attribute::secret || attribute == Attribute::ssh) return field_of(entry, "id");
  return "";
}

void put_entry(Attribute attribute, Entries& entries, const Entry& entry) {
  const auto identity = identity_of(attribute, entry);
  const auto found = std::ranges::find_if(entries, [&](const Entry& other) {
    return identity.empty() ? other == entry : identity_of(attribute, other) == identity;
  });
  if (found == entries.end() || attribute == Attribute::policy) {
    entries.push_back(entry);
  } else {
    *found = entry;
  }
}

}  // namespace mbuild::bake
