#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/config/command.h"

namespace mbuild::cli {

// The flags of `mbuild bake` as they were typed.
struct BakeFlags {
  std::vector<std::string> targets, allow, file, policy, set, var, provenance, sbom;
  std::string call, list, metadata_file, profile, progress, report, root;
  std::optional<bool> no_cache, pull;
  unsigned jobs = 0;
  bool allow_less_isolation = false, check = false, explain = false, keep_going = false, load = false, print = false,
       push = false;
};

void add_bake_flags(Command& command, BakeFlags& flags);

// What --call and --check ask of all targets; how it is shown is for those with a call of their own, too. Throws Error
// (usage).
Call asked_call(const BakeFlags& flags);
// --set, and after it what the flags that are short for it stand for. Throws Error (usage).
std::vector<std::string> override_texts(const BakeFlags& flags);
// --var NAME=VALUE. Throws Error (usage).
std::map<std::string, std::string> given_variables(const BakeFlags& flags);

}  // namespace mbuild::cli
