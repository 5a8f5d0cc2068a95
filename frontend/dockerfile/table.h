#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

// The one table of Dockerfile instructions: parsing, suggestions and the reference follow from it.
namespace mbuild::frontend::dockerfile {

enum class Keyword {
  add,
  arg,
  cmd,
  copy,
  entrypoint,
  env,
  expose,
  from,
  healthcheck,
  label,
  maintainer,
  onbuild,
  run,
  shell,
  stopsignal,
  user,
  volume,
  workdir
};

enum class FlagKind { boolean, text, list };  // list: may be repeated

struct FlagInfo {
  std::string_view name;  // without "--"
  FlagKind kind;
  std::string_view value;    // "USER[:GROUP]", for the reference
  std::string_view summary;  // one line
};

struct InstructionInfo {
  Keyword keyword;
  std::string_view name;     // upper case
  std::string_view usage;    // what follows the flags
  std::string_view summary;  // one line
  bool heredocs = false;     // words may be heredocs
  bool checks_flags = true;  // ARG and STOPSIGNAL let leading --words pass unseen
  std::span<const FlagInfo> flags = {};
};

std::span<const InstructionInfo> instructions();
// The instruction of that name in any case; null when there is none.
const InstructionInfo* find_instruction(std::string_view name);
// " (did you mean FROM?)", in upper case if `name` is, or "".
std::string suggest_instruction(std::string_view name);
// " (did you mean X?)" for a word of a closed list, when one is at an edit distance of 2 at most, or "".
std::string suggest(std::string_view word, std::span<const std::string_view> known);
std::string suggest(std::string_view word, std::span<const std::string> known);

// The language reference for a terminal: each instruction with its flags, the directives, and the mount keys.
std::string reference_text();

}  // namespace mbuild::frontend::dockerfile
