#include "bake/compose/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include "bake/attributes.h"
#include "bake/compose/dotenv.h"
#include "bake/entries.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"

namespace mbuild::bake::compose {
namespace {

// A build, and what its values depend on.
struct Build {
  const Project& project;
  const Node& service;
  const Node& node;
  std::string where;  // "services.web.build"
};

[[noreturn]] void refuse(const Build& build, std::string_view key, std::string_view expected) {
  throw usage_error(fmt::format("{}.{} must be {}", build.where, key, expected));
}

// Names as targets have them.
std::string target_name(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> k_keys = {"context",
                                                  "dockerfile",
                                                  "dockerfile_inline",
                                                  "target",
                                                  "args",
                                                  "labels",
                                                  "network",
                                                  "no_cache",
                                                  "pull",
                                                  "shm_size",
                                                  "platforms",
                                                  "tags",
                                                  "cache_from",
                                                  "cache_to",
                                                  "extra_hosts",
                                                  "ulimits",
                                                  "ssh",
                                                  "secrets",
                                                  "additional_contexts",
                                                  "provenance",
                                                  "sbom",
                                                  "privileged",
                                                  "entitlements",
                                                  "isolation",
                                                  "no_cache_filter"};
  return k_keys;
}

void check_keys(const Build& build) {
  for (const auto& [key, value] : build.node.members) {
    if (key.starts_with("x-") || std::ranges::find(known_keys(), key) != known_keys().end()) continue;
    throw usage_error(
        fmt::format("{} additional properties '{}' not allowed{}", build.where, key, did_you_mean(key, known_keys())));
  }
}

std::optional<std::string> text_at(const Build& build, std::string_view key) {
  const auto* node = find(build.node, key);
  if (node == nullptr || node->kind == Node::Kind::null) return std::nullopt;
  if (node->kind != Node::Kind::scalar) refuse(build, key, "a string");
  return node->text;
}

Texts texts_at(const Build& build, std::string_view key) {
  const auto* node = find(build.node, key);
  if (node == nullptr || node->kind == Node::Kind::null) return {};
  if (node->kind != Node::Kind::list) refuse(build, key, "a list");
  Texts texts;
  for (const auto& item : node->items) {
    if (item.kind != Node::Kind::scalar) refuse(build, key, "a list of strings");
    texts.push_back(item.text);
  }
  return texts;
}

bool bool_of(const Build& build, std::string_view key, const std::string& text) {
  const auto value = bool_word(text);
  if (!value) refuse(build, key, "true or false");
  return *value;
}

// The variables of a service: its environment, below it the files that env_file names.
std::optional<std::string> variable_of_service(const Build& build, const std::string& name) {
  if (const auto* environment = find(build.service, "environment")) {
    if (const auto* value = find(*environment, name); value != nullptr && value->kind == Node::Kind::scalar)
      return value->text;
  }
  const auto* files = find(build.service, "env_file");
  if (files == nullptr) return std::nullopt;
  std::optional<std::string> found;
  const auto look_in = [&](const Node& file) {
    const auto* path = file.kind == Node::Kind::map ? find(file, "path") : &file;
    if (path == nullptr || path->text.empty()) return;
    const auto* required = find(file, "required");
    if (required != nullptr && required->text == "false" && !path_exists(path->text)) return;
    const auto variables = parse_dotenv(path->text, read_file(path->text), build.project.variable);
    if (const auto value = variables.find(name); value != variables.end()) found = value->second;
  };
  if (files->kind != Node::Kind::list) look_in(*files);
  for (const auto& file : files->items) look_in(file);
  return found;
}

Pairs pairs_at(const Build& build, std::string_view key) {
  Pairs pairs;
  const auto* node = find(build.node, key);
  if (node == nullptr) return pairs;
  for (const auto& [name, value] : node->members) {
    if (value.kind == Node::Kind::scalar) {
      pairs[name] = value.text;
    } else if (value.kind == Node::Kind::list) {
      Texts texts;
      for (const auto& item : value.items) texts.push_back(item.text);
      pairs[name] = join(texts, ",");
    } else if (value.kind == Node::Kind::map) {
      refuse(build, fmt::format("{}.{}", key, name), "a string");
    }
  }
  return pairs;
}

// An argument without a value has that of a variable, or is left out.
Pairs args_of(const Build& build) {
  Pairs args = pairs_at(build, "args");
  const auto* node = find(build.node, "args");
  if (node == nullptr) return args;
  for (const auto& [name, value] : node->members) {
    if (value.kind != Node::Kind::null) continue;
    auto found = variable_of_service(build, name);
    if (!found) found = build.project.variable(name);
    if (found) args[name] = *found;
  }
  return args;
}

Pairs contexts_of(const Build& build) {
  Pairs contexts = pairs_at(build, "additional_contexts");
  for (auto& [name, value] : contexts) {
    if (value.starts_with("service:")) value = "target:" + target_name(value.substr(8));
  }
  return contexts;
}

// 134217728 is 128MiB.
std::string shown_size(const std::string& text) {
  static constexpr std::array<const char*, 7> k_units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto size = static_cast<double>(parse_size(text));
  std::size_t unit = 0;
  while (size >= 1024.0 && unit + 1 < k_units.size()) {
    size /= 1024.0;
    ++unit;
  }
  return fmt::format("{:.4g}{}", size, k_units.at(unit));
}

Texts ulimits_of(const Build& build) {
  Texts limits;
  const auto* node = find(build.node, "ulimits");
  if (node == nullptr) return limits;
  for (const auto& [name, value] : node->members) {
    const auto* soft = value.kind == Node::Kind::map ? find(value, "soft") : &value;
    const auto* hard = value.kind == Node::Kind::map ? find(value, "hard") : &value;
    if (soft == nullptr || hard == nullptr) refuse(build, "ulimits." + name, "a number, or have soft and hard");
    limits.push_back(fmt::format("{}={}:{}", name, soft->text, hard->text));
  }
  std::ranges::sort(limits);
  return limits;
}

Entry secret_of(const Build& build, const std::string& source) {
  const auto* secret = find(build.project.secrets, source);
  if (secret == nullptr) {
    throw usage_error(fmt::format("{} refers to undefined secret {}", build.where, source))
        .with_advice("The file defines it below \"secrets\" at its top.");
  }
  Entry entry{.fields = {{"id", source}}, .paths = {}};
  const auto* external = find(*secret, "external");
  if (external != nullptr && external->text != "false")
    throw usage_error(fmt::format("unsupported external secret {}", source));
  if (const auto* file = find(*secret, "file")) entry.fields["src"] = clean_path(file->text);
  if (const auto* variable = find(*secret, "environment")) entry.fields["env"] = variable->text;
  return entry;
}

Entries secrets_of(const Build& build) {
  Entries entries;
  const auto* node = find(build.node, "secrets");
  if (node == nullptr) return entries;
  for (const auto& item : node->items) {
    const auto* source = item.kind == Node::Kind::map ? find(item, "source") : &item;
    if (source == nullptr || source->kind != Node::Kind::scalar) refuse(build, "secrets", "a list of names");
    put_entry(Attribute::secret, entries, secret_of(build, source->text));
  }
  return entries;
}

// "sbom: true", or text as of the flag.
void add_attestation(const Build& build, const char* type, Entries& entries) {
  const auto text = text_at(build, type);
  if (!text) return;
  std::string written = fmt::format("type={},{}", type, *text);
  if (const auto enabled = bool_word(*text)) written = fmt::format("type={},disabled={}", type, !*enabled);
  for (const auto& entry : parse_entries(Attribute::attest, written)) put_entry(Attribute::attest, entries, entry);
}

Entries entries_of_texts(Attribute attribute, const Texts& texts) {
  Entries entries;
  for (const auto& text : texts) {
    for (const auto& entry : parse_entries(attribute, text)) put_entry(attribute, entries, entry);
  }
  return entries;
}

template <typename Value>
void set(Target& target, Attribute attribute, Value value) {
  if (!value.empty()) target.attributes[attribute] = std::move(value);
}

void set_texts(const Build& build, Target& target) {
  static constexpr std::array<std::pair<const char*, Attribute>, 5> k_texts = {
      {{"context", Attribute::context},
       {"dockerfile", Attribute::dockerfile},
       {"target", Attribute::target},
       {"network", Attribute::network},
       {"dockerfile_inline", Attribute::dockerfile_inline}}};
  for (const auto& [key, attribute] : k_texts) {
    if (auto text = text_at(build, key); text && !text->empty()) target.attributes[attribute] = *text;
  }
  if (const auto size = text_at(build, "shm_size"); size && !size->empty())
    target.attributes[Attribute::shm_size] = shown_size(*size);
  for (const auto& [key, attribute] :
       {std::pair("no_cache", Attribute::no_cache), std::pair("pull", Attribute::pull)}) {
    if (const auto text = text_at(build, key); text && bool_of(build, key, *text)) target.attributes[attribute] = true;
  }
}

Target target_of_build(const Build& build, std::string name) {
  check_keys(build);
  Target target{.name = std::move(name), .attributes = {}, .directory = {}, .granted = {}};
  set_texts(build, target);
  set(target, Attribute::args, args_of(build));
  set(target, Attribute::labels, pairs_at(build, "labels"));
  set(target, Attribute::contexts, contexts_of(build));
  set(target, Attribute::extra_hosts, pairs_at(build, "extra_hosts"));
  set(target, Attribute::tags, texts_at(build, "tags"));
  set(target, Attribute::platforms, texts_at(build, "platforms"));
  set(target, Attribute::no_cache_filter, texts_at(build, "no_cache_filter"));
  set(target, Attribute::ulimits, ulimits_of(build));
  set(target, Attribute::cache_from, entries_of_texts(Attribute::cache_from, texts_at(build, "cache_from")));
  set(target, Attribute::cache_to, entries_of_texts(Attribute::cache_to, texts_at(build, "cache_to")));
  set(target, Attribute::ssh, entries_of_texts(Attribute::ssh, texts_at(build, "ssh")));
  set(target, Attribute::secret, secrets_of(build));
  Entries attestations;
  add_attestation(build, "sbom", attestations);
  add_attestation(build, "provenance", attestations);
  set(target, Attribute::attest, std::move(attestations));
  return target;
}

// A list, or text that is split at blanks.
Texts words_of(const Node& node) {
  Texts words;
  for (const auto& item : node.items) words.push_back(item.text);
  if (node.kind != Node::Kind::scalar) return words;
  for (auto& word : split(node.text, ' ')) {
    if (!trim(word).empty()) words.emplace_back(trim(word));
  }
  return words;
}

void extend_by(const Build& build, const AttributeRow& row, const Node& node, Target& target) {
  if (row.shape == Shape::flag) {
    target.attributes[row.attribute] = bool_of(build, row.name, node.text);
  } else if (row.shape == Shape::texts) {
    auto& texts = value_of<Texts>(target, row.attribute);
    for (auto& word : words_of(node)) texts.push_back(std::move(word));
    make_distinct(texts);
  } else if (row.shape == Shape::entries) {
    auto& entries = value_of<Entries>(target, row.attribute);
    for (const auto& entry : entries_of_texts(row.attribute, words_of(node))) put_entry(row.attribute, entries, entry);
  } else if (row.shape == Shape::pairs) {
    auto& pairs = value_of<Pairs>(target, row.attribute);
    for (const auto& [name, value] : node.members) pairs.try_emplace(name, value.text);
  }
}

void extend_by_x_bake(const Build& build, Target& target) {
  static constexpr std::array<Attribute, 11> k_known = {
      Attribute::tags,     Attribute::cache_from,      Attribute::cache_to, Attribute::secret,
      Attribute::ssh,      Attribute::platforms,       Attribute::output,   Attribute::pull,
      Attribute::no_cache, Attribute::no_cache_filter, Attribute::contexts};
  const auto* extension = find(build.node, "x-bake");
  if (extension == nullptr) return;
  for (const auto& [key, node] : extension->members) {
    const auto* row = find_row(key);
    if (row != nullptr && node.kind != Node::Kind::null && std::ranges::find(k_known, row->attribute) != k_known.end())
      extend_by(build, *row, node, target);
  }
}

}  // namespace

Definition definition_of(const Project& project) {
  Definition definition;
  Group all{.name = "default", .description = {}, .targets = {}};
  std::map<std::string, const Node*> services;
  for (const auto& [name, service] : project.services.members) services[name] = &service;
  for (const auto& [name, service] : services) {
    const auto* node = find(*service, "build");
    if (node == nullptr || node->kind == Node::Kind::null) continue;
    const Build build{project, *service, *node, fmt::format("services.{}.build", name)};
    Target target = target_of_build(build, target_name(name));
    extend_by_x_bake(build, target);
    const auto* image = find(*service, "image");
    if (image != nullptr && !image->text.empty() && texts_of(target, Attribute::tags).empty())
      target.attributes[Attribute::tags] = Texts{image->text};
    if (!all.targets) all.targets = Texts();
    all.targets->push_back(target.name);
    definition.targets.push_back(std::move(target));
  }
  definition.groups.push_back(std::move(all));
  return definition;
}

}  // namespace mbuild::bake::compose
