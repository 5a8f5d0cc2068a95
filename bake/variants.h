#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bake/hcl/evaluate.h"
#include "bake/hcl/syntax.h"

namespace mbuild::bake {

// A target that a block makes.
struct Variant {
  std::string name;
  hcl::Scope scope;  // of its attributes: the values of the matrix hide other names
};

// The block's one target, or with a matrix one for each combination of its values. `global` has to outlive them.
// Throws hcl::Failure.
std::vector<std::unique_ptr<Variant>> variants_of(const hcl::Block& block, const hcl::Scope& global);

}  // namespace mbuild::bake
