#include "bake/compose/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "bake/attributes.h"
#include "bake/compose/dotenv.h"
#include "bake/compose/shape.h"
#include "bake/entries.h"
#include "bake/outside.h"
#include "base/bool_word.h"
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
  Texts env_files;
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

// What the build says of the key; null where it says nothing, or takes it back.
const Node* node_at(const Build& build, std::string_view key) {
  const auto* node = find(build.node, key);
  return node == nullptr || (node->kind == Node::Kind::null && node->replaces) ? nullptr : node;
}

// Of a key whose text may be written as a number, or as true or false.
std::optional<std::string> scalar_at(const Build& build, std::string_view key) {
  const auto* node = node_at(build, key);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Node::Kind::scalar) refuse(build, key, "a string");
  return node->text;
}

std::optional<std::string> text_at(const Build& build, std::string_view key) {
  const auto* node = node_at(build, key);
  if (node != nullptr && !is_text(*node)) refuse(build, key, "a string");
  return node == nullptr ? std::nullopt : std::optional(node->text);
}

Texts texts_at(const Build& build, std::string_view key) {
  const auto* node = node_at(build, key);
  if (node == nullptr) return {};
  if (node->kind != Node::Kind::list) refuse(build, key, "a list");
  Texts texts;
  for (const auto& item : node->items) {
    if (!is_text(item)) refuse(build, key, "a list of strings");
    texts.push_back(item.text);
  }
  return texts;
}

bool bool_of(const Build& build, std::string_view key, const std::string& text) {
  const auto value = yaml_bool(text);
  if (!value) refuse(build, key, "true or false");
  return *value;
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

// The files of "env_file" that are to be read.
Texts env_files_of(const Node& service, const std::string& name) {
  Texts paths;
  const auto* files = find(service, "env_file");
  if (files == nullptr || files->kind == Node::Kind::null) return paths;
  if (files->kind == Node::Kind::map)
    throw usage_error(fmt::format("services.{}.env_file must be a string or a list", name));
  const auto add = [&](const Node& file) {
    const auto* path = file.kind == Node::Kind::map ? find(file, "path") : &file;
    if (path == nullptr || path->text.empty()) return;
    const auto* required = find(file, "required");
    const bool is_there = path_exists(path->text);
    if (!is_there && (required == nullptr || yaml_bool(required->text).value_or(true)))
      throw usage_error(fmt::format("services.{}: env file {} not found", name, path->text));
    if (is_there) paths.push_back(path->text);
  };
  if (files->kind == Node::Kind::scalar) add(*files);
  for (const auto& file : files->items) add(file);
  return paths;
}

std::optional<std::string> variable_of_environment(const Build& build, const std::string& name) {
  const auto* environment = find(build.service, "environment");
  const auto* value = environment == nullptr ? nullptr : find(*environment, name);
  return value != nullptr && value->kind == Node::Kind::scalar ? std::optional(value->text) : std::nullopt;
}

// What a variable within a file of env_file stands for, before those of the file itself.
std::optional<std::string> variable_of_files(const Build& build, const std::string& name) {
  auto value = build.project.variable(name);
  return value ? value : variable_of_environment(build, name);
}

// The variables of a service: its environment, below it the files that env_file names.
std::optional<std::string> variable_of_service(const Build& build, const std::string& name) {
  if (auto value = variable_of_environment(build, name)) return value;
  const auto variable = [&](const std::string& other) { return variable_of_files(build, other); };
  std::optional<std::string> found;
  for (const auto& path : build.env_files) {
    const auto variables = parse_dotenv(path, read_file(path), variable);
    if (const auto value = variables.find(name); value != variables.end()) found = value->second;
  }
  return found;
}

Pairs pairs_at(const Build& build, std::string_view key) {
  Pairs pairs;
  const auto* node = find(build.node, key);
  if (node == nullptr) return pairs;
  for (const auto& [name, value] : node->members) {
    if (value.kind == Node::Kind::scalar) pairs[name] = value.text;
  }
  return pairs;
}

// One without a value is there, and empty.
Pairs labels_of(const Build& build) {
  Pairs labels = pairs_at(build, "labels");
  if (const auto* node = find(build.node, "labels")) {
    for (const auto& [name, value] : node->members) labels.try_emplace(name, "");
  }
  return labels;
}

std::string without_brackets(const std::string& address) {
  const bool in_brackets = address.size() > 2 && address.starts_with('[') && address.ends_with(']');
  return in_brackets ? address.substr(1, address.size() - 2) : address;
}

// Addresses by name, with commas between those of one.
Pairs hosts_of(const Build& build) {
  Pairs hosts;
  const auto* node = find(build.node, "extra_hosts");
  if (node == nullptr) return hosts;
  for (const auto& [name, value] : node->members) {
    if (name.empty() || name.find_first_of(":=") != std::string::npos)
      throw usage_error(fmt::format("{}.extra_hosts: bad host name '{}'", build.where, name));
    Texts addresses;
    for (const auto& text : words_of(value)) {
      for (const auto& address : split(text, ',')) addresses.push_back(without_brackets(address));
    }
    hosts[name] = join(addresses, ",");
  }
  return hosts;
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

// "service:X" is the target of that service, whose name may be written as either's.
std::string context_of(const std::string& value) {
  const bool is_other = value.starts_with("service:") || value.starts_with("target:");
  return is_other ? "target:" + target_name(value.substr(value.find(':') + 1)) : value;
}

Pairs contexts_of(const Build& build) {
  Pairs contexts = pairs_at(build, "additional_contexts");
  for (auto& [name, value] : contexts) {
    value = context_of(value);
    if (!value.empty() && !value.starts_with("target:") && !is_placed(value)) value = clean_path(value);
  }
  return contexts;
}

// 134217728 is 128MiB.
std::string shown_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 7> k_units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto size = static_cast<double>(bytes);
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
  if (node->kind != Node::Kind::map) refuse(build, "ulimits", "a mapping");
  for (const auto& [name, value] : node->members) {
    check_keys(value, fmt::format("{}.ulimits.{}", build.where, name), {"soft", "hard"});
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
  if (external != nullptr && yaml_bool(external->text) != false)
    throw usage_error(fmt::format("unsupported external secret {}", source));
  if (const auto* file = find(*secret, "file")) entry.fields["src"] = clean_path(file->text);
  if (const auto* variable = find(*secret, "environment")) entry.fields["env"] = variable->text;
  return entry;
}

Entries secrets_of(const Build& build) {
  static const std::vector<std::string> k_keys = {"source", "target", "uid", "gid", "mode"};
  Entries entries;
  const auto* node = node_at(build, "secrets");
  if (node == nullptr) return entries;
  if (node->kind != Node::Kind::list) refuse(build, "secrets", "a list");
  for (const auto& item : node->items) {
    check_keys(item, build.where + ".secrets", k_keys);
    const auto* source = item.kind == Node::Kind::map ? find(item, "source") : &item;
    if (source == nullptr || source->kind != Node::Kind::scalar) refuse(build, "secrets", "a list of names");
    put_entry(Attribute::secret, entries, secret_of(build, source->text));
  }
  return entries;
}

// "sbom: true", or text as of the flag.
void add_attestation(const Build& build, const char* type, Entries& entries) {
  const auto text = scalar_at(build, type);
  if (!text || text->empty()) return;
  std::string written = fmt::format("type={},{}", type, *text);
  if (const auto enabled = bool_word(*text)) written = fmt::format("type={},disabled={}", type, !*enabled);
  for (const auto& entry : parse_entries(Attribute::attest, written)) put_entry(Attribute::attest, entries, entry);
}

// A key or socket for each id, or the agent of the user.
Entries agents_of(const Build& build) {
  Entries entries;
  const auto* node = find(build.node, "ssh");
  if (node == nullptr) return entries;
  for (const auto& [id, path] : node->members) {
    const auto written = path.text.empty() ? id : id + "=" + path.text;
    for (const auto& entry : parse_entries(Attribute::ssh, written)) put_entry(Attribute::ssh, entries, entry);
  }
  return entries;
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
  static constexpr std::array<std::pair<const char*, Attribute>, 4> k_texts = {
      {{"dockerfile", Attribute::dockerfile},
       {"target", Attribute::target},
       {"network", Attribute::network},
       {"dockerfile_inline", Attribute::dockerfile_inline}}};
  for (const auto& [key, attribute] : k_texts) {
    if (auto text = text_at(build, key); text && !text->empty()) target.attributes[attribute] = *text;
  }
  const auto* context = find(build.node, "context");
  if (context != nullptr && context->kind != Node::Kind::null) {
    if (auto text = scalar_at(build, "context"); !text->empty()) target.attributes[Attribute::context] = *text;
  }
  if (const auto text = scalar_at(build, "shm_size")) {
    if (node_at(build, "shm_size")->scalar == Node::Scalar::number)
      refuse(build, "shm_size", "a whole number or a size");
    if (const auto size = parse_size(*text); size > 0) target.attributes[Attribute::shm_size] = shown_size(size);
  }
  for (const auto& [key, attribute] :
       {std::pair("no_cache", Attribute::no_cache), std::pair("pull", Attribute::pull)}) {
    if (const auto text = scalar_at(build, key); text && bool_of(build, key, *text))
      target.attributes[attribute] = true;
  }
}

// Of members that make no difference to the target, and of mappings of which nothing is left.
void check_other_shapes(const Build& build) {
  text_at(build, "isolation");
  texts_at(build, "entitlements");
  if (const auto text = scalar_at(build, "privileged")) bool_of(build, "privileged", *text);
  for (const char* key : {"args", "labels", "ssh", "additional_contexts", "extra_hosts"}) {
    if (const auto* node = node_at(build, key); node != nullptr && node->kind != Node::Kind::map)
      refuse(build, key, "a mapping");
  }
}

Target target_of_build(const Build& build, std::string name) {
  check_keys(build.node, build.where, known_keys());
  check_other_shapes(build);
  const auto dockerfile = text_at(build, "dockerfile"), lines = text_at(build, "dockerfile_inline");
  if (dockerfile && lines && !dockerfile->empty() && !lines->empty())
    throw usage_error(fmt::format("{} has both dockerfile and dockerfile_inline", build.where));
  Target target{.name = std::move(name), .attributes = {}, .directory = {}, .granted = {}};
  set_texts(build, target);
  set(target, Attribute::args, args_of(build));
  set(target, Attribute::labels, labels_of(build));
  set(target, Attribute::contexts, contexts_of(build));
  set(target, Attribute::extra_hosts, hosts_of(build));
  set(target, Attribute::tags, texts_at(build, "tags"));
  set(target, Attribute::platforms, texts_at(build, "platforms"));
  set(target, Attribute::no_cache_filter, texts_at(build, "no_cache_filter"));
  set(target, Attribute::ulimits, ulimits_of(build));
  set(target, Attribute::cache_from, entries_of_texts(Attribute::cache_from, texts_at(build, "cache_from")));
  set(target, Attribute::cache_to, entries_of_texts(Attribute::cache_to, texts_at(build, "cache_to")));
  set(target, Attribute::ssh, agents_of(build));
  set(target, Attribute::secret, secrets_of(build));
  Entries attestations;
  add_attestation(build, "sbom", attestations);
  add_attestation(build, "provenance", attestations);
  set(target, Attribute::attest, std::move(attestations));
  return target;
}

// Of the value of a member of x-bake.
void check_shape(const Build& build, const AttributeRow& row, const Node& node) {
  const auto is_text = [](const Node& one) { return one.kind == Node::Kind::scalar || one.kind == Node::Kind::null; };
  const std::string key = fmt::format("x-bake.{}", row.name);
  if (row.shape == Shape::pairs) {
    const bool good = node.kind == Node::Kind::map && std::ranges::all_of(node.members, is_text, &Member::value);
    if (!good) refuse(build, key, "a mapping of strings");
  } else if (row.shape == Shape::flag) {
    if (node.kind != Node::Kind::scalar) refuse(build, key, "true or false");
  } else if (node.kind == Node::Kind::map || !std::ranges::all_of(node.items, is_text)) {
    refuse(build, key, "a string or a list of strings");
  }
}

void extend_by(const Build& build, const AttributeRow& row, const Node& node, Target& target) {
  check_shape(build, row, node);
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
    for (const auto& [name, value] : node.members) pairs.try_emplace(name, context_of(value.text));
  }
}

void extend_by_x_bake(const Build& build, Target& target) {
  static constexpr std::array<Attribute, 11> k_known = {
      Attribute::tags,     Attribute::cache_from,      Attribute::cache_to, Attribute::secret,
      Attribute::ssh,      Attribute::platforms,       Attribute::output,   Attribute::pull,
      Attribute::no_cache, Attribute::no_cache_filter, Attribute::contexts};
  const auto* extension = find(build.node, "x-bake");
  if (extension == nullptr || extension->kind == Node::Kind::null) return;
  if (extension->kind != Node::Kind::map) refuse(build, "x-bake", "a mapping");
  for (const auto& [key, node] : extension->members) {
    const auto* row = find_row(key);
    if (row != nullptr && node.kind != Node::Kind::null && std::ranges::find(k_known, row->attribute) != k_known.end())
      extend_by(build, *row, node, target);
  }
}

bool is_there(const Node* node) { return node != nullptr && node->kind != Node::Kind::null; }

// None for a service that has an image only.
std::optional<Target> target_of_service(const Project& project, const std::string& name, const Node& service) {
  const auto* image = find(service, "image");
  const auto* node = find(service, "build");
  if (is_there(image) && image->kind != Node::Kind::scalar)
    throw usage_error(fmt::format("services.{}.image must be a string", name));
  if (!is_there(node) && (!is_there(image) || image->text.empty()))
    throw usage_error(fmt::format("service \"{}\" has neither an image nor a build context", name));
  auto env_files = env_files_of(service, name);
  if (!is_there(node)) return std::nullopt;
  const Build build{project, service, *node, fmt::format("services.{}.build", name), std::move(env_files)};
  Target target = target_of_build(build, target_name(name));
  extend_by_x_bake(build, target);
  if (is_there(image) && !image->text.empty() && texts_of(target, Attribute::tags).empty())
    target.attributes[Attribute::tags] = Texts{image->text};
  return target;
}

}  // namespace

Definition definition_of(const Project& project) {
  Definition definition;
  Group all{.name = "default", .description = {}, .targets = {}};
  std::map<std::string, const Node*> services;
  for (const auto& [name, service] : project.services.members) services[name] = &service;
  for (const auto& [name, service] : services) {
    auto target = target_of_service(project, name, *service);
    if (!target) continue;
    if (!all.targets) all.targets = Texts();
    all.targets->push_back(target->name);
    definition.targets.push_back(std::move(*target));
  }
  if (!services.empty()) definition.groups.push_back(std::move(all));
  return definition;
}

}  // namespace mbuild::bake::compose
