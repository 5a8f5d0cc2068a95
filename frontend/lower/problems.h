#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "frontend/dockerfile/syntax.h"

// Errors that were found in one phase of lowering and don't follow from each other, so that one run tells them all.
namespace mbuild::frontend::lowering {

class Problems {
 public:
  // `range` is where the error is shown. One that several platforms have counts once.
  void add(Error error, dockerfile::Range range);
  // Throws what was added: a single error as it is, several as one that names the line of each; with the excerpt.
  void throw_if_any(const dockerfile::Dockerfile& file);

 private:
  struct Problem {
    dockerfile::Range range;
    Error error;
  };
  std::vector<Problem> problems_;
};

}  // namespace mbuild::frontend::lowering
