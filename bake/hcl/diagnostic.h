#pragma once

#include <string>

#include "bake/hcl/source.h"
#include "base/error.h"

// What is wrong with a definition, and where.
namespace mbuild::bake::hcl {

struct Diagnostic {
  Range range;
  std::string summary;  // "Unsupported attribute"
  std::string detail;   // a sentence or more; "" when the summary says it all
};

// Thrown by parser and evaluator. As an Error it reads "FILE:L,C-C: Summary; Detail" and has the excerpt.
class Failure : public Error {
 public:
  explicit Failure(Diagnostic diagnostic);

  Diagnostic diagnostic;
};

[[noreturn]] void fail(const Range& range, std::string summary, std::string detail = "");

}  // namespace mbuild::bake::hcl
