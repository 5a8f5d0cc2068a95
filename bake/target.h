#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a definition defines, as plain data: targets, of which each is one image to build, and groups of them.
namespace mbuild::bake {

// In the order in which a target's attributes are printed. "matrix" and "name" make targets and are not kept.
enum class Attribute {
  description,
  annotations,
  attest,
  context,
  contexts,
  dockerfile,
  dockerfile_inline,
  args,
  labels,
  tags,
  cache_from,
  cache_to,
  target,
  secret,
  ssh,
  platforms,
  output,
  pull,
  no_cache,
  network,
  no_cache_filter,
  shm_size,
  ulimits,
  resources,
  call,
  entitlements,
  extra_hosts,
  policy,
  inherits,
};

// One of a composable attribute: an output, a cache, a secret, an agent, an attestation, a policy.
struct Entry {
  std::map<std::string, std::string> fields;  // "type" and "dest" among them
  std::vector<std::string> paths;             // of an ssh agent

  bool operator==(const Entry&) const = default;
};

using Texts = std::vector<std::string>;
using Pairs = std::map<std::string, std::string>;
using Entries = std::vector<Entry>;
// The alternatives are those of Shape, in its order.
using AttributeValue = std::variant<std::string, bool, Texts, Pairs, Entries>;

struct Target {
  std::string name;
  std::map<Attribute, AttributeValue> attributes;  // those that are set
  std::string directory;                           // its context where it has none; "": that of the user
  std::vector<std::string> granted;                // paths that the command line names: they need no grant
};

struct Group {
  std::string name;
  std::string description;
  std::optional<Texts> targets;  // none: of compose files without anything to build
};

struct Variable {
  std::string name;
  std::string type;  // "" where none is declared
  std::optional<std::string> value;
  std::string description;
};

struct Definition {
  std::vector<Target> targets;  // each name once, in the order in which they are defined
  std::vector<Group> groups;    // likewise
  std::vector<Variable> variables;
  std::vector<std::string> warnings;
};

// What is set, or null.
const std::string* text_of(const Target& target, Attribute attribute);
const bool* flag_of(const Target& target, Attribute attribute);
// Empty where it is not set.
const Texts& texts_of(const Target& target, Attribute attribute);
const Pairs& pairs_of(const Target& target, Attribute attribute);
const Entries& entries_of(const Target& target, Attribute attribute);

// The value of the attribute, set to an empty one where it is not set.
template <typename Value>
Value& value_of(Target& target, Attribute attribute) {
  const auto [found, added] = target.attributes.try_emplace(attribute, Value());
  return std::get<Value>(found->second);
}

const Target* find_target(const Definition& definition, std::string_view name);
const Group* find_group(const Definition& definition, std::string_view name);

}  // namespace mbuild::bake
