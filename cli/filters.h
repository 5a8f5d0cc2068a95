#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

// --filter NAME=VALUE of commands that list things: each has a table of what can be asked.
namespace mbuild::cli {

template <class Item>
struct Filter {
  const char* name;
  // What holds for the things that a value means. Throws Error (usage) for one that means nothing.
  std::function<std::function<bool(const Item&)>(const std::string& value)> meaning;
  bool all = false;  // of several values all have to hold; else one of them
};

// What holds for the things that all filters mean. Throws Error (usage).
template <class Item>
std::function<bool(const Item&)> parse_filters(const std::vector<std::string>& texts,
                                               const std::vector<Filter<Item>>& known) {
  using Test = std::function<bool(const Item&)>;
  std::map<std::string, std::vector<Test>> alternatives;
  std::vector<Test> needed;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    const std::string name = to_lower(trim(text.substr(0, equals)));
    const auto filter = std::ranges::find(known, name, &Filter<Item>::name);
    if (equals == std::string::npos || filter == known.end()) {
      std::vector<std::string> names;
      for (const auto& one : known) names.emplace_back(one.name);
      throw usage_error(fmt::format("invalid filter \"{}\"{}", text, did_you_mean(name, names)))
          .with_advice("It is NAME=VALUE, and names are " + join(names, ", ") + ".");
    }
    auto test = filter->meaning(std::string(trim(text.substr(equals + 1))));
    (filter->all ? needed : alternatives[name]).push_back(std::move(test));
  }
  return [needed, alternatives](const Item& item) {
    const auto holds = [&](const Test& test) { return test(item); };
    return std::ranges::all_of(needed, holds) && std::ranges::all_of(alternatives, [&](const auto& tests) {
             return std::ranges::any_of(tests.second, holds);
           });
  };
}

// Of a filter's value that can only be some words. Throws Error (usage).
inline void check_filter_value(const char* name, const std::string& value, std::span<const std::string> words) {
  if (std::ranges::find(words, value) != words.end()) return;
  throw usage_error(fmt::format("invalid filter \"{}={}\"{}", name, value, did_you_mean(value, words)))
      .with_advice("It is " + join(words, ", ") + ".");
}

// Labels by name as tables have them: NAME=VALUE,NAME=VALUE.
template <class Labels>
std::string label_text(const Labels& labels) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : labels) texts.push_back(name + "=" + value);
  return join(texts, ",");
}

// label=NAME or label=NAME=VALUE of labels by name.
template <class Labels>
bool has_label(const Labels& labels, const std::string& text) {
  const auto equals = text.find('=');
  return std::ranges::any_of(labels, [&](const auto& label) {
    return label.first == text.substr(0, equals) &&
           (equals == std::string::npos || label.second == text.substr(equals + 1));
  });
}

}  // namespace mbuild::cli
