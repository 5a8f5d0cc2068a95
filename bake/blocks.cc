#include "bake/blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "bake/decode.h"
#include "bake/hcl/diagnostic.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

const PlacedBlock* last_named(const std::vector<PlacedBlock>& blocks, const std::string& name) {
  const auto found =
      std::find_if(blocks.rbegin(), blocks.rend(), [&](const auto& block) { return block.name == name; });
  return found == blocks.rend() ? nullptr : &*found;
}

// The target whose context the expression is, and nothing else: target.X.context.
std::optional<std::string> target_of_context(const hcl::Expression& expression) {
  const auto* traversal = std::get_if<hcl::Traversal>(&expression.form);
  if (traversal == nullptr || traversal->root != "target" || traversal->steps.size() != 2) return std::nullopt;
  const auto& [name, attribute] = std::pair(traversal->steps[0].key, traversal->steps[1].key);
  const auto is_text = [](const hcl::Value& key) { return key.type.kind == hcl::Kind::string; };
  if (!is_text(name) || !is_text(attribute) || hcl::as_string(attribute) != "context") return std::nullopt;
  return hcl::as_string(name);
}

std::string key_of(const hcl::Step& step) {
  if (step.key.type.kind == hcl::Kind::string) return hcl::as_string(step.key);
  hcl::fail(step.range, "Invalid index", "The name of a target or group, or of its attribute, is a string.");
}

[[noreturn]] void no_attribute(const std::string& attribute, const hcl::Range& place) {
  hcl::fail(place, "Unsupported attribute",
            fmt::format("This object does not have an attribute named \"{}\"{}.", attribute,
                        did_you_mean(attribute, attribute_names())));
}

template <typename Thing>
void put(std::vector<Thing>& things, Thing thing) {
  const auto found = std::ranges::find(things, thing.name, &Thing::name);
  if (found == things.end()) {
    things.push_back(std::move(thing));
  } else {
    *found = std::move(thing);
  }
}

}  // namespace

Blocks::Blocks(const Parts& parts, const Outside& outside)
    : parts_(parts),
      file_relative_(has_file_relative_paths(outside)),
      names_(parts, outside, [this](const hcl::Traversal& traversal) { return refer(traversal); }) {}

const std::vector<std::unique_ptr<Variant>>& Blocks::variants(const PlacedBlock& block) {
  if (const auto known = variants_.find(&block); known != variants_.end()) return known->second;
  if (!expanding_.insert(&block).second) {
    hcl::fail(block.block->header_range, "Reference cycle",
              fmt::format("reference cycle not allowed for target.{}.matrix", block.name));
  }
  auto made = variants_of(*block.block, names_.scope());
  expanding_.erase(&block);
  return variants_[&block] = std::move(made);
}

std::vector<Blocks::Made> Blocks::made(const std::string& name) {
  std::vector<Made> all;
  for (const auto& block : parts_.targets) {
    const bool has_matrix = hcl::find(block.block->body, "matrix") != nullptr;
    if ((!has_matrix && block.name != name) || expanding_.contains(&block)) continue;
    for (const auto& variant : variants(block)) {
      if (variant->name == name) all.push_back({&block, variant.get()});
    }
  }
  return all;
}

const std::optional<AttributeValue>& Blocks::value_of(const Made& made, const AttributeRow& row) {
  const Key key(made.variant, row.attribute);
  if (const auto known = values_.find(key); known != values_.end()) return known->second;
  const auto* attribute = hcl::find(made.block->block->body, row.name);
  if (attribute == nullptr) return values_[key];
  if (!under_way_.insert(key).second) {
    hcl::fail(attribute->expression->range, "Reference cycle",
              fmt::format("reference cycle not allowed for target.{}.{}", made.variant->name, row.name));
  }
  auto value = decode(row, *attribute->expression, made.variant->scope);
  under_way_.erase(key);
  return values_[key] = std::move(value);
}

std::optional<hcl::Resolved> Blocks::refer(const hcl::Traversal& traversal) {
  const auto& steps = traversal.steps;
  if (steps.empty()) {
    hcl::fail(traversal.root_range, "Invalid expression",
              fmt::format("cannot access {} as a variable; {}.NAME.ATTRIBUTE is one", traversal.root, traversal.root));
  }
  const auto name = key_of(steps[0]);
  const bool whole = steps.size() == 1;
  const auto place = whole ? traversal.root_range : steps[1].range;
  if (traversal.root == "target") {
    if (whole) return hcl::Resolved{whole_target(name, place), 1};
    return hcl::Resolved{attribute_of_target(name, key_of(steps[1]), place), 2};
  }
  const auto* group = last_named(parts_.groups, name);
  if (group == nullptr)
    hcl::fail(steps[0].range, "Unknown group", fmt::format("There is no group named \"{}\".", name));
  if (whole) {
    hcl::Members members;
    for (const char* attribute : {"name", "description", "targets"})
      members[attribute] = attribute_of_group(*group, attribute, place);
    return hcl::Resolved{hcl::object_value(std::move(members)), 1};
  }
  return hcl::Resolved{attribute_of_group(*group, key_of(steps[1]), place), 2};
}

hcl::Value Blocks::attribute_of_target(const std::string& name, const std::string& attribute, const hcl::Range& place) {
  const auto all = made(name);
  if (all.empty()) hcl::fail(place, "Unknown target", fmt::format("There is no target named \"{}\".", name));
  if (attribute == "name") return hcl::string_value(name);
  const auto* row = find_row(attribute);
  if (row == nullptr) no_attribute(attribute, place);
  std::optional<AttributeValue> merged;
  for (const auto& one : all) {
    const auto& value = value_of(one, *row);
    if (!value) continue;
    if (merged) {
      merge_value(*row, *merged, *value);
    } else {
      merged = *value;
    }
  }
  return to_value(*row, merged ? &*merged : nullptr);
}

hcl::Value Blocks::whole_target(const std::string& name, const hcl::Range& place) {
  hcl::Members members = {{"name", attribute_of_target(name, "name", place)}};
  for (const auto& row : attribute_rows()) {
    members[std::string(row.name)] = attribute_of_target(name, std::string(row.name), place);
  }
  return hcl::object_value(std::move(members));
}

hcl::Value Blocks::attribute_of_group(const PlacedBlock& group, const std::string& attribute, const hcl::Range& place) {
  if (attribute == "name") return hcl::string_value(group.name);
  if (attribute != "targets" && attribute != "description") no_attribute(attribute, place);
  const auto& row = attribute == "targets" ? row_of(Attribute::tags) : row_of(Attribute::description);
  const auto* found = hcl::find(group.block->body, attribute);
  if (found == nullptr) return to_value(row, nullptr);
  const std::string key = group.name + "." + attribute;
  if (!groups_under_way_.insert(key).second)
    hcl::fail(found->expression->range, "Reference cycle", "reference cycle not allowed for group." + key);
  const auto value = decode(row, *found->expression, names_.scope());
  groups_under_way_.erase(key);
  return to_value(row, value ? &*value : nullptr);
}

std::string Blocks::directory_of_context(const Made& made) {
  const auto* attribute = hcl::find(made.block->block->body, "context");
  const auto other = attribute == nullptr ? std::nullopt : target_of_context(*attribute->expression);
  if (!other) return made.block->directory;
  std::string directory = made.block->directory;
  for (const auto& one : this->made(*other)) {
    if (hcl::find(one.block->block->body, "context") != nullptr) directory = directory_of_context(one);
  }
  return directory;
}

AttributeValue Blocks::placed(const Made& made, const AttributeRow& row, AttributeValue value) {
  if (!file_relative_) return value;
  if (row.attribute == Attribute::context) {
    auto& context = std::get<std::string>(value);
    context = path_from(directory_of_context(made), context.empty() ? "." : context);
  } else if (row.attribute == Attribute::contexts) {
    for (auto& [name, path] : std::get<Pairs>(value)) {
      if (!path.empty()) path = path_from(made.block->directory, path);
    }
  }
  return value;
}

Target Blocks::target(const Made& made) {
  Target target;
  target.name = made.variant->name;
  if (file_relative_) target.directory = made.block->directory;
  for (const auto& row : attribute_rows()) {
    const auto& value = value_of(made, row);
    if (value) target.attributes[row.attribute] = placed(made, row, *value);
  }
  return target;
}

Group Blocks::group(const PlacedBlock& placed) {
  const auto& block = *placed.block;
  for (const char* name : {"matrix", "name"}) {
    if (hcl::find(block.body, name) != nullptr)
      hcl::fail(block.header_range, "Unsupported attribute", fmt::format("{} is not supported for groups", name));
  }
  const auto* targets = hcl::find(block.body, "targets");
  if (targets == nullptr) {
    hcl::fail(block.header_range, "Missing required argument",
              "The argument \"targets\" is required, but no definition was found.");
  }
  Group group{.name = placed.name, .description = {}, .targets = Texts()};
  if (auto value = decode(row_of(Attribute::tags), *targets->expression, names_.scope())) {
    for (auto& name : std::get<Texts>(*value)) {
      if (std::ranges::find(*group.targets, name) == group.targets->end()) group.targets->push_back(std::move(name));
    }
  }
  if (const auto* description = hcl::find(block.body, "description")) {
    const auto value = decode(row_of(Attribute::description), *description->expression, names_.scope());
    if (value) group.description = std::get<std::string>(*value);
  }
  return group;
}

// What blocks of one name became by their matrices is a group of it, where no other has the name.
void Blocks::add_matrix_groups(Definition& definition) {
  std::map<std::string, Texts> became;
  for (const auto& block : parts_.targets) {
    for (const auto& variant : variants(block)) became[block.name].push_back(variant->name);
  }
  for (auto& [name, targets] : became) {
    make_distinct(targets);
    if (targets == Texts{name} || last_named(parts_.groups, name) != nullptr) continue;
    put(definition.groups, {.name = name, .description = {}, .targets = std::move(targets)});
  }
}

void Blocks::add_to(Definition& definition) {
  names_.check();
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < definition.targets.size(); ++i) places[definition.targets[i].name] = i;
  for (const auto& block : parts_.targets) {
    for (const auto& variant : variants(block)) {
      auto one = target({&block, variant.get()});
      const auto [place, is_new] = places.try_emplace(one.name, definition.targets.size());
      if (is_new) {
        definition.targets.push_back(std::move(one));
      } else {
        auto& all = definition.targets[place->second];
        merge(all, one);
        if (!one.directory.empty()) all.directory = one.directory;
      }
    }
  }
  for (const auto& block : parts_.groups) put(definition.groups, group(block));
  add_matrix_groups(definition);
}

Definition evaluate_definition(const std::vector<DefinitionFile>& files, const Outside& outside, Definition compose) {
  auto parts = parts_of(files);
  Blocks blocks(parts, outside);
  Definition definition = std::move(compose);
  blocks.add_to(definition);
  definition.variables = blocks.names().variables();
  definition.warnings = std::move(parts.warnings);
  for (auto& warning : blocks.names().warnings_of_unused()) definition.warnings.push_back(std::move(warning));
  return definition;
}

}  // namespace mbuild::bake
