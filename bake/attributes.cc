#include "bake/attributes.h"

#include <algorithm>
#include <array>

#include "bake/entries.h"

namespace mbuild::bake {
namespace {

constexpr bool k_escaped = true, k_distinct = true;

constexpr std::array<AttributeRow, 29> k_rows = {{
    {Attribute::description, "description", Shape::text, Merge::replace, Setting::none, ""},
    {Attribute::annotations, "annotations", Shape::texts, Merge::append, Setting::added, "annotations", k_escaped,
     k_distinct},
    {Attribute::attest, "attest", Shape::entries, Merge::by_identity, Setting::added, "attest"},
    {Attribute::context, "context", Shape::text, Merge::replace, Setting::one, "context"},
    {Attribute::contexts, "contexts", Shape::pairs, Merge::by_key, Setting::by_name, "contexts"},
    {Attribute::dockerfile, "dockerfile", Shape::text, Merge::replace, Setting::one, "dockerfile"},
    {Attribute::dockerfile_inline, "dockerfile-inline", Shape::text, Merge::replace, Setting::none, "", k_escaped},
    {Attribute::args, "args", Shape::pairs, Merge::by_key, Setting::by_name, "args", k_escaped},
    {Attribute::labels, "labels", Shape::pairs, Merge::by_key, Setting::by_name, "labels", k_escaped},
    {Attribute::tags, "tags", Shape::texts, Merge::replace, Setting::list, "tags", false, k_distinct},
    {Attribute::cache_from, "cache-from", Shape::entries, Merge::append, Setting::list, "cache-from"},
    {Attribute::cache_to, "cache-to", Shape::entries, Merge::replace, Setting::list, "cache-to"},
    {Attribute::target, "target", Shape::text, Merge::replace, Setting::one, "target"},
    {Attribute::secret, "secret", Shape::entries, Merge::by_identity, Setting::list, "secrets"},
    {Attribute::ssh, "ssh", Shape::entries, Merge::by_identity, Setting::list, "ssh"},
    {Attribute::platforms, "platforms", Shape::texts, Merge::replace, Setting::list, "platform", false, k_distinct},
    {Attribute::output, "output", Shape::entries, Merge::replace, Setting::list, "output"},
    {Attribute::pull, "pull", Shape::flag, Merge::replace, Setting::one, "pull"},
    {Attribute::no_cache, "no-cache", Shape::flag, Merge::replace, Setting::one, "no-cache"},
    {Attribute::network, "network", Shape::text, Merge::replace, Setting::one, "network"},
    {Attribute::no_cache_filter, "no-cache-filter", Shape::texts, Merge::append, Setting::list, "no-cache-filter",
     false, k_distinct},
    {Attribute::shm_size, "shm-size", Shape::text, Merge::replace, Setting::one, "shm-size"},
    {Attribute::ulimits, "ulimits", Shape::texts, Merge::append, Setting::list, "ulimits", false, k_distinct},
    {Attribute::resources, "resources", Shape::pairs, Merge::by_key, Setting::by_name, "resources"},
    {Attribute::call, "call", Shape::text, Merge::replace, Setting::one, "call"},
    {Attribute::entitlements, "entitlements", Shape::texts, Merge::append, Setting::added, "entitlements", false,
     k_distinct},
    {Attribute::extra_hosts, "extra-hosts", Shape::pairs, Merge::by_key, Setting::by_name, "extra-hosts", k_escaped},
    {Attribute::policy, "policy", Shape::entries, Merge::append_all, Setting::list, "policy"},
    {Attribute::inherits, "inherits", Shape::texts, Merge::replace, Setting::none, ""},
}};

template <typename Item>
void append(const AttributeRow& row, std::vector<Item>& into, const std::vector<Item>& later) {
  for (const auto& item : later) {
    if (row.merge == Merge::append && std::ranges::find(into, item) != into.end()) continue;
    into.push_back(item);
  }
}

void replace_in_place(Attribute attribute, Entries& into, const Entries& later) {
  for (const auto& entry : later) put_entry(attribute, into, entry);
}

}  // namespace

std::span<const AttributeRow> attribute_rows() { return k_rows; }

const AttributeRow& row_of(Attribute attribute) { return k_rows.at(static_cast<std::size_t>(attribute)); }

const AttributeRow* find_row(std::string_view name) {
  const auto found = std::ranges::find(k_rows, name, &AttributeRow::name);
  return found == k_rows.end() ? nullptr : &*found;
}

const AttributeRow* find_row_of_set_key(std::string_view key) {
  const auto found =
      std::ranges::find_if(k_rows, [&](const AttributeRow& row) { return !key.empty() && row.set_key == key; });
  return found == k_rows.end() ? nullptr : &*found;
}

std::vector<std::string> attribute_names() {
  std::vector<std::string> names = {"matrix", "name"};
  for (const auto& row : k_rows) names.emplace_back(row.name);
  return names;
}

void merge_value(const AttributeRow& row, AttributeValue& into, const AttributeValue& later) {
  // Other texts may be set to nothing; a description can't.
  if (row.attribute == Attribute::description && std::get<std::string>(later).empty()) return;
  if (row.merge == Merge::replace) {
    into = later;
  } else if (row.merge == Merge::by_key) {
    for (const auto& [key, value] : std::get<Pairs>(later)) std::get<Pairs>(into).insert_or_assign(key, value);
  } else if (row.merge == Merge::by_identity) {
    replace_in_place(row.attribute, std::get<Entries>(into), std::get<Entries>(later));
  } else if (row.shape == Shape::texts) {
    append(row, std::get<Texts>(into), std::get<Texts>(later));
  } else {
    append(row, std::get<Entries>(into), std::get<Entries>(later));
  }
}

void merge(Target& into, const Target& later) {
  for (const auto& [attribute, value] : later.attributes) {
    const auto [found, added] = into.attributes.try_emplace(attribute, value);
    if (!added) merge_value(row_of(attribute), found->second, value);
  }
  into.granted.insert(into.granted.end(), later.granted.begin(), later.granted.end());
}

void make_distinct(Texts& texts) {
  Texts kept;
  for (auto& text : texts) {
    if (!text.empty() && std::ranges::find(kept, text) == kept.end()) kept.push_back(std::move(text));
  }
  texts = std::move(kept);
}

}  // namespace mbuild::bake
