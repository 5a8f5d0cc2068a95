#include "bake/compose/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake::compose {
namespace {

using Kind = Node::Kind;

// What may be written as a mapping, and as a list of texts with a separator.
struct Keyed {
  const char* key;
  std::string_view separators;
  bool needs_value;
  bool several;  // values of one name
};

constexpr std::array<Keyed, 5> k_keyed_of_build = {{{"args", "=", false, false},
                                                    {"labels", "=", false, false},
                                                    {"ssh", "=", false, false},
                                                    {"additional_contexts", "=", true, false},
                                                    {"extra_hosts", "=:", true, true}}};
constexpr Keyed k_environment = {"environment", "=", false, false};

[[noreturn]] void refuse(const std::string& where, std::string_view expected, const Node& node) {
  throw usage_error(fmt::format("{} must be {}, and is {}", where, expected, kind_name(node)));
}

void refuse_unless_map(const Node& node, const std::string& where) {
  if (node.kind != Kind::map && node.kind != Kind::null) refuse(where, "a mapping", node);
}

Node list_of(Node item) {
  Node list;
  list.kind = Kind::list;
  list.replaces = item.replaces;
  list.items.push_back(std::move(item));
  return list;
}

void put(Node& map, const Keyed& keyed, const std::string& text, const std::string& where) {
  auto at = text.find('=');
  if (at == std::string::npos) at = text.find_first_of(keyed.separators);
  if (at == std::string::npos && keyed.needs_value)
    throw usage_error(fmt::format("{}: invalid value {}, expected NAME=VALUE", where, text));
  auto& value = member(map, text.substr(0, at));
  if (at == std::string::npos) return;
  if (!keyed.several) {
    value = text_node(text.substr(at + 1));
    return;
  }
  value.kind = Kind::list;
  value.items.push_back(text_node(text.substr(at + 1)));
}

Node map_of_list(const Node& list, const Keyed& keyed, const std::string& where) {
  Node map;
  map.kind = Kind::map;
  map.replaces = list.replaces;
  for (const auto& item : list.items) {
    if (!is_text(item)) refuse(where, "a list of strings", item);
    put(map, keyed, item.text, where);
  }
  return map;
}

bool is_value(const Keyed& keyed, const Node& value) {
  if (value.kind == Kind::null) return value.replaces || !keyed.needs_value;
  if (value.kind == Kind::list && keyed.several) return std::ranges::all_of(value.items, is_text);
  return keyed.needs_value ? is_text(value) : value.kind == Kind::scalar;
}

void normalise_keyed(Node& parent, const Keyed& keyed, const std::string& where_parent) {
  Node* node = find(parent, keyed.key);
  if (node == nullptr) return;
  const auto where = fmt::format("{}.{}", where_parent, keyed.key);
  if (node->kind == Kind::list) *node = map_of_list(*node, keyed, where);
  refuse_unless_map(*node, where);
  for (auto& [name, value] : node->members) {
    if (!is_value(keyed, value)) refuse(fmt::format("{}.{}", where, name), "a string", value);
    if (keyed.several && value.kind == Kind::scalar) value = list_of(std::move(value));
  }
}

void normalise_build(Node& service, const std::string& where) {
  Node* build = find(service, "build");
  if (build == nullptr || (build->kind == Kind::null && build->replaces)) return;
  if (build->kind == Kind::scalar &&
      (build->text.empty() || build->text.find_first_not_of("0123456789") != std::string::npos)) {
    Node map;
    member(map, "context") = std::move(*build);
    *build = std::move(map);
  }
  if (build->kind != Kind::map) throw usage_error(fmt::format("{}.build must be a string or a mapping", where));
  for (const auto& keyed : k_keyed_of_build) normalise_keyed(*build, keyed, where + ".build");
}

void check_name(const std::string& name, std::string_view where) {
  const bool good = std::ranges::all_of(
      name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; });
  if (name.empty() || !good) {
    throw usage_error(fmt::format("{} additional properties '{}' not allowed", where, name))
        .with_advice("A name has letters, digits and \"._-\" only.");
  }
}

void check_secrets(const Node& secrets) {
  static const std::vector<std::string> k_keys = {"name",   "environment", "file",        "external",
                                                  "labels", "driver",      "driver_opts", "template_driver"};
  refuse_unless_map(secrets, "secrets");
  for (const auto& [name, secret] : secrets.members) {
    check_name(name, "secrets");
    if (secret.kind != Kind::map && !secret.replaces) refuse("secrets." + name, "a mapping", secret);
    check_keys(secret, "secrets." + name, k_keys);
  }
}

}  // namespace

void check_keys(const Node& map, const std::string& where, const std::vector<std::string>& known) {
  for (const auto& [key, value] : map.members) {
    if (key.starts_with("x-") || std::ranges::find(known, key) != known.end()) continue;
    throw usage_error(fmt::format("{} additional properties '{}' not allowed{}", where, key, did_you_mean(key, known)));
  }
}

std::optional<bool> yaml_bool(std::string_view word) {
  static constexpr std::array<std::string_view, 4> k_true = {"true", "y", "yes", "on"};
  static constexpr std::array<std::string_view, 4> k_false = {"false", "n", "no", "off"};
  const auto lower = to_lower(word);
  if (std::ranges::find(k_true, lower) != k_true.end()) return true;
  if (std::ranges::find(k_false, lower) != k_false.end()) return false;
  return std::nullopt;
}

void normalise(Node& model) {
  if (const Node* secrets = find(model, "secrets")) check_secrets(*secrets);
  Node* services = find(model, "services");
  if (services == nullptr) return;
  if (services->kind != Kind::map) refuse("services", "a mapping", *services);
  for (auto& [name, service] : services->members) {
    const std::string where = "services." + name;
    check_name(name, "services");
    refuse_unless_map(service, where);
    normalise_build(service, where);
    normalise_keyed(service, k_environment, where);
  }
}

}  // namespace mbuild::bake::compose
