#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bake/attributes.h"
#include "bake/names.h"
#include "bake/parts.h"
#include "bake/target.h"
#include "bake/variants.h"

// The targets and groups of definition files. Attributes are evaluated when they are asked for, one by one, since those
// of one target may refer to those of another.
namespace mbuild::bake {

class Blocks {
 public:
  // Both have to outlive it.
  Blocks(const Parts& parts, const Outside& outside);
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // Adds all targets and groups: a target is merged over one of its name, a group takes the place of one. Throws
  // hcl::Failure.
  void add_to(Definition& definition);
  Names& names() { return names_; }

 private:
  struct Made {  // a variant of a block
    const PlacedBlock* block;
    const Variant* variant;
  };

  std::optional<hcl::Resolved> refer(const hcl::Traversal& traversal);
  hcl::Value attribute_of_target(const std::string& name, const std::string& attribute, const hcl::Range& place);
  hcl::Value attribute_of_group(const PlacedBlock& group, const std::string& attribute, const hcl::Range& place);
  hcl::Value whole_target(const std::string& name, const hcl::Range& place);
  const std::vector<std::unique_ptr<Variant>>& variants(const PlacedBlock& block);
  std::vector<Made> made(const std::string& name);
  const std::optional<AttributeValue>& value_of(const Made& made, const AttributeRow& row);
  std::string directory_of_context(const Made& made);
  AttributeValue placed(const Made& made, const AttributeRow& row, AttributeValue value);
  Target target(const Made& made);
  Group group(const PlacedBlock& block);
  void add_matrix_groups(Definition& definition);

  using Key = std::pair<const Variant*, Attribute>;

  const Parts& parts_;
  const bool file_relative_;
  Names names_;
  std::map<const PlacedBlock*, std::vector<std::unique_ptr<Variant>>> variants_;
  std::set<const PlacedBlock*> expanding_;
  std::map<Key, std::optional<AttributeValue>> values_;
  std::set<Key> under_way_;
  std::set<std::string> groups_under_way_;
};

// All of the files in one definition, on top of what compose files define. Throws hcl::Failure, Error (usage).
Definition evaluate_definition(const std::vector<DefinitionFile>& files, const Outside& outside, Definition compose);

}  // namespace mbuild::bake
