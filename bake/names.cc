#include "bake/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/json.h"
#include "bake/hcl/parse.h"
#include "bake/variable_value.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

using hcl::Value;

constexpr const char* k_command_context = "BAKE_CMD_CONTEXT";
constexpr const char* k_platform = "BAKE_LOCAL_PLATFORM";

bool is_reserved(std::string_view name) {
  return name == "target" || name == "group" || name == k_command_context || name == k_platform;
}

const hcl::Attribute& required(const hcl::Block& block, std::string_view name) {
  if (const auto* attribute = hcl::find(block.body, name)) return *attribute;
  hcl::fail(block.header_range, "Missing required argument",
            fmt::format("The argument \"{}\" is required, but no definition was found.", name));
}

void refuse_other_members(const hcl::Block& block, std::initializer_list<std::string_view> known) {
  for (const auto& attribute : block.body.attributes) {
    if (std::ranges::find(known, attribute.name) != known.end()) continue;
    hcl::fail(attribute.name_range, "Unsupported argument",
              fmt::format("An argument named \"{}\" is not expected here.", attribute.name));
  }
  if (block.body.blocks.empty()) return;
  const auto& inner = block.body.blocks.front();
  hcl::fail(inner.type_range, "Unsupported block type",
            fmt::format("Blocks of type \"{}\" are not expected here.", inner.type));
}

// The type that the definition declares, and the value that it has where nothing else gives one.
struct Declared {
  VariableKind kind;
  Value value;
};

Value default_of(const hcl::Block& block, const VariableKind& kind, const hcl::Scope& scope) {
  const auto* attribute = hcl::find(block.body, "default");
  if (attribute == nullptr) return kind.declared ? hcl::null_value(kind.type) : hcl::string_value("");
  auto value = hcl::evaluate(*attribute->expression, scope);
  if (!kind.declared) return value;
  try {
    return hcl::convert(value, kind.type);
  } catch (const hcl::ConversionError& error) {
    hcl::fail(block.header_range, "Invalid default of variable",
              fmt::format("invalid type {} for variable {} default value: {}", hcl::friendly_name(kind.type), kind.name,
                          error.message));
  }
}

bool is_null(const hcl::Expression& expression) {
  const auto* literal = std::get_if<hcl::Literal>(&expression.form);
  return literal != nullptr && literal->value.is_null();
}

Declared declared(const std::string& name, const hcl::Block& block, const hcl::Scope& scope) {
  Declared result;
  result.kind = {.name = name, .place = block.header_range, .declared = false, .type = {}};
  const auto* type = hcl::find(block.body, "type");
  if (type != nullptr && !is_null(*type->expression)) {
    result.kind.declared = true;
    result.kind.type = hcl::type_expression(*type->expression);
  }
  result.value = default_of(block, result.kind, scope);
  if (!result.kind.declared) {
    const bool typed = !result.value.is_null();
    result.kind.type = typed ? result.value.type : hcl::string_type();
  }
  return result;
}

// The words of a type as convert() takes it, which stand for no variable or function.
bool is_type_word(std::string_view word) {
  static constexpr std::array<std::string_view, 10> k_words = {"string", "number", "bool",   "any",   "list",
                                                               "set",    "map",    "object", "tuple", "optional"};
  return std::ranges::find(k_words, word) != k_words.end();
}

std::string shown(const Value& value, bool is_declared, const hcl::Type& type) {
  if (!is_declared && hcl::is_primitive(value.type)) return hcl::as_string(hcl::convert(value, hcl::string_type()));
  std::string text;
  try {
    text = is_declared ? hcl::to_json(value, type) : hcl::to_json(value);
  } catch (const hcl::ConversionError&) {
    return "";  // as infinity is in JSON
  }
  if (is_declared && type.kind == hcl::Kind::string) {  // JSON without what it begins and ends with
    while (text.starts_with('"')) text.erase(0, 1);
    while (text.ends_with('"')) text.pop_back();
  }
  return text;
}

}  // namespace

Names::Names(const Parts& parts, const Outside& outside, Refer refer)
    : parts_(parts), outside_(outside), refer_(std::move(refer)) {
  scope_.home = outside.home;
  scope_.lookup = [this](const hcl::Traversal& traversal) { return look_up(traversal); };
  scope_.function = [this](std::string_view name, const hcl::Range&) -> const hcl::Function* {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
  };
  for (const auto& [name, block] : parts.functions) add_function(name, *block);
}

void Names::add_function(const std::string& name, const hcl::Block& block) {
  if (hcl::standard_function(name) != nullptr) return;  // that one is meant
  refuse_other_members(block, {"params", "variadic_params", "result"});
  const auto parameters = hcl::keywords(*required(block, "params").expression, "Invalid param element");
  const auto& result = *required(block, "result").expression;
  std::optional<std::string> rest;
  if (const auto* variadic = hcl::find(block.body, "variadic_params")) {
    rest = hcl::keyword(*variadic->expression);
    if (!rest) hcl::fail(variadic->expression->range, "Invalid param element", "It is the name of one parameter.");
  }
  functions_[name] = hcl::user_function(parameters, rest, result, scope_);
}

bool Names::has(const std::string& name) const {
  return is_reserved(name) || parts_.values.contains(name) || parts_.variables.contains(name);
}

std::optional<hcl::Resolved> Names::look_up(const hcl::Traversal& traversal) {
  const auto& name = traversal.root;
  if (name == "target" || name == "group") return refer_(traversal);
  if (!has(name)) return std::nullopt;
  if (name != validated_) used_.insert(name);
  return hcl::Resolved{value_of(name, traversal.root_range), 0};
}

Value Names::value_of(const std::string& name, const hcl::Range& place) {
  if (name == k_command_context) return hcl::string_value(outside_.command_context);
  if (name == k_platform) return hcl::string_value(outside_.platform);
  if (const auto known = values_.find(name); known != values_.end()) return known->second;
  if (!under_way_.insert(name).second)
    hcl::fail(place, "Variable cycle", fmt::format("variable cycle not allowed for {}", name));
  auto value = evaluated(name);
  under_way_.erase(name);
  return values_[name] = std::move(value);
}

Value Names::evaluated(const std::string& name) {
  const auto variable = parts_.variables.find(name);
  if (const auto found = parts_.values.find(name); found != parts_.values.end()) {
    auto value = hcl::evaluate(*found->second->expression, scope_);
    const auto text = variable == parts_.variables.end() ? std::nullopt : override_of(outside_, name);
    if (!text) return value;
    // It stands in for the default of the variable, and for its type.
    const auto type = value.is_null() ? hcl::string_type() : value.type;
    return value_of_text({.name = name, .place = found->second->name_range, .declared = false, .type = type}, *text);
  }
  const auto [kind, value] = declared(name, *variable->second, scope_);
  const auto text = override_of(outside_, name);
  const bool has_json = !parts_.variables.contains(name + "_JSON");
  if (has_json && (kind.declared || !text)) {
    if (const auto json = override_of(outside_, name + "_JSON"))
      return kind.declared ? value_of_json(kind, *json) : value_of_text(kind, *json);
  }
  return text ? value_of_text(kind, *text) : value;
}

void Names::check() {
  for (const auto& [name, attribute] : parts_.values) {
    if (!is_reserved(name)) value_of(name, attribute->name_range);
  }
  for (const auto& [name, block] : parts_.variables) {
    if (!is_reserved(name)) value_of(name, block->header_range);
  }
  for (const auto& [name, block] : parts_.variables) {
    if (!is_reserved(name)) validate(name, *block);
  }
  for (const auto& [name, function] : functions_) {
    std::set<std::string> under_way;
    check_function(name, under_way);
  }
}

void Names::validate(const std::string& name, const hcl::Block& variable) {
  for (const auto& block : variable.body.blocks) {
    if (block.type != "validation") continue;
    if (!block.labels.empty())
      hcl::fail(block.labels[0].range, "Extraneous label for validation", "No labels are expected here.");
    refuse_other_members(block, {"condition", "error_message"});
    const auto& condition = *required(block, "condition").expression;
    validated_ = name;
    const auto value = hcl::evaluate(condition, scope_);
    validated_.clear();
    if (value.is_null()) hcl::fail(condition.range, "Invalid condition result", "Condition expression is null.");
    bool holds = false;
    try {
      holds = hcl::as_bool(hcl::convert(value, hcl::bool_type()));
    } catch (const hcl::ConversionError& error) {
      hcl::fail(condition.range, "Invalid condition result", "Condition expression: " + error.message);
    }
    if (holds) continue;
    const auto* message = hcl::find(block.body, "error_message");
    std::string text = fmt::format("the value of {} is not valid", name);
    if (message != nullptr) {
      const auto said = hcl::evaluate_as(*message->expression, scope_, hcl::string_type());
      if (!said.is_null()) text = hcl::as_string(said);
    }
    hcl::fail(condition.range, "Validation failed", text);
  }
}

void Names::check_function(const std::string& name, std::set<std::string>& under_way) {
  const auto& block = *parts_.functions.find(name)->second;
  const auto& function = functions_.find(name)->second;
  if (!under_way.insert(name).second)
    hcl::fail(block.header_range, "Function cycle", fmt::format("function cycle not allowed for {}", name));
  const auto& result = *required(block, "result").expression;
  const auto is_parameter = [&](const std::string& root) {
    return (function.rest && function.rest->name == root) ||
           std::ranges::find(function.parameters, root, &hcl::Parameter::name) != function.parameters.end();
  };
  for (const auto* traversal : hcl::traversals(result)) {
    if (is_parameter(traversal->root)) continue;
    used_.insert(traversal->root);
    if (!has(traversal->root) && !is_type_word(traversal->root))
      hcl::fail(traversal->root_range, "Unknown variable",
                fmt::format("There is no variable named \"{}\".", traversal->root));
  }
  for (const auto* call : hcl::calls(result)) {
    if (hcl::standard_function(call->name) != nullptr || is_type_word(call->name)) continue;
    if (!functions_.contains(call->name))
      hcl::fail(call->name_range, "Call to unknown function",
                fmt::format("There is no function named \"{}\".", call->name));
    check_function(call->name, under_way);
  }
  under_way.erase(name);
}

std::vector<Variable> Names::variables() {
  std::vector<Variable> list;
  for (const auto& [name, block] : parts_.variables) {
    if (is_reserved(name)) continue;
    const auto kind = declared(name, *block, scope_).kind;
    const auto value = value_of(name, block->header_range);
    Variable row{
        .name = name, .type = kind.declared ? hcl::friendly_name(kind.type) : "", .value = {}, .description = {}};
    if (!value.is_null()) row.value = shown(value, kind.declared, kind.type);
    if (const auto* description = hcl::find(block->body, "description")) {
      const auto text = hcl::evaluate_as(*description->expression, scope_, hcl::string_type());
      if (!text.is_null()) row.description = hcl::as_string(text);
    }
    list.push_back(std::move(row));
  }
  return list;
}

std::vector<std::string> Names::warnings_of_unused() const {
  std::vector<std::string> warnings;
  for (const auto& [name, block] : parts_.variables) {
    if (is_reserved(name)) {
      warnings.push_back(fmt::format("{}: variable \"{}\" is ignored: the name means something else",
                                     hcl::describe(block->header_range), name));
    } else if (!used_.contains(name)) {
      warnings.push_back(fmt::format("{}: variable \"{}\" is not used", hcl::describe(block->header_range), name));
    }
  }
  for (const auto& [name, block] : parts_.functions) {
    if (hcl::standard_function(name) != nullptr) {
      warnings.push_back(fmt::format("{}: function \"{}\" is ignored: the standard function of that name is meant",
                                     hcl::describe(block->header_range), name));
    }
  }
  return warnings;
}

}  // namespace mbuild::bake
