#include "bake/hcl/value.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace mbuild::bake::hcl {

namespace {

template <typename Content>
Value make(Type type, Content content) {
  return {std::move(type), std::make_shared<const Data>(Data{std::move(content)})};
}

template <typename Content>
const Content& content_of(const Value& value) {
  const Content* content = value.data ? std::get_if<Content>(&value.data->content) : nullptr;
  if (!content) {
    throw Error(ExitClass::internal, "a value of type " + friendly_name(value.type) + " was taken for something else");
  }
  return *content;
}

template <typename Items, typename Compare>
int compare_items(const Items& a, const Items& b, Compare compare) {
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end(); ++x, ++y) {
    if (const int order = compare(*x, *y)) {
      return order;
    }
  }
  return a.size() < b.size() ? -1 : a.size() > b.size();
}

int compare_members(const Members::value_type& a, const Members::value_type& b) {
  const int order = a.first.compare(b.first);
  return order ? order : compare_in_set(a.second, b.second);
}

int compare_content(const bool& a, const bool& b) { return int{a} - int{b}; }
int compare_content(const Number& a, const Number& b) { return compare(a, b); }
int compare_content(const std::string& a, const std::string& b) { return a.compare(b); }
int compare_content(const Elements& a, const Elements& b) { return compare_items(a, b, compare_in_set); }
int compare_content(const Members& a, const Members& b) { return compare_items(a, b, compare_members); }

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    result += c == '"' || c == '\\' ? "\\" : "";
    result += c;
  }
  return result + "\"";
}

std::string order_text(const Value& value);

std::string order_text_of(const bool& truth) { return truth ? "T" : "F"; }
std::string order_text_of(const Number& number) { return rough_text(number); }
std::string order_text_of(const std::string& text) { return quoted(text); }

std::string order_text_of(const Elements& elements) {
  std::string text;
  for (const Value& element : elements) {
    text += order_text(element) + ";";
  }
  return text;
}

std::string order_text_of(const Members& members) {
  std::string text;
  for (const auto& [name, member] : members) {
    text += quoted(name) + ":" + order_text(member) + ";";
  }
  return text;
}

std::string attribute_texts(const Members& members) {
  std::string text;
  for (const auto& [name, member] : members) {
    text += order_text(member) + ";";
  }
  return text;
}

// What decides the order of collections and structures in a set, as the field has it: results of functions on sets
// are compared between tools as JSON.
std::string order_text(const Value& value) {
  if (value.is_null()) {
    return "~";
  }
  switch (value.type.kind) {
    case Kind::list:
    case Kind::set:
      return "[" + order_text_of(elements(value)) + "]";
    case Kind::tuple:
      return "<" + order_text_of(elements(value)) + ">";
    case Kind::map:
      return "{" + order_text_of(members(value)) + "}";
    case Kind::object:
      return "<" + attribute_texts(members(value)) + ">";
    default:
      return std::visit([](const auto& content) { return order_text_of(content); }, value.data->content);
  }
}

bool same_members(const Members::value_type& a, const Members::value_type& b) {
  return a.first == b.first && equal(a.second, b.second);
}

}  // namespace

Value null_value(Type type) { return {std::move(type), nullptr}; }

Value string_value(std::string text) { return make(string_type(), std::move(text)); }

Value number_value(const Number& number) { return make(number_type(), number); }

Value bool_value(bool truth) { return make(bool_type(), truth); }

Value tuple_value(Elements elements) {
  std::vector<Type> types;
  types.reserve(elements.size());
  for (const Value& element : elements) {
    types.push_back(element.type);
  }
  return make(tuple_of(std::move(types)), std::move(elements));
}

Value object_value(Members attributes) {
  std::map<std::string, Type, std::less<>> types;
  for (const auto& [name, attribute] : attributes) {
    types.emplace_hint(types.end(), name, attribute.type);
  }
  return make(object_of(std::move(types)), std::move(attributes));
}

Value list_value(Type element, Elements elements) { return make(list_of(std::move(element)), std::move(elements)); }

Value set_value(Type element, Elements elements) {
  std::stable_sort(elements.begin(), elements.end(),
                   [](const Value& a, const Value& b) { return compare_in_set(a, b) < 0; });
  elements.erase(std::unique(elements.begin(), elements.end(), equal), elements.end());
  return make(set_of(std::move(element)), std::move(elements));
}

Value map_value(Type element, Members members) { return make(map_of(std::move(element)), std::move(members)); }

bool as_bool(const Value& value) { return content_of<bool>(value); }

const Number& as_number(const Value& value) { return content_of<Number>(value); }

const std::string& as_string(const Value& value) { return content_of<std::string>(value); }

const Elements& elements(const Value& value) { return content_of<Elements>(value); }

const Members& members(const Value& value) { return content_of<Members>(value); }

std::size_t length(const Value& value) { return is_keyed(value.type) ? members(value).size() : elements(value).size(); }

bool equal(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) {
    return a.is_null() && b.is_null();
  }
  if (a.type.kind != b.type.kind) {
    return false;
  }
  if (a.data == b.data) {
    return true;
  }
  if (a.type.kind == Kind::number) {  // those are that are written alike: 0.1 in any precision
    return to_text(as_number(a)) == to_text(as_number(b));
  }
  if (is_primitive(a.type)) {
    return compare_in_set(a, b) == 0;
  }
  if (!(a.type == b.type)) {
    return false;
  }
  if (is_sequence(a.type)) {
    return std::equal(elements(a).begin(), elements(a).end(), elements(b).begin(), elements(b).end(), equal);
  }
  return std::equal(members(a).begin(), members(a).end(), members(b).begin(), members(b).end(), same_members);
}

int compare_in_set(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) {
    return int{a.is_null()} - int{b.is_null()};
  }
  if (a.data->content.index() != b.data->content.index()) {
    return a.data->content.index() < b.data->content.index() ? -1 : 1;
  }
  if (!is_primitive(a.type)) {
    if (const int order = order_text(a).compare(order_text(b))) {
      return order;
    }
  }
  return std::visit(
      [&](const auto& left) {
        return compare_content(left, std::get<std::remove_cvref_t<decltype(left)>>(b.data->content));
      },
      a.data->content);
}

}  // namespace mbuild::bake::hcl
