#include "bake/overrides.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "bake/attributes.h"
#include "bake/entries.h"
#include "bake/pushing.h"
#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

constexpr std::array<std::string_view, 7> k_resources = {"memory",     "memory-swap", "cpuset-cpus", "cpuset-mems",
                                                         "cpu-shares", "cpu-period",  "cpu-quota"};

Error unknown_key(const std::string& key) {
  std::vector<std::string> known = {"push", "load"};
  for (const auto& row : attribute_rows()) {
    if (row.setting != Setting::none) known.emplace_back(row.set_key);
  }
  return usage_error(fmt::format("unknown key: {}{}", key, did_you_mean(key, known)))
      .with_advice("--set takes TARGET.KEY=VALUE, and docs/bake.md lists the keys.");
}

Error name_missing(const std::string& key) {
  if (key == "labels") return usage_error("invalid format for labels, expecting labels.<name>=<value>");
  return usage_error(fmt::format("invalid key {}, {} requires name", key, key))
      .with_advice(fmt::format("Write --set TARGET.{}.NAME=VALUE.", key));
}

// Of keys that have a name: "secret" as a key of its own changes one that is there.
bool is_named(const std::string& key) {
  const auto* row = find_row_of_set_key(key);
  return key == "secret" || (row != nullptr && row->setting == Setting::by_name);
}

struct Parsed {
  std::string pattern;
  Override change;
};

Parsed parse_override(const std::string& text) {
  const auto equals = text.find('=');
  std::string left = text.substr(0, equals);
  Parsed parsed;
  if (equals != std::string::npos) parsed.change.value = text.substr(equals + 1);
  if (left.ends_with('+') && parsed.change.value) {
    parsed.change.appends = true;
    left.pop_back();
  }
  const auto dot = left.find('.');
  if (dot == std::string::npos) throw usage_error(fmt::format("invalid override key {}, expected target.name", left));
  parsed.pattern = left.substr(0, dot);
  const auto second = left.find('.', dot + 1);
  parsed.change.key = left.substr(dot + 1, second == std::string::npos ? second : second - dot - 1);
  if (second != std::string::npos) parsed.change.name = left.substr(second + 1);
  if (!parsed.change.value && parsed.change.key != "args")
    throw usage_error(fmt::format("invalid override {}, expected target.name=value", text));
  const auto& key = parsed.change.key;
  if (is_named(key) && parsed.change.name.empty()) throw name_missing(key);
  if (parsed.change.appends && (key == "resources" || key == "secret")) {
    throw usage_error(fmt::format("invalid key {}+, {} does not support append", left, key))
        .with_advice("Write it with = in the place of +=.");
  }
  return parsed;
}

bool bool_of(const Override& change) {
  if (const auto value = bool_word(*change.value)) return *value;
  throw usage_error(fmt::format("invalid value {} for boolean key {}", *change.value, change.key))
      .with_advice("It is true or false.");
}

void add_texts(const AttributeRow& row, const std::string& value, Target& target) {
  const AttributeValue one = value.empty() ? Texts() : Texts{value};
  auto& texts = value_of<Texts>(target, row.attribute);
  for (const auto& text : std::get<Texts>(one)) texts.push_back(text);
}

// The paths that a user names on the command line are granted by that.
void grant_paths(const Entry& entry, Target& target) {
  for (const char* name : {"src", "dest"}) {
    if (const auto path = field_of(entry, name); !path.empty()) target.granted.push_back(path);
  }
  for (const auto& path : entry.paths) target.granted.push_back(path);
}

void add_entries(const AttributeRow& row, const std::string& value, Target& target) {
  auto& entries = value_of<Entries>(target, row.attribute);
  for (const auto& entry : parse_entries(row.attribute, value)) {
    grant_paths(entry, target);
    put_entry(row.attribute, entries, entry);
  }
}

void add_to_list(const AttributeRow& row, const std::string& value, Target& target) {
  if (row.shape == Shape::texts) {
    add_texts(row, value, target);
  } else {
    add_entries(row, value, target);
  }
}

void set_named(const AttributeRow& row, const Override& change, Target& target) {
  if (!change.value) return;
  if (row.attribute == Attribute::resources && std::ranges::find(k_resources, change.name) == k_resources.end()) {
    const std::vector<std::string> known(k_resources.begin(), k_resources.end());
    throw usage_error(fmt::format("unknown resources key {}{}", change.name, did_you_mean(change.name, known)));
  }
  value_of<Pairs>(target, row.attribute)[change.name] = *change.value;
}

// Other sources for a secret that is declared.
void set_secret(const Override& change, Target& target) {
  auto& entries = value_of<Entries>(target, Attribute::secret);
  const auto found =
      std::ranges::find_if(entries, [&](const Entry& entry) { return field_of(entry, "id") == change.name; });
  if (found == entries.end()) {
    throw usage_error(fmt::format("secret {} must be declared before it can be overridden", change.name))
        .with_advice("--set TARGET.secrets+=id=ID,src=FILE adds one.");
  }
  for (auto& entry : parse_entries(Attribute::secret, "id=" + change.name + "," + *change.value)) {
    if (const auto id = field_of(entry, "id"); id != change.name) {
      throw usage_error(
          fmt::format("secret override id \"{}\" does not match declared secret \"{}\"", id, change.name));
    }
    grant_paths(entry, target);
    *found = std::move(entry);
  }
}

// The last of a key's changes says of all of them whether they are added to what the definition has.
bool appends(const std::vector<Override>& overrides, const std::string& key) {
  const auto last = std::ranges::find(overrides.rbegin(), overrides.rend(), key, &Override::key);
  return last != overrides.rend() && last->appends;
}

void apply(const Override& change, bool appends, Target& target, std::vector<std::string>& lists_begun) {
  const auto* row = find_row_of_set_key(change.key);
  if (row == nullptr) throw unknown_key(change.key);
  if (row->setting == Setting::by_name) return set_named(*row, change, target);
  if (row->setting == Setting::one && row->shape == Shape::flag) {
    target.attributes[row->attribute] = bool_of(change);
  } else if (row->setting == Setting::one) {
    target.attributes[row->attribute] = *change.value;
  } else {
    const bool begun = std::ranges::find(lists_begun, change.key) != lists_begun.end();
    if (row->setting == Setting::list && !begun && !appends) target.attributes.erase(row->attribute);
    lists_begun.push_back(change.key);
    add_to_list(*row, *change.value, target);
  }
}

// "[!a]" of these patterns means "!" or "a": only "^" negates.
std::string with_plain_marks(std::string pattern) {
  for (auto at = pattern.find("[!"); at != std::string::npos; at = pattern.find("[!", at + 2))
    pattern.insert(at + 1, 1, '\\');
  return pattern;
}

}  // namespace

bool is_pattern(const std::string& word) { return word.find_first_of("*?[") != std::string::npos; }

bool matches(const std::string& pattern, const std::string& name) {
  return pattern.find("[]") == std::string::npos &&
         ::fnmatch(with_plain_marks(pattern).c_str(), name.c_str(), FNM_PATHNAME) == 0;
}

Overrides parse_overrides(const std::vector<std::string>& texts, const Definition& definition, const Outside& outside) {
  Overrides overrides;
  for (const auto& text : texts) {
    auto [pattern, change] = parse_override(text);
    if (!change.value) change.value = may_look_up(outside) ? environment_of(outside, change.name) : std::optional("");
    bool found = false;
    for (const auto& target : definition.targets) {
      if (!matches(pattern, target.name)) continue;
      found = true;
      overrides[target.name].push_back(change);
    }
    if (found) continue;
    std::vector<std::string> names;
    for (const auto& target : definition.targets) names.push_back(target.name);
    throw usage_error(fmt::format("could not find any target matching '{}'{}", pattern, did_you_mean(pattern, names)))
        .with_advice("--set changes targets, not groups; a pattern such as *.KEY=VALUE means several.");
  }
  return overrides;
}

void apply_overrides(const std::vector<Override>& overrides, Target& target) {
  std::vector<std::string> lists_begun;
  std::optional<bool> push, load;
  for (const auto& change : overrides) {
    if (change.key == "push") {
      push = bool_of(change);
    } else if (change.key == "load") {
      load = bool_of(change);
    } else {
      if (change.key != "secret") apply(change, appends(overrides, change.key), target, lists_begun);
    }
  }
  for (const auto& change : overrides) {  // of those that all the others leave
    if (change.key == "secret") set_secret(change, target);
  }
  auto outputs = entries_of(target, Attribute::output);
  if (push) set_push(*push, outputs);
  if (load && *load) add_load(outputs);
  if (push || load) target.attributes[Attribute::output] = std::move(outputs);
}

}  // namespace mbuild::bake
