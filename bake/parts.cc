#include "bake/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <span>

#include "bake/attributes.h"
#include "bake/hcl/diagnostic.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

using Words = std::vector<std::string>;

const Words& block_types() {
  static const Words k_types = {"variable", "function", "group", "target"};
  return k_types;
}

Words known_attributes(const std::string& block_type) {
  if (block_type == "variable") return {"default", "type", "description"};
  if (block_type == "function") return {"params", "variadic_params", "result"};
  if (block_type == "group") return {"targets", "description", "name", "matrix"};
  return attribute_names();
}

bool contains(const Words& names, const std::string& name) { return std::ranges::find(names, name) != names.end(); }

std::string quoted_header(const hcl::Block& block) {
  return fmt::format("{} \"{}\"", block.type, block.labels[0].text);
}

void warn_of_unknown_members(const hcl::Block& block, Words& warnings) {
  const auto known = known_attributes(block.type);
  for (const auto& attribute : block.body.attributes) {
    if (contains(known, attribute.name)) continue;
    warnings.push_back(fmt::format("{}: {} has no attribute \"{}\", which is ignored{}",
                                   hcl::describe(attribute.name_range), quoted_header(block), attribute.name,
                                   did_you_mean(attribute.name, known)));
  }
  for (const auto& inner : block.body.blocks) {
    if (block.type == "variable" && inner.type == "validation") continue;
    const std::string hint = contains(known, inner.type) ? fmt::format(" (write {} = {{ ... }})", inner.type)
                                                         : did_you_mean(inner.type, known);
    warnings.push_back(fmt::format("{}: {} has no block \"{}\", which is ignored{}", hcl::describe(inner.type_range),
                                   quoted_header(block), inner.type, hint));
  }
}

const std::string& label_of(const hcl::Block& block) {
  if (block.labels.empty())
    hcl::fail(block.type_range, "Missing name for " + block.type,
              fmt::format("All {} blocks must have 1 label: its name", block.type));
  if (block.labels.size() > 1)
    hcl::fail(block.labels[1].range, "Extraneous label for " + block.type,
              fmt::format("Only 1 label is expected for {} blocks: its name", block.type));
  return block.labels[0].text;
}

void check_name(const hcl::Block& block, const std::string& name) {
  const bool good = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  if (!good) hcl::fail(block.labels[0].range, "Invalid name", "only \"[a-zA-Z0-9_-]+\" are allowed");
}

void add_block(const hcl::Block& block, const std::string& directory, Parts& parts) {
  if (!contains(block_types(), block.type)) {
    parts.warnings.push_back(fmt::format("{}: there are no blocks \"{}\", and it is ignored{}",
                                         hcl::describe(block.type_range), block.type,
                                         did_you_mean(block.type, block_types())));
    return;
  }
  const auto& name = label_of(block);
  warn_of_unknown_members(block, parts.warnings);
  if (block.type == "variable") {
    parts.variables[name] = &block;
  } else if (block.type == "function") {
    parts.functions[name] = &block;
  } else {
    check_name(block, name);
    (block.type == "group" ? parts.groups : parts.targets).push_back({&block, name, directory});
  }
}

}  // namespace

Parts parts_of(const std::vector<DefinitionFile>& files) {
  Parts parts;
  for (const auto& [file, directory] : files) {
    for (const auto& attribute : file.body.attributes) parts.values[attribute.name] = &attribute;
    for (const auto& block : file.body.blocks) add_block(block, directory, parts);
  }
  return parts;
}

}  // namespace mbuild::bake
