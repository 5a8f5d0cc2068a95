#include "bake/target.h"

#include <algorithm>

namespace mbuild::bake {
namespace {

template <typename Value>
const Value* value_if_set(const Target& target, Attribute attribute) {
  const auto found = target.attributes.find(attribute);
  return found == target.attributes.end() ? nullptr : std::get_if<Value>(&found->second);
}

template <typename Value>
const Value& value_or_empty(const Target& target, Attribute attribute) {
  static const Value k_empty;
  const auto* value = value_if_set<Value>(target, attribute);
  return value == nullptr ? k_empty : *value;
}

template <typename Thing>
const Thing* named(const std::vector<Thing>& things, std::string_view name) {
  const auto found = std::ranges::find(things, name, &Thing::name);
  return found == things.end() ? nullptr : &*found;
}

}  // namespace

const std::string* text_of(const Target& target, Attribute attribute) {
  return value_if_set<std::string>(target, attribute);
}

const bool* flag_of(const Target& target, Attribute attribute) { return value_if_set<bool>(target, attribute); }

const Texts& texts_of(const Target& target, Attribute attribute) { return value_or_empty<Texts>(target, attribute); }

const Pairs& pairs_of(const Target& target, Attribute attribute) { return value_or_empty<Pairs>(target, attribute); }

const Entries& entries_of(const Target& target, Attribute attribute) {
  return value_or_empty<Entries>(target, attribute);
}

const Target* find_target(const Definition& definition, std::string_view name) {
  return named(definition.targets, name);
}

const Group* find_group(const Definition& definition, std::string_view name) { return named(definition.groups, name); }

}  // namespace mbuild::bake
