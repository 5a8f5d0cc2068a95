#include "bake/compose/yaml.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"

namespace mbuild::bake::compose {
namespace {

constexpr std::size_t k_most_nodes = 1'000'000;  // with what aliases stand for counted each time
constexpr int k_deepest = 200;

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

std::string_view view(const yaml_char_t* text) { return reinterpret_cast<const char*>(text); }

bool is_decimal(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Of 0x10, 0o17 and, as YAML 1.1 has it, 017; nothing for other text.
std::string number_with_base(std::string_view text) {
  const bool negative = text.starts_with('-');
  auto digits = negative || text.starts_with('+') ? text.substr(1) : text;
  int base = 0;
  if (digits.starts_with("0x")) {
    base = 16;
  } else if (digits.starts_with("0o")) {
    base = 8;
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  } else {
    return "";
  }
  digits.remove_prefix(digits.starts_with("0x") || digits.starts_with("0o") ? 2 : 1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (code != std::errc() || end != digits.data() + digits.size()) return "";
  return std::to_string(negative ? -value : value);
}

// The shortest form of a number with a fraction or an exponent: 1.50 is 1.5.
std::string shortest_number(std::string_view text) {
  if (text.find_first_of(".eE") == std::string_view::npos || text.find_first_not_of("0123456789.eE+-") != text.npos)
    return "";
  double value = 0;
  const auto* begin = text.starts_with('+') ? text.data() + 1 : text.data();
  const auto [end, code] = std::from_chars(begin, text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return "";
  const double size = std::fabs(value);
  std::array<char, 64> buffer{};
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e21);
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {buffer.data(), result.ptr};
}

Node scalar_node(const yaml_node_t& from) {
  const std::string_view text(reinterpret_cast<const char*>(from.data.scalar.value), from.data.scalar.length);
  const bool plain = from.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && view(from.tag) != "!!str";
  Node node = text_node(std::string(text));
  if (!plain) return node;
  if (is_any_of(text, {"", "~", "null", "Null", "NULL"})) return {};
  // With a tag, as !!str, or an anchor before it. libyaml does not tell which tags were written.
  const bool has_properties = from.end_mark.index - from.start_mark.index > text.size();
  const auto become = [&](Node::Scalar scalar, std::string form) {
    if (!has_properties) node.scalar = scalar;
    node.text = std::move(form);
  };
  if (is_any_of(text, {"true", "True", "TRUE"})) become(Node::Scalar::boolean, "true");
  if (is_any_of(text, {"false", "False", "FALSE"})) become(Node::Scalar::boolean, "false");
  if (is_decimal(text)) become(Node::Scalar::integer, std::string(text));
  if (auto number = number_with_base(text); !number.empty()) become(Node::Scalar::integer, std::move(number));
  if (auto number = shortest_number(text); !number.empty()) become(Node::Scalar::number, std::move(number));
  return node;
}

class Reader {
 public:
  Reader(const std::string& name, const std::string& text) : name_(name) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    yaml_document_delete(&document_);
    yaml_parser_delete(&parser_);
  }

  // The next document; nothing behind the last.
  std::optional<Node> next() {
    yaml_document_delete(&document_);
    document_ = {};
    if (yaml_parser_load(&parser_, &document_) == 0) throw failure();
    const auto* node = yaml_document_get_root_node(&document_);
    return node == nullptr ? std::nullopt : std::optional(convert(*node, 0));
  }

 private:
  Error failure() const {
    return usage_error(fmt::format("parsing {}: yaml: line {}: {}", name_, parser_.problem_mark.line + 1,
                                   parser_.problem == nullptr ? "no YAML" : parser_.problem));
  }

  [[noreturn]] void refuse(const yaml_node_t& at, std::string_view why) const {
    throw usage_error(fmt::format("parsing {}: yaml: line {}: {}", name_, at.start_mark.line + 1, why));
  }

  const yaml_node_t& node_of(int number) { return *yaml_document_get_node(&document_, number); }

  Node convert(const yaml_node_t& from, int depth) {
    if (depth > k_deepest) refuse(from, "too deep, or an alias of what it is in");
    if (++count_ > k_most_nodes) refuse(from, "too large with all aliases resolved");
    Node node;
    if (from.type == YAML_SCALAR_NODE) {
      node = scalar_node(from);
    } else if (from.type == YAML_SEQUENCE_NODE) {
      node.kind = Node::Kind::list;
      for (const int* item = from.data.sequence.items.start; item != from.data.sequence.items.top; ++item)
        node.items.push_back(convert(node_of(*item), depth + 1));
    } else {
      node = map_node(from, depth);
    }
    if (from.tag != nullptr && view(from.tag) == "!reset") node = Node();
    node.replaces = from.tag != nullptr && is_any_of(view(from.tag), {"!reset", "!override"});
    return node;
  }

  Node map_node(const yaml_node_t& from, int depth) {
    Node node;
    node.kind = Node::Kind::map;
    std::vector<Node> merged;
    for (const auto* pair = from.data.mapping.pairs.start; pair != from.data.mapping.pairs.top; ++pair) {
      const auto& key = node_of(pair->key);
      if (key.type != YAML_SCALAR_NODE) refuse(key, "a key is no text");
      std::string text = view(key.data.scalar.value).data();
      Node value = convert(node_of(pair->value), depth + 1);
      if (text == "<<" && key.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        merged.push_back(std::move(value));
        continue;
      }
      if (find(node, text) != nullptr) refuse(key, fmt::format("mapping key \"{}\" already defined", text));
      node.members.emplace_back(std::move(text), std::move(value));
    }
    for (const auto& from_key : merged) take_missing(from_key, node);
    return node;
  }

  static void take_missing(const Node& from, Node& into) {
    for (const auto& item : from.items) take_missing(item, into);
    for (const auto& [key, value] : from.members) {
      if (find(into, key) == nullptr) into.members.emplace_back(key, value);
    }
  }

  const std::string& name_;
  yaml_parser_t parser_{};
  yaml_document_t document_{};
  std::size_t count_ = 0;
};

}  // namespace

Node parse_yaml(const std::string& name, const std::string& text) { return Reader(name, text).next().value_or(Node()); }

std::vector<Node> parse_yaml_documents(const std::string& name, const std::string& text) {
  Reader reader(name, text);
  std::vector<Node> documents;
  while (auto document = reader.next()) documents.push_back(*std::move(document));
  return documents;
}

Node text_node(std::string text) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = std::move(text);
  return node;
}

bool is_text(const Node& node) { return node.kind == Node::Kind::scalar && node.scalar == Node::Scalar::text; }

const Node* find(const Node& map, std::string_view key) {
  const auto found = std::ranges::find(map.members, key, &Member::key);
  return found == map.members.end() ? nullptr : &found->value;
}

Node* find(Node& map, std::string_view key) { return const_cast<Node*>(find(std::as_const(map), key)); }

Node& member(Node& map, const std::string& key) {
  map.kind = Node::Kind::map;
  const auto found = std::ranges::find(map.members, key, &Member::key);
  return found == map.members.end() ? map.members.emplace_back(key, Node()).value : found->value;
}

std::string kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return is_text(node) ? "a string" : node.scalar == Node::Scalar::boolean ? "a bool" : "a number";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      break;
  }
  return "a mapping";
}

}  // namespace mbuild::bake::compose
