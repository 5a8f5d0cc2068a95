#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "bake/hcl/functions/table.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

using Groups = std::vector<re2::StringPiece>;  // of one match: the whole, then the captures

// The length of a class of characters at the beginning of the text, with its brackets.
std::size_t class_length(std::string_view text) {
  std::size_t i = text.starts_with("[^") ? 2 : 1;
  i += text.substr(i).starts_with(']') ? 1 : 0;
  while (i < text.size() && text[i] != ']') {
    const std::size_t name_end = text.substr(i).starts_with("[:") ? text.find(":]", i) : std::string_view::npos;
    i = name_end != std::string_view::npos ? name_end + 2 : i + (text[i] == '\\' ? 2 : 1);
  }
  return std::min(i + 1, text.size());
}

// Patterns are Go's: "(?<name>" is "(?P<name>", and there is no "\\C", which would take a character apart.
std::string as_library_has_it(std::string_view pattern, std::size_t argument) {
  std::string result;
  while (!pattern.empty()) {
    std::size_t length = 1;
    if (pattern.starts_with("\\C")) {
      throw CallError("invalid regular expression: invalid escape sequence: \\C", argument);
    }
    if (pattern.starts_with("\\Q")) {
      length = std::min(pattern.find("\\E"), pattern.size());
    } else if (pattern.starts_with('\\')) {
      length = 2;
    } else if (pattern.starts_with('[')) {
      length = class_length(pattern);
    } else if (pattern.starts_with("(?<")) {
      result += "(?P";
      pattern.remove_prefix(2);
    }
    length = std::min(length, pattern.size());
    result += pattern.substr(0, length);
    pattern.remove_prefix(length);
  }
  return result;
}

struct Pattern {
  explicit Pattern(const std::string& pattern, std::size_t argument)
      : expression(as_library_has_it(pattern, argument), quiet()) {
    if (!expression.ok()) {
      throw CallError("invalid regular expression: " + expression.error(), argument);
    }
    names.resize(static_cast<std::size_t>(expression.NumberOfCapturingGroups()) + 1);
    for (const auto& [number, name] : expression.CapturingGroupNames()) {
      names[static_cast<std::size_t>(number)] = name;
    }
  }
  static RE2::Options quiet() {
    RE2::Options options;
    options.set_log_errors(false);
    return options;
  }

  RE2 expression;
  std::vector<std::string> names;  // by number; "" for a capture without a name
};

std::size_t begin_of(const std::string& text, const Groups& groups) {
  return static_cast<std::size_t>(groups[0].data() - text.data());
}

// The first match at or after `start`.
bool find(const Pattern& regex, const std::string& text, std::size_t start, Groups& groups) {
  groups.assign(regex.names.size(), {});
  return regex.expression.Match(text, start, text.size(), RE2::UNANCHORED, groups.data(),
                                static_cast<int>(groups.size()));
}

// All matches from left to right; an empty one right after another does not count.
void find_all(const Pattern& regex, const std::string& text, const std::function<void(const Groups&)>& visit) {
  Groups groups;
  std::size_t start = 0;
  std::size_t last_end = std::string::npos;
  while (start <= text.size() && find(regex, text, start, groups)) {
    const std::size_t begin = begin_of(text, groups);
    const std::size_t end = begin + groups[0].size();
    if (end > begin || begin != last_end) {
      visit(groups);
    }
    last_end = end;
    start = end > begin ? end : end + (end < text.size() ? code_point_at(text, end).size : 1);
  }
}

Value group_value(const re2::StringPiece& group) {
  return group.data() ? text_value({group.data(), group.size()}) : null_value(string_type());
}

// A string, a tuple of the captures, or an object of named ones.
enum class Shape { whole, tuple, object };

Shape shape_of(const Pattern& regex, std::size_t argument) {
  const auto named =
      std::count_if(regex.names.begin(), regex.names.end(), [](const auto& name) { return !name.empty(); });
  if (named == 0) {
    return regex.names.size() == 1 ? Shape::whole : Shape::tuple;
  }
  if (static_cast<std::size_t>(named) + 1 < regex.names.size()) {
    throw CallError("invalid regular expression: named and unnamed captures cannot stand together", argument);
  }
  return Shape::object;
}

Value match_value(const Pattern& regex, Shape shape, const Groups& groups) {
  if (shape == Shape::whole) {
    return group_value(groups[0]);
  }
  Elements captures;
  Members named;
  for (std::size_t i = 1; i < groups.size(); ++i) {
    captures.push_back(group_value(groups[i]));
    named.insert_or_assign(regex.names[i], captures.back());
  }
  return shape == Shape::tuple ? tuple_value(std::move(captures)) : object_value(std::move(named));
}

Value regex(Arguments arguments) {
  const Pattern regex(as_string(arguments[0]), 0);
  const Shape shape = shape_of(regex, 0);
  Groups groups;
  if (!find(regex, as_string(arguments[1]), 0, groups)) {
    throw CallError("the pattern did not match any part of the given string");
  }
  return match_value(regex, shape, groups);
}

Type match_type(const Pattern& regex, Shape shape) {
  if (shape == Shape::whole) {
    return string_type();
  }
  const Groups none(regex.names.size());
  return match_value(regex, shape, none).type;
}

Value regexall(Arguments arguments) {
  const Pattern regex(as_string(arguments[0]), 0);
  const Shape shape = shape_of(regex, 0);
  Elements matches;
  find_all(regex, as_string(arguments[1]),
           [&](const Groups& groups) { matches.push_back(match_value(regex, shape, groups)); });
  return list_value(match_type(regex, shape), std::move(matches));
}

// The name after "$": in braces, or as many letters, digits and "_" as follow. Takes it; nothing where there is none.
std::optional<std::string> take_group_name(std::string_view& text) {
  const bool braces = text.starts_with('{');
  std::size_t end = braces ? 1 : 0;
  const std::size_t begin = end;
  while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) {
    ++end;
  }
  if (end == begin || (braces && !text.substr(end).starts_with('}'))) {
    return std::nullopt;
  }
  std::string name(text.substr(begin, end - begin));
  text.remove_prefix(end + (braces ? 1 : 0));
  return name;
}

re2::StringPiece group_named(const Pattern& regex, const Groups& groups, const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos) {
    const std::size_t number = name.size() < 6 ? std::stoul(name) : groups.size();
    return number < groups.size() ? groups[number] : re2::StringPiece();
  }
  for (std::size_t i = 1; i < groups.size(); ++i) {
    if (regex.names[i] == name && groups[i].data()) {
      return groups[i];
    }
  }
  return {};
}

std::string expand(const Pattern& regex, const Groups& groups, std::string_view with) {
  std::string result;
  while (!with.empty()) {
    const std::size_t dollar = with.find('$');
    result += with.substr(0, dollar);
    if (dollar == std::string_view::npos) {
      break;
    }
    with.remove_prefix(dollar + 1);
    if (with.starts_with('$')) {
      result += '$';
      with.remove_prefix(1);
    } else if (const auto name = take_group_name(with)) {
      const re2::StringPiece group = group_named(regex, groups, *name);
      result.append(group.data() ? group.data() : "", group.size());
    } else {
      result += '$';
    }
  }
  return result;
}

Value regex_replace(Arguments arguments) {
  const std::string& text = as_string(arguments[0]);
  const Pattern regex(as_string(arguments[1]), 1);
  std::string result;
  std::size_t done = 0;
  find_all(regex, text, [&](const Groups& groups) {
    const std::size_t begin = begin_of(text, groups);
    result.append(text, done, begin - done);
    result += expand(regex, groups, as_string(arguments[2]));
    done = begin + groups[0].size();
  });
  result.append(text, done);
  return text_value(result);
}

}  // namespace

void add_regex(Table& table) {
  define(table, "regex", {text("pattern"), text("string")}, regex);
  define(table, "regexall", {text("pattern"), text("string")}, regexall);
  define(table, "regex_replace", {text("str"), text("pattern"), text("replace")}, regex_replace);
}

}  // namespace mbuild::bake::hcl
