#include "tests/unit/bake/definitions.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "bake/blocks.h"
#include "bake/hcl/parse.h"
#include "bake/print.h"

namespace mbuild::testing {

bake::Outside outside_with(std::map<std::string, std::string> variables) {
  bake::Outside outside;
  outside.variable = [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  outside.directory = "/";
  outside.platform = "linux/amd64";
  return outside;
}

bake::Definition definition_of(const std::string& text, const bake::Outside& outside) {
  return bake::evaluate_definition({{bake::hcl::parse_native("x.hcl", text), ""}}, outside, {});
}

std::string printed(const bake::Definition& definition, const std::vector<std::string>& words,
                    const std::vector<std::string>& sets, const bake::Outside& outside) {
  const auto overrides = bake::parse_overrides(sets, definition, outside);
  const auto text = bake::print_selection(bake::select(definition, words, overrides, outside));
  return nlohmann::ordered_json::parse(text)["target"].dump();
}

}  // namespace mbuild::testing
