#include "worker/sandbox/exec_plan.h"

#include <algorithm>

#include "base/strings.h"

namespace mbuild::executor {
namespace {

constexpr int k_deepest = 5;  // scripts whose interpreters are scripts

struct Interpreter {
  std::string path;
  std::optional<std::string> argument;  // all words after it are one
};

// The first line of a script; nothing where it names no interpreter, or one whose path is cut off.
std::optional<Interpreter> interpreter_of(std::string_view start) {
  if (!start.starts_with("#!")) return std::nullopt;
  constexpr std::string_view k_blank = " \t";
  const auto end = start.find('\n');
  auto line = start.substr(2, end == start.npos ? start.npos : end - 2);
  line = line.substr(0, line.find('\0'));
  const auto first = line.find_first_not_of(k_blank);
  if (first == line.npos) return std::nullopt;
  line = line.substr(first);
  const auto blank = line.find_first_of(k_blank);
  if (blank == line.npos) {
    constexpr std::size_t k_looked_at = 256;
    if (end == start.npos && start.size() >= k_looked_at) return std::nullopt;
    return Interpreter{std::string(line), std::nullopt};
  }
  Interpreter out{std::string(line.substr(0, blank)), std::nullopt};
  const auto from = line.find_first_not_of(k_blank, blank);
  if (from == line.npos) return out;
  out.argument = std::string(line.substr(from, line.find_last_not_of(k_blank) + 1 - from));
  return out;
}

}  // namespace

std::optional<std::size_t> emulator_for(const std::vector<Emulator>& emulators, std::string_view start) {
  const auto takes = [&](const Emulator& one) {
    if (start.size() < one.magic.size()) return false;
    for (std::size_t i = 0; i < one.magic.size(); ++i) {
      if (((one.magic[i] ^ start[i]) & one.mask[i]) != 0) return false;
    }
    return true;
  };
  const auto found = std::ranges::find_if(emulators, takes);
  if (found == emulators.end()) return std::nullopt;
  return static_cast<std::size_t>(found - emulators.begin());
}

std::optional<ExecPlan> plan_exec(const std::vector<Emulator>& emulators, std::string path, std::string argv0,
                                  const std::function<std::optional<std::string>(const std::string&)>& start_of) {
  std::vector<std::string> rest;  // what the program gets before the caller's own arguments
  for (int depth = 0; depth <= k_deepest; ++depth) {
    const auto start = start_of(path);
    if (!start) return std::nullopt;
    if (const auto number = emulator_for(emulators, *start)) {
      // The emulator takes what begins with a dash for an option.
      ExecPlan out{*number,
                   {base_name(emulators[*number].path), "-0", argv0, path.starts_with('-') ? "./" + path : path}};
      out.head.insert(out.head.end(), rest.begin(), rest.end());
      return out;
    }
    const auto script = interpreter_of(*start);
    if (!script) return std::nullopt;
    rest.insert(rest.begin(), path);
    if (script->argument) rest.insert(rest.begin(), *script->argument);
    path = argv0 = script->path;
  }
  return std::nullopt;
}

}  // namespace mbuild::executor
