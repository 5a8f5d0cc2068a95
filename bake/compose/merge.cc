#include "bake/compose/merge.h"

#include <fmt/format.h>

#include <algorithm>

#include "bake/outside.h"
#include "base/error.h"

namespace mbuild::bake::compose {
namespace {

Node* find_member(Node& map, std::string_view key) { return const_cast<Node*>(find(map, key)); }

void refuse_unless_map(const Node& node, const std::string& where) {
  if (node.kind != Node::Kind::map && node.kind != Node::Kind::null)
    throw usage_error(fmt::format("{} must be a mapping, and is {}", where, kind_name(node)));
}

// "NAME=VALUE" of a list, "NAME" where a value is to be looked for; hosts may have a colon.
void list_to_map(Node& parent, const std::string& key, const std::string& where, std::string_view separators = "=") {
  Node* node = find_member(parent, key);
  if (node == nullptr || node->kind != Node::Kind::list) {
    if (node != nullptr) refuse_unless_map(*node, where + "." + key);
    return;
  }
  Node map;
  map.kind = Node::Kind::map;
  map.replaces = node->replaces;
  for (const auto& item : node->items) {
    const auto at =
        item.text.find('=') != std::string::npos ? item.text.find('=') : item.text.find_first_of(separators);
    auto& value = member(map, item.text.substr(0, at));
    if (at != std::string::npos) value = text_node(item.text.substr(at + 1));
  }
  *node = std::move(map);
}

void normalise_build(Node& service, const std::string& where) {
  Node* build = find_member(service, "build");
  if (build == nullptr || build->kind == Node::Kind::null) return;
  if (build->kind == Node::Kind::scalar &&
      (build->text.empty() || build->text.find_first_not_of("0123456789") != std::string::npos)) {
    Node map;
    member(map, "context") = std::move(*build);
    *build = std::move(map);
  }
  if (build->kind != Node::Kind::map) throw usage_error(fmt::format("{}.build must be a string or a mapping", where));
  for (const char* key : {"args", "labels", "additional_contexts"}) list_to_map(*build, key, where + ".build");
  list_to_map(*build, "extra_hosts", where + ".build", "=:");
}

void place(Node& map, std::string_view key, const std::string& directory) {
  Node* path = find_member(map, key);
  if (path != nullptr && path->kind == Node::Kind::scalar) path->text = path_from(directory, path->text);
}

bool is_there(const Node& list, const Node& item) {
  return item.kind == Node::Kind::scalar && std::ranges::any_of(list.items, [&](const Node& other) {
           return other.kind == Node::Kind::scalar && other.text == item.text;
         });
}

}  // namespace

void normalise(Node& model) {
  Node* services = find_member(model, "services");
  if (services == nullptr) return;
  refuse_unless_map(*services, "services");
  for (auto& [name, service] : services->members) {
    const std::string where = "services." + name;
    refuse_unless_map(service, where);
    normalise_build(service, where);
    list_to_map(service, "environment", where);
  }
}

void merge(Node& into, Node over) {
  if (over.kind == Node::Kind::null && !over.replaces) return;
  if (over.replaces || over.kind != into.kind || over.kind == Node::Kind::scalar) {
    into = std::move(over);
    return;
  }
  for (auto& [key, value] : over.members) {
    if (Node* known = find_member(into, key)) {
      merge(*known, std::move(value));
    } else {
      into.members.emplace_back(key, std::move(value));
    }
  }
  for (auto& item : over.items) {
    if (!is_there(into, item)) into.items.push_back(std::move(item));
  }
}

void place_service(Node& service, const std::string& directory) {
  Node* build = find_member(service, "build");
  if (build == nullptr || build->kind != Node::Kind::map) return;
  if (find(*build, "context") == nullptr) member(*build, "context") = text_node(".");
  place(*build, "context", directory);
  Node* contexts = find_member(*build, "additional_contexts");
  if (contexts == nullptr) return;
  for (auto& [name, path] : contexts->members) {
    if (path.kind == Node::Kind::scalar && !path.text.starts_with("service:"))
      path.text = path_from(directory, path.text);
  }
}

void place_paths(Node& model, const std::string& directory) {
  if (directory.empty() || directory == ".") return;
  if (Node* services = find_member(model, "services")) {
    for (auto& [name, service] : services->members) place_service(service, directory);
  }
  if (Node* secrets = find_member(model, "secrets")) {
    for (auto& [name, secret] : secrets->members) place(secret, "file", directory);
  }
}

}  // namespace mbuild::bake::compose
