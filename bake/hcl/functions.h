#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bake/hcl/syntax.h"
#include "bake/hcl/type.h"
#include "bake/hcl/value.h"

// Functions, the standard ones among them.
namespace mbuild::bake::hcl {

struct Scope;

struct Parameter {
  std::string name;
  Type type;  // arguments are converted; dynamic takes any
  bool allow_null = false;
};

struct Function {
  std::vector<Parameter> parameters;
  std::optional<Parameter> rest;  // of a variadic function
  // Arguments are converted and counted. Throws CallError.
  std::function<Value(std::span<const Value> arguments)> call;
  // Instead of `call`, for functions that want their arguments unevaluated.
  std::function<Value(const Call& call, const Range& range, const Scope& scope)> call_unevaluated;
};

// What a function has to say against its arguments.
class CallError : public std::exception {
 public:
  explicit CallError(std::string message, std::optional<std::size_t> argument = std::nullopt)
      : message(std::move(message)), argument(argument) {}
  const char* what() const noexcept override { return message.c_str(); }

  std::string message;
  std::optional<std::size_t> argument;  // the one that is wrong
};

// The standard function of that name, or null.
const Function* standard_function(std::string_view name);
std::vector<std::string> standard_function_names();

// A function whose result is an expression over its parameters and what `global` has. Both have to outlive it.
Function user_function(const std::vector<std::string>& parameters, const std::optional<std::string>& rest,
                       const Expression& result, const Scope& global);
// Calls by name as an expression does; `range` is that of the call.
Value call_function(const Function& function, std::string_view name, std::span<const Value> arguments,
                    const Range& range);

}  // namespace mbuild::bake::hcl
