#include "frontend/dockerfile/flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::frontend::dockerfile {
namespace {

const FlagInfo& find_flag(std::string_view name, std::span<const FlagInfo> known) {
  const auto found = std::ranges::find(known, name, &FlagInfo::name);
  if (found != known.end()) return *found;
  std::vector<std::string_view> names;
  for (const auto& flag : known) names.push_back(flag.name);
  throw Error(ExitClass::usage, fmt::format("unknown flag: --{}{}", name, suggest(name, names)));
}

std::string boolean_value(std::string_view name, std::optional<std::string_view> value) {
  const auto lower = to_lower(value.value_or("true"));
  if (lower.empty()) throw Error(ExitClass::usage, fmt::format("missing a value on flag: --{}", name));
  if (lower != "true" && lower != "false") {
    throw Error(ExitClass::usage, fmt::format("expecting boolean value for flag --{}, not: {}", name, *value));
  }
  return lower;
}

}  // namespace

std::string FlagValues::text(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? "" : found->second.front();
}

std::optional<bool> FlagValues::boolean(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return text(name) == "true";
}

std::vector<std::string> FlagValues::list(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

FlagValues parse_flags(const std::vector<std::string>& words, std::span<const FlagInfo> known) {
  FlagValues out;
  for (const std::string_view word : words) {
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const auto value =
        equals == std::string_view::npos ? std::nullopt : std::optional<std::string_view>(word.substr(equals + 1));
    const auto& flag = find_flag(name, known);
    auto& values = out.values[flag.name];
    if (!values.empty() && flag.kind != FlagKind::list) {
      throw Error(ExitClass::usage, fmt::format("duplicate flag specified: --{}", name));
    }
    if (flag.kind == FlagKind::boolean) {
      values.push_back(boolean_value(name, value));
    } else if (value) {
      values.emplace_back(*value);
    } else {
      throw Error(ExitClass::usage, fmt::format("missing a value on flag: --{}", name));
    }
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
