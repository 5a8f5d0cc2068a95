#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bake/hcl/evaluate.h"
#include "bake/outside.h"
#include "bake/parts.h"
#include "bake/target.h"

// The values, variables and functions of a definition. Each is evaluated when something first names it, so that their
// order in the files does not matter; one that needs itself is an error.
namespace mbuild::bake {

class Names {
 public:
  // What "target.X..." and "group.X..." stand for is asked of `refer`.
  using Refer = std::function<std::optional<hcl::Resolved>(const hcl::Traversal&)>;

  // `parts` and `outside` have to outlive it.
  Names(const Parts& parts, const Outside& outside, Refer refer);
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  const hcl::Scope& scope() const { return scope_; }
  // Every variable, validation and function, whether used or not. Throws hcl::Failure.
  void check();
  // As --list shows them, by name.
  std::vector<Variable> variables();
  // Of variables that nothing named until now, but for their own validation.
  std::vector<std::string> warnings_of_unused() const;

 private:
  std::optional<hcl::Resolved> look_up(const hcl::Traversal& traversal);
  bool has(const std::string& name) const;
  hcl::Value value_of(const std::string& name, const hcl::Range& place);
  hcl::Value evaluated(const std::string& name);
  void validate(const std::string& name, const hcl::Block& variable);
  void add_function(const std::string& name, const hcl::Block& block);
  void check_function(const std::string& name, std::set<std::string>& under_way);

  const Parts& parts_;
  const Outside& outside_;
  Refer refer_;
  hcl::Scope scope_;
  std::map<std::string, hcl::Value> values_;
  std::set<std::string> under_way_, used_;
  std::string validated_;  // the variable whose validation is looked at
  std::map<std::string, hcl::Function, std::less<>> functions_;
};

}  // namespace mbuild::bake
