#include "bake/variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "bake/hcl/diagnostic.h"

namespace mbuild::bake {
namespace {

[[noreturn]] void refuse(const hcl::Block& block, std::string why) {
  hcl::fail(block.header_range, "Invalid matrix", std::move(why));
}

// Every combination of one value for each name; none where a name has no values.
std::vector<hcl::Members> combinations(const hcl::Block& block, const hcl::Value& matrix) {
  if (matrix.is_null() || !hcl::is_keyed(matrix.type)) refuse(block, "matrix must be a map");
  std::vector<hcl::Members> all(1);
  for (const auto& [name, values] : hcl::members(matrix)) {
    if (values.is_null() || !(hcl::is_sequence(values.type) || hcl::is_keyed(values.type)))
      refuse(block, fmt::format("matrix values must be a list: {} is none", name));
    hcl::Elements elements;
    if (hcl::is_sequence(values.type)) {
      elements = hcl::elements(values);
    } else {
      for (const auto& [key, member] : hcl::members(values)) elements.push_back(member);
    }
    std::vector<hcl::Members> longer;
    for (const auto& begun : all) {
      for (const auto& value : elements) {
        longer.push_back(begun);
        longer.back()[name] = value;
      }
    }
    all = std::move(longer);
  }
  return all;
}

bool is_name(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

std::string name_of(const hcl::Block& block, const hcl::Attribute* name, const hcl::Scope& scope) {
  if (name == nullptr) return block.labels[0].text;
  const auto value = hcl::evaluate_as(*name->expression, scope, hcl::string_type());
  const std::string text = value.is_null() ? "" : hcl::as_string(value);
  if (!is_name(text)) {
    hcl::fail(block.header_range, "Invalid name",
              fmt::format("\"{}\" is no name: only \"[a-zA-Z0-9_-]+\" are allowed; sanitize() makes one", text));
  }
  return text;
}

}  // namespace

std::vector<std::unique_ptr<Variant>> variants_of(const hcl::Block& block, const hcl::Scope& global) {
  const auto* matrix = hcl::find(block.body, "matrix");
  const auto* name = hcl::find(block.body, "name");
  std::vector<std::unique_ptr<Variant>> variants;
  if (matrix == nullptr && name != nullptr) refuse(block, "name requires matrix");
  const auto all = matrix == nullptr ? std::vector<hcl::Members>(1)
                                     : combinations(block, hcl::evaluate(*matrix->expression, global));
  std::set<std::string> names;
  for (const auto& values : all) {
    auto variant = std::make_unique<Variant>();
    variant->scope.outer = &global;
    variant->scope.values = values;
    variant->name = name_of(block, name, variant->scope);
    if (!names.insert(variant->name).second)
      refuse(block, fmt::format("duplicate name \"{}\": each combination of the matrix needs its own", variant->name));
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace mbuild::bake
