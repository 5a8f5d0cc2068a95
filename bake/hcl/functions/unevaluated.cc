#include <fmt/format.h>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluate.h"
#include "bake/hcl/functions/table.h"
#include "bake/hcl/parse.h"

// Functions that look at their arguments as expressions, or at the scope that they are called in.
namespace mbuild::bake::hcl {

namespace {

void want_arguments(const Call& call, const Range& range, std::size_t count) {
  if (call.arguments.size() < count) {
    fail(range, "Not enough function arguments", fmt::format("The function \"{}\" takes {}.", call.name, count));
  }
  if (call.arguments.size() > count) {
    fail(range, "Too many function arguments", fmt::format("The function \"{}\" takes {}.", call.name, count));
  }
}

Value try_each(const Call& call, const Range& range, const Scope& scope) {
  std::string failures;
  for (const ExpressionPtr& expression : call.arguments) {
    try {
      return evaluate(*expression, scope);
    } catch (const Failure& failure) {
      failures += fmt::format("\n- {}", failure.message);
    }
  }
  fail(range, "Error in function call",
       fmt::format("Call to function \"try\" failed: no expression succeeded:{}", failures));
}

Value can(const Call& call, const Range& range, const Scope& scope) {
  want_arguments(call, range, 1);
  try {
    evaluate(*call.arguments[0], scope);
    return bool_value(true);
  } catch (const Failure&) {
    return bool_value(false);
  }
}

// All attributes have to be there, optional ones too.
Type without_optional(const Type& type) {
  if (!type.parts) {
    return type;
  }
  TypeParts parts;
  for (const Type& element : type.parts->elements) {
    parts.elements.push_back(without_optional(element));
  }
  for (const auto& [name, attribute] : type.parts->attributes) {
    parts.attributes.emplace(name, without_optional(attribute));
  }
  return {type.kind, std::make_shared<const TypeParts>(std::move(parts))};
}

Value convert_call(const Call& call, const Range& range, const Scope& scope) {
  want_arguments(call, range, 2);
  const Type type = without_optional(type_expression(*call.arguments[1]));
  const Value value = evaluate(*call.arguments[0], scope);
  try {
    return convert(value, type);
  } catch (const ConversionError& error) {
    fail(call.arguments[0]->range, "Error in function call",
         fmt::format("Call to function \"convert\" failed: {}.", error.message));
  }
}

Value homedir(const Call& call, const Range& range, const Scope& scope) {
  want_arguments(call, range, 0);
  for (const Scope* each = &scope; each; each = each->outer) {
    if (each->home) {
      return text_value(*each->home);
    }
  }
  fail(range, "Error in function call", "Call to function \"homedir\" failed: HOME is not set.");
}

void define_unevaluated(Table& table, std::string_view name,
                        Value (*call)(const Call& call, const Range& range, const Scope& scope)) {
  Function function;
  function.call_unevaluated = call;
  table.emplace(name, std::move(function));
}

}  // namespace

void add_unevaluated(Table& table) {
  define_unevaluated(table, "try", try_each);
  define_unevaluated(table, "can", can);
  define_unevaluated(table, "convert", convert_call);
  define_unevaluated(table, "homedir", homedir);
}

}  // namespace mbuild::bake::hcl
