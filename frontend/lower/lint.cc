#include "frontend/lower/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <tuple>

#include "base/strings.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/table.h"
#include "frontend/lower/text.h"
#include "oci/reference.h"

namespace mbuild::frontend::lowering {
namespace {

void warn(Lowering& lowering, const dockerfile::Instruction& instruction, dockerfile::Range range,
          std::string_view rule, std::string message) {
  dockerfile::add_warning(lowering.warnings, lowering.shared.check, instruction.skip, rule, std::move(message), range);
}

// For the rules that "# check=skip=" above an instruction does not silence.
void warn_always(Lowering& lowering, dockerfile::Range range, std::string_view rule, std::string message) {
  dockerfile::add_warning(lowering.warnings, lowering.shared.check, {}, rule, std::move(message), range);
}

void warn(Lowering& lowering, const Stage& stage, const Step& step, std::string_view rule, std::string message) {
  warn(lowering, *step.instruction, step_range(stage, step), rule, std::move(message));
}

bool declares_globally(const Lowering& lowering, std::string_view name) {
  for (const dockerfile::Instruction& instruction : lowering.shared.request.dockerfile.global_args) {
    for (const auto& arg : std::get<dockerfile::ArgInstruction>(instruction.body).args) {
      if (arg.key == name) return true;
    }
  }
  return false;
}

// True when one of the words stands in the name on its own, between underscores.
bool has_word(std::string_view name, std::span<const std::string_view> words) {
  const std::vector<std::string> parts = split(to_lower(name), '_');
  return std::ranges::any_of(parts,
                             [&](const std::string& part) { return std::ranges::find(words, part) != words.end(); });
}

bool looks_secret(std::string_view name) {
  static constexpr std::array<std::string_view, 10> k_secret = {
      "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"};
  static constexpr std::array<std::string_view, 3> k_harmless = {"public", "file", "version"};
  return has_word(name, k_secret) && !has_word(name, k_harmless);
}

bool is_reference(const std::string& text) {
  try {
    parse_reference(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// True when a pattern takes in every entry of the context's root.
bool ignores_all(const std::vector<std::string>& patterns) {
  return std::ranges::any_of(
      patterns, [](const std::string& pattern) { return pattern == "*" || pattern == "**" || pattern == "**/*"; });
}

// True when the path, taken as it is written, or a part of its beginning matches; meant for patterns without
// exceptions. That an absolute path begins with an empty part counts, too: "*" takes it in.
bool ignores_path(const IgnoreMatcher& matcher, std::string_view path) {
  IgnoreMatcher::DirectoryState state;
  for (std::size_t end = 0; end <= path.size(); ++end) {
    end = std::min(path.find('/', end), path.size());
    if (matcher.excludes(path.substr(0, end), {}, state)) return true;
  }
  return false;
}

// True for an expression of TARGETPLATFORM alone that comes to its value.
bool is_target_platform(const Lowering& lowering, std::string_view text, const std::string& expanded) {
  constexpr std::string_view k_name = "TARGETPLATFORM";
  const std::string* value = lowering.global_args.find(k_name);
  if (value == nullptr || *value != expanded || std::ranges::count(text, '$') != 1) return false;
  std::string_view rest = text.substr(text.find('$') + 1);
  if (rest.starts_with('{')) rest.remove_prefix(1);
  if (!rest.starts_with(k_name)) return false;
  rest.remove_prefix(k_name.size());
  return rest.empty() || rest.front() == '}' || rest.front() == ':' || rest.front() == '-';
}

void check_description(Lowering& lowering, const dockerfile::Instruction& instruction, std::string_view keyword,
                       const std::vector<std::string>& names) {
  if (instruction.comments.empty() || names.empty()) return;
  const std::string_view comment = trim(instruction.comments.back());
  const std::string_view first = comment.substr(0, comment.find(' '));
  if (std::ranges::find(names, first) != names.end()) return;
  warn(lowering, instruction, instruction.range, "InvalidDefinitionDescription",
       fmt::format("Comment for {} should follow the format: `# {} <description>`", keyword,
                   names.size() > 1 ? "<arg_key>" : names.front()));
}

void check_arg_description(Lowering& lowering, const dockerfile::Instruction& instruction) {
  const auto* arg = std::get_if<dockerfile::ArgInstruction>(&instruction.body);
  if (arg == nullptr || instruction.comments.empty()) return;
  std::vector<std::string> names;
  for (const auto& item : arg->args) names.push_back(item.key);
  check_description(lowering, instruction, "ARG", names);
}

}  // namespace

dockerfile::Range step_range(const Stage& stage, const Step& step) {
  return step.on_build ? stage.range : step.instruction->range;
}

void check_undefined_variables(Lowering& lowering, const Stage& stage, const Step& step,
                               const std::set<std::string>& undefined) {
  if (stage.state.unknown_base) return;
  for (const std::string& name : undefined) {
    if (stage.state.arguments.find(name) != nullptr) continue;
    std::vector<std::string> known = stage.state.env.names();
    for (std::string& candidate : known) candidate.insert(0, "$");
    warn(lowering, stage, step, "UndefinedVar",
         fmt::format("Usage of undefined variable '${}'{}", name, dockerfile::suggest("$" + name, known)));
  }
}

void check_undefined_in_from(Lowering& lowering, const dockerfile::Instruction& from,
                             const std::set<std::string>& undefined) {
  for (const std::string& name : undefined) {
    if (declares_globally(lowering, name)) continue;
    warn(lowering, from, from.range, "UndefinedArgInFrom",
         fmt::format("FROM argument '{}' is not declared{}", name,
                     dockerfile::suggest(name, lowering.global_args.names())));
  }
}

void check_default_arg_in_from(Lowering& lowering) {
  const dockerfile::Dockerfile& file = lowering.shared.request.dockerfile;
  try {
    const Variables variables = default_global_args(lowering);
    for (const dockerfile::Stage& stage : file.stages) {
      const std::string& base = std::get<dockerfile::FromInstruction>(stage.from.body).base;
      const std::string name = dockerfile::expand(base, lookup_in(variables), {.escape = file.escape}).text;
      if (is_reference(name)) continue;
      warn_always(lowering, stage.from.range, "InvalidDefaultArgInFrom",
                  fmt::format("Default value for ARG {} results in empty or invalid base image name", base));
    }
  } catch (const Error&) {
    return;  // what can't be expanded is reported when the stage is made
  }
}

void check_platform_flag(Lowering& lowering, const dockerfile::Instruction& instruction, const std::string& expanded) {
  const auto& from = std::get<dockerfile::FromInstruction>(instruction.body);
  if (is_target_platform(lowering, from.platform, expanded)) {
    warn(lowering, instruction, instruction.range, "RedundantTargetPlatform",
         fmt::format("Setting platform to predefined {} in FROM is redundant as this is the default behavior",
                     from.platform));
    return;
  }
  if (from.platform.find('$') != std::string::npos) return;
  try {
    const platforms::Platform platform = platforms::parse_platform(expanded);
    const bool named =
        from.name.find(platform.os) != std::string::npos || from.name.find(platform.arch) != std::string::npos;
    if (named) return;
  } catch (const Error&) {
    return;  // reported as an error by the caller
  }
  warn(lowering, instruction, instruction.range, "FromPlatformFlagConstDisallowed",
       fmt::format("FROM --platform flag should not use constant value {}", go_quote(expanded)));
}

void check_base_platform(Lowering& lowering, const Stage& stage, const platforms::Platform& actual) {
  const platforms::Platform& expected = *stage.platform;
  if (stage.source == nullptr || (expected.os == actual.os && expected.arch == actual.arch)) return;
  auto warning = foreign_base_warning(stage, actual, expected);
  warn_always(lowering, stage.range, warning.rule, std::move(warning.message));
}

dockerfile::Warning foreign_base_warning(const Stage& stage, const platforms::Platform& actual,
                                         const platforms::Platform& expected) {
  return {.rule = "InvalidBaseImagePlatform",
          .message = fmt::format("Base image {} was pulled with platform \"{}\", expected \"{}\" for current build",
                                 stage.base_text, platforms::to_string(actual), platforms::to_string(expected)),
          .range = stage.range};
}

void check_shell_form(Lowering& lowering, const Stage& stage, const Step& step, const dockerfile::Command& command) {
  if (command.exec_form || stage.state.unknown_base) return;
  if (stage.state.config.shell && !stage.state.config.shell->empty()) return;
  warn(lowering, stage, step, "JSONArgsRecommended",
       fmt::format("JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                   step.instruction->keyword));
}

void check_relative_workdir(Lowering& lowering, const Stage& stage, const Step& step, const std::string& path) {
  if (stage.state.workdir_set || path.starts_with('/')) return;
  warn(lowering, stage, step, "WorkdirRelativePath",
       fmt::format("Relative workdir {} can have unexpected results if the base image changes", go_quote(path)));
}

void check_used_once(Lowering& lowering, const Step& step, const dockerfile::Instruction*& previous) {
  if (previous != nullptr) {
    warn(lowering, *step.instruction, previous->range, "MultipleInstructionsDisallowed",
         fmt::format(
             "Multiple {} instructions should not be used in the same stage because only the last one will be used",
             step.instruction->keyword));
  }
  previous = step.instruction;
}

void check_secret_name(Lowering& lowering, const Stage& stage, const Step& step, std::string_view instruction,
                       std::string_view name) {
  if (!looks_secret(name)) return;
  warn(lowering, stage, step, "SecretsUsedInArgOrEnv",
       fmt::format("Do not use ARG or ENV instructions for sensitive data ({} {})", instruction, go_quote(name)));
}

void check_key_value_format(Lowering& lowering, const Stage& stage, const Step& step, bool legacy) {
  if (!legacy) return;
  warn(lowering, stage, step, "LegacyKeyValueFormat",
       fmt::format("\"{0} key=value\" should be used instead of legacy \"{0} key value\" format",
                   step.instruction->keyword));
}

void check_ignored_source(Lowering& lowering, const Stage& stage, const Step& step, bool add, std::string_view source) {
  const IgnoreMatcher* matcher = main_ignore_matcher(lowering.shared);
  // With "!" patterns an excluded directory may still have wanted files in it.
  if (matcher == nullptr || matcher->has_exceptions()) return;
  const std::string path = clean_path(source);
  const bool is_root = path == "." || path == "/";
  const bool ignored = is_root ? ignores_all(lowering.shared.ignore_patterns) : ignores_path(*matcher, path);
  if (!ignored) return;
  warn(lowering, stage, step, "CopyIgnoredFile",
       fmt::format("Attempting to {} file {} that is excluded by .dockerignore", add ? "Add" : "Copy", go_quote(path)));
}

void check_expose_protocol(Lowering& lowering, const Stage& stage, const Step& step, std::string_view port,
                           std::string_view protocol) {
  if (protocol == to_lower(protocol)) return;
  warn(lowering, stage, step, "ExposeProtoCasing",
       fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", port));
}

void check_expose_format(Lowering& lowering, const Stage& stage, const Step& step, std::string_view port) {
  warn(lowering, stage, step, "ExposeInvalidFormat",
       fmt::format("EXPOSE instruction should not define an IP address or host-port mapping, found '{}'", port));
}

void check_descriptions(Lowering& lowering) {
  const dockerfile::Dockerfile& file = lowering.shared.request.dockerfile;
  for (const dockerfile::Instruction& arg : file.global_args) check_arg_description(lowering, arg);
  for (const dockerfile::Stage& stage : file.stages) {
    const auto& from = std::get<dockerfile::FromInstruction>(stage.from.body);
    if (!from.name.empty()) check_description(lowering, stage.from, "FROM", {from.name});
    for (const dockerfile::Instruction& instruction : stage.instructions) check_arg_description(lowering, instruction);
  }
}

std::vector<dockerfile::Warning> merge_warnings(const std::vector<std::vector<dockerfile::Warning>>& platforms) {
  using Key = std::tuple<int, int, std::string, std::string>;
  std::map<Key, std::size_t> merged;  // how often a warning is in the result
  std::vector<dockerfile::Warning> result;
  for (const auto& warnings : platforms) {
    std::map<Key, std::size_t> seen;
    for (const dockerfile::Warning& warning : warnings) {
      const Key key{warning.range.first, warning.range.last, warning.rule, warning.message};
      if (++seen[key] <= merged[key]) continue;
      ++merged[key];
      result.push_back(warning);
    }
  }
  std::ranges::stable_sort(result, {}, [](const dockerfile::Warning& warning) { return warning.range.first; });
  return result;
}

}  // namespace mbuild::frontend::lowering
