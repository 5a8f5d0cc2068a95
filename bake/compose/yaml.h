#pragma once

#include <string>
#include <string_view>
#include <vector>

// YAML as far as compose files need it: documents as trees, aliases and merge keys ("<<") resolved.
namespace mbuild::bake::compose {

struct Member;

struct Node {
  enum class Kind { null, scalar, list, map };
  enum class Scalar { text, boolean, integer, number };

  Kind kind = Kind::null;
  Scalar scalar = Scalar::text;  // where it has a tag or an anchor, too
  std::string text;              // of a scalar; numbers and bools in their usual form
  bool replaces = false;         // !override or !reset: merged over another it takes its place
  std::vector<Node> items;
  std::vector<Member> members;  // of a map, in their order, no key twice
};

struct Member {
  std::string key;
  Node value;
};

// The first document; null where there is none. `name` is the file's in messages. Throws Error (usage).
Node parse_yaml(const std::string& name, const std::string& text);
// All that `---` parts.
std::vector<Node> parse_yaml_documents(const std::string& name, const std::string& text);

Node text_node(std::string text);
// A scalar that is neither a number nor true or false.
bool is_text(const Node& node);
const Node* find(const Node& map, std::string_view key);
Node* find(Node& map, std::string_view key);
// The member, added as null where it is missing.
Node& member(Node& map, const std::string& key);
// "a string", "a list" ... for messages.
std::string kind_name(const Node& node);

}  // namespace mbuild::bake::compose
