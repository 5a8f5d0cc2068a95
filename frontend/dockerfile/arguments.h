#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/dockerfile/syntax.h"
#include "frontend/dockerfile/table.h"
#include "frontend/dockerfile/words.h"

// The first of two steps from a logical line to an instruction: the arguments are taken apart as the instruction's
// grammar says, but not yet judged. An ONBUILD payload goes through this step only, when it is defined.
namespace mbuild::frontend::dockerfile {

struct Arguments {
  const InstructionInfo* info = nullptr;  // null: an unknown instruction
  std::string keyword;                    // as written
  std::vector<std::string> flags;
  std::vector<std::string> words;  // HEALTHCHECK: the type, then the command
  bool json = false;
  std::vector<KeyValue> pairs;  // ENV and LABEL
  bool legacy = false;          // "ENV KEY VALUE"
};

// Throws Error (usage).
Arguments parse_arguments(std::string_view line, char escape);

}  // namespace mbuild::frontend::dockerfile
