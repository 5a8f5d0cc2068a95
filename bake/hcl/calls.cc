#include <fmt/format.h>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"
#include "bake/hcl/functions.h"

namespace mbuild::bake::hcl {

namespace {

const Function& find_function(const Call& call, const Scope& scope) {
  if (const Function* function = standard_function(call.name)) {
    return *function;
  }
  for (const Scope* each = &scope; each; each = each->outer) {
    if (each->function) {
      if (const Function* function = each->function(call.name, call.name_range)) {
        return *function;
      }
    }
  }
  fail(call.name_range, "Call to unknown function", fmt::format("There is no function named \"{}\".", call.name));
}

void add_expanded(Elements& arguments, const Value& list, const Range& range) {
  if (list.is_null() || !is_sequence(list.type)) {
    fail(range, "Invalid expanding argument value",
         fmt::format("What \"...\" follows has to be a list, but it is {}.",
                     list.is_null() ? "null" : friendly_name(list.type)));
  }
  const Elements& all = elements(list);
  arguments.insert(arguments.end(), all.begin(), all.end());
}

Elements arguments_of(const Call& call, const Scope& scope) {
  Elements arguments;
  for (const ExpressionPtr& each : call.arguments) {
    Value value = evaluate(*each, scope);
    if (call.expand && each == call.arguments.back()) {
      add_expanded(arguments, value, each->range);
    } else {
      arguments.push_back(std::move(value));
    }
  }
  return arguments;
}

std::string count_of(std::size_t count) { return fmt::format("{} argument{}", count, count == 1 ? "" : "s"); }

void check_count(const Function& function, std::string_view name, std::size_t given, const Range& range) {
  const std::size_t wanted = function.parameters.size();
  if (given < wanted) {
    fail(range, "Not enough function arguments",
         fmt::format("The function \"{}\" takes {}{}: there is none for \"{}\".", name,
                     function.rest ? "at least " : "", count_of(wanted), function.parameters[given].name));
  }
  if (given > wanted && !function.rest) {
    fail(range, "Too many function arguments",
         fmt::format("The function \"{}\" takes {}, and {} are given.", name, count_of(wanted), given));
  }
}

[[noreturn]] void bad_argument(const Parameter& parameter, const std::string& why, const Range& range) {
  fail(range, "Invalid function argument", fmt::format("Invalid value for \"{}\" parameter: {}.", parameter.name, why));
}

Value argument_for(const Parameter& parameter, const Value& value, const Range& range) {
  if (value.is_null() && !parameter.allow_null) {
    bad_argument(parameter, "argument must not be null", range);
  }
  try {
    return convert(value, parameter.type);
  } catch (const ConversionError& error) {
    bad_argument(parameter, error.message, range);
  }
}

const Parameter& parameter_at(const Function& function, std::size_t i) {
  return i < function.parameters.size() ? function.parameters[i] : *function.rest;
}

// Where an argument stands, or the call where it came out of an expanded list.
using PlaceOf = std::function<Range(std::size_t argument)>;

Value call_with(const Function& function, std::string_view name, std::span<const Value> arguments, const Range& range,
                const PlaceOf& place_of) {
  check_count(function, name, arguments.size(), range);
  Elements converted;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    converted.push_back(argument_for(parameter_at(function, i), arguments[i], place_of(i)));
  }
  try {
    return function.call(converted);
  } catch (const CallError& error) {
    if (error.argument && *error.argument < arguments.size()) {
      bad_argument(parameter_at(function, *error.argument), error.message, place_of(*error.argument));
    }
    fail(range, "Error in function call", fmt::format("Call to function \"{}\" failed: {}.", name, error.message));
  } catch (const ConversionError& error) {
    fail(range, "Error in function call", fmt::format("Call to function \"{}\" failed: {}.", name, error.message));
  }
}

}  // namespace

Value call_function(const Function& function, std::string_view name, std::span<const Value> arguments,
                    const Range& range) {
  return call_with(function, name, arguments, range, [&](std::size_t) { return range; });
}

Value evaluate_call(const Call& call, const Range& range, const Scope& scope) {
  const Function& function = find_function(call, scope);
  if (function.call_unevaluated) {
    return function.call_unevaluated(call, range, scope);
  }
  const Elements arguments = arguments_of(call, scope);
  return call_with(function, call.name, arguments, range,
                   [&](std::size_t i) { return i < call.arguments.size() ? call.arguments[i]->range : range; });
}

Function user_function(const std::vector<std::string>& parameters, const std::optional<std::string>& rest,
                       const Expression& result, const Scope& global) {
  Function function;
  for (const std::string& name : parameters) {
    function.parameters.push_back({name, dynamic_type()});
  }
  if (rest) {
    function.rest = Parameter{*rest, dynamic_type()};
  }
  function.call = [parameters, rest, &result, &global](std::span<const Value> arguments) {
    Scope scope;
    scope.outer = &global;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      scope.values.insert_or_assign(parameters[i], arguments[i]);
    }
    if (rest) {
      const auto others = arguments.subspan(parameters.size());
      scope.values.insert_or_assign(*rest, tuple_value(Elements(others.begin(), others.end())));
    }
    return evaluate(result, scope);
  };
  return function;
}

}  // namespace mbuild::bake::hcl
