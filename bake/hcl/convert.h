#pragma once

#include <exception>
#include <string>

#include "bake/hcl/type.h"
#include "bake/hcl/value.h"

// Conversion of values where a type is due.
namespace mbuild::bake::hcl {

// Why a value has not that type: "a number is required", "element 1: string required".
class ConversionError : public std::exception {
 public:
  explicit ConversionError(std::string message) : message(std::move(message)) {}
  const char* what() const noexcept override { return message.c_str(); }

  std::string message;
};

// The value as one of `type`, where dynamic parts stay what they are. Throws ConversionError.
Value convert(const Value& value, const Type& type);

}  // namespace mbuild::bake::hcl
