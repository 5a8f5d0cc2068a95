#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files/select.h"
#include "graph/graph.h"

// What a step read when it was looked up, in a form that can be kept and compared: why a step runs is the difference
// between what is kept of it and what it reads now.
namespace mbuild::executor {

// One file that a step took from a directory of the user.
struct FileState {
  std::string path;
  std::uint32_t type = 0, mode = 0, uid = 0, gid = 0;
  std::string content;  // short digest of the content or link target, "" for others
};

// One thing that the step's result depends on.
struct InputPart {
  std::string id;                // what is compared with what: "base", "mount /x", "copy 0"
  std::string name;              // for the user: "[builder 2/5] RUN make"
  Digest whole;                  // of all that the input holds
  Digest content;                // of what the step reads of it; "" when nothing had to be read
  std::vector<FileState> files;  // of the user, sorted by path
};

struct StepInputs {
  // Settings of the step by name, with a short digest of the value: "variable PATH", "text".
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<InputPart> parts;
};

std::vector<std::pair<std::string, std::string>> settings_of(const graph::Node& node);
std::vector<FileState> file_states(const Selection& selection);

// Compact bytes for the store, and back; bytes that are none of these give empty inputs.
std::string pack_inputs(const StepInputs& inputs);
StepInputs unpack_inputs(std::string_view bytes);

// The differences as a user would say them, the most important first; none: nothing has changed.
std::vector<std::string> differences(const StepInputs& before, const StepInputs& now);

}  // namespace mbuild::executor
