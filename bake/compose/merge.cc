#include "bake/compose/merge.h"

#include <algorithm>
#include <utility>

namespace mbuild::bake::compose {
namespace {

bool is_there(const Node& list, const Node& item) {
  return item.kind == Node::Kind::scalar && std::ranges::any_of(list.items, [&](const Node& other) {
           return other.kind == Node::Kind::scalar && other.text == item.text;
         });
}

}  // namespace

void merge(Node& into, Node over) {
  if (over.kind == Node::Kind::null && !over.replaces) return;
  if (over.replaces || over.kind != into.kind || over.kind == Node::Kind::scalar) {
    into = std::move(over);
    return;
  }
  for (auto& [key, value] : over.members) {
    if (Node* known = find(into, key)) {
      merge(*known, std::move(value));
    } else {
      into.members.emplace_back(key, std::move(value));
    }
  }
  for (auto& item : over.items) {
    if (!is_there(into, item)) into.items.push_back(std::move(item));
  }
}

}  // namespace mbuild::bake::compose
