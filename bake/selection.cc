#include "bake/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "bake/attributes.h"
#include "bake/completion.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

std::vector<std::string> names_in(const Definition& definition) {
  std::vector<std::string> names;
  for (const auto& group : definition.groups) names.push_back(group.name);
  for (const auto& target : definition.targets) names.push_back(target.name);
  return names;
}

Error no_target(const Definition& definition, const std::string& name) {
  return usage_error(fmt::format("failed to find target {}{}", name, did_you_mean(name, names_in(definition))))
      .with_advice("`mbuild bake --list=targets` shows what the definition has.");
}

// Patterns by the names that they match, of groups first.
std::vector<std::string> expand(const Definition& definition, const std::vector<std::string>& words) {
  std::vector<std::string> expanded;
  for (auto word : words) {
    std::ranges::replace(word, '.', '_');
    if (!is_pattern(word)) {
      expanded.push_back(std::move(word));
      continue;
    }
    bool found = false;
    for (auto& name : names_in(definition)) {
      if (!matches(word, name)) continue;
      found = true;
      expanded.push_back(std::move(name));
    }
    if (!found) throw usage_error(fmt::format("could not find any target matching \"{}\"", word));
  }
  return expanded;
}

// The targets and groups below a name. A group that is met within itself is a target's name there.
class Members {
 public:
  explicit Members(const Definition& definition) : definition_(definition) {}

  struct Found {
    std::vector<std::string> targets, groups;
  };

  Found of(const std::string& name) {
    if (const auto known = known_.find(name); known != known_.end()) return known->second;
    const auto* group = find_group(definition_, name);
    if (group == nullptr) return {{name}, {}};
    known_[name] = {};
    Found found{{}, {name}};
    for (const auto& member : group->targets.value_or(Texts())) {
      const auto below = of(member);
      if (below.targets.empty() && !is_empty_group(member)) found.targets.push_back(member);
      found.targets.insert(found.targets.end(), below.targets.begin(), below.targets.end());
      found.groups.insert(found.groups.end(), below.groups.begin(), below.groups.end());
    }
    make_distinct(found.targets);  // or they double where two ways lead to a group
    make_distinct(found.groups);
    return known_[name] = found;
  }

 private:
  bool is_empty_group(const std::string& name) const {
    const auto* group = find_group(definition_, name);
    return group != nullptr && group->targets.value_or(Texts()).empty();
  }

  const Definition& definition_;
  std::map<std::string, Found> known_;
};

class Selector {
 public:
  Selector(const Definition& definition, const Overrides& overrides, const Outside& outside)
      : definition_(definition), overrides_(overrides), outside_(outside) {
    for (const auto& target : definition.targets) by_name_[target.name] = &target;
  }

  Target resolved(const std::string& name) {
    std::set<std::string> way;
    auto target = inherited(name, way);
    complete(*target, outside_);
    return std::move(*target);
  }

  // Adds the targets that are its contexts, and theirs.
  void link(const std::string& name, Selection& selection, std::vector<std::string> path) {
    path.push_back(name);
    for (const auto& [context, value] : Pairs(pairs_of(selection.targets.at(name), Attribute::contexts))) {
      if (!value.starts_with("target:")) continue;
      const std::string other = value.substr(std::string_view("target:").size());
      check_link(name, other, path);
      if (!selection.targets.contains(other)) {
        auto target = resolved(other);
        target.attributes[Attribute::output] = Entries{{.fields = {{"type", "cacheonly"}}, .paths = {}}};
        selection.targets.emplace(other, std::move(target));
        selection.linked.insert(other);
      }
      if (!linked_.contains(other)) link(other, selection, path);
      join(name, other, selection);
    }
    linked_.insert(name);
  }

 private:
  // Nothing for one that is on the way already: a cycle ends there.
  std::optional<Target> inherited(const std::string& name, std::set<std::string>& way) {
    if (!way.insert(name).second) {
      ++cuts_;
      return std::nullopt;
    }
    if (const auto known = known_.find(name); known != known_.end()) {
      way.erase(name);
      return known->second;
    }
    const auto cuts = cuts_;
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) throw no_target(definition_, name);
    const Target& own = *found->second;
    Target target;
    for (const auto& parent : texts_of(own, Attribute::inherits)) {
      if (const auto other = inherited(parent, way)) merge(target, *other);
    }
    way.erase(name);
    target.name = name;
    target.directory = own.directory;
    merge(target, own);
    if (const auto changes = overrides_.find(name); changes != overrides_.end())
      apply_overrides(changes->second, target);
    normalise(target);
    if (cuts == cuts_) known_[name] = target;  // the same on every way
    return target;
  }

  static void check_link(const std::string& name, const std::string& other, const std::vector<std::string>& path) {
    if (other == name) throw usage_error(fmt::format("target {} cannot link to itself", name));
    if (std::ranges::find(path, other) != path.end())
      throw usage_error(fmt::format("infinite loop from {} to {}: each is a context of the other", name, other));
  }

  // What the user of a target takes over from it.
  static void join(const std::string& name, const std::string& other, Selection& selection) {
    Target& user = selection.targets.at(name);
    const Target& used = selection.targets.at(other);
    if (const auto& more = texts_of(used, Attribute::entitlements); !more.empty()) {
      auto& entitlements = value_of<Texts>(user, Attribute::entitlements);
      entitlements.insert(entitlements.end(), more.begin(), more.end());
      make_distinct(entitlements);
    }
    const auto& wanted = texts_of(user, Attribute::platforms);
    const auto& made = texts_of(used, Attribute::platforms);
    if (wanted.size() < 2 || made.size() < 2) return;
    if (std::ranges::all_of(wanted, [&](const auto& one) { return std::ranges::find(made, one) != made.end(); }))
      return;
    throw usage_error(fmt::format("target {} can't be used by {} because its platforms [{}] are not a subset of [{}]",
                                  other, name, mbuild::join(wanted, " "), mbuild::join(made, " ")));
  }

  const Definition& definition_;
  const Overrides& overrides_;
  const Outside& outside_;
  std::map<std::string, const Target*> by_name_;
  std::map<std::string, Target> known_;
  std::size_t cuts_ = 0;  // of cycles
  std::set<std::string> linked_;
};

void add_default_group(const std::vector<std::string>& words, const Definition& definition, Selection& selection) {
  for (const auto& word : words) {
    if (word == "default" && find_group(definition, word) != nullptr) continue;
    auto& group = selection.groups.try_emplace("default", Group{.name = "default", .description = {}, .targets = {}})
                      .first->second;
    if (!group.targets) group.targets = Texts();
    group.targets->push_back(word);
  }
  const auto found = selection.groups.find("default");
  if (found == selection.groups.end() || !found->second.targets) return;
  make_distinct(*found->second.targets);
  std::ranges::sort(*found->second.targets);
}

}  // namespace

Selection select(const Definition& definition, const std::vector<std::string>& words, const Overrides& overrides,
                 const Outside& outside) {
  const auto asked = expand(definition, words);
  Selector selector(definition, overrides, outside);
  Members members(definition);
  Selection selection;
  for (const auto& word : asked) {
    const auto [targets, groups] = members.of(word);
    for (const auto& name : targets) {
      if (!selection.targets.contains(name)) selection.targets.emplace(name, selector.resolved(name));
    }
    for (const auto& name : groups) selection.groups.emplace(name, *find_group(definition, name));
  }
  add_default_group(asked, definition, selection);
  std::vector<std::string> names;
  for (const auto& [name, target] : selection.targets) names.push_back(name);
  for (const auto& name : names) selector.link(name, selection, {});
  return selection;
}

}  // namespace mbuild::bake
