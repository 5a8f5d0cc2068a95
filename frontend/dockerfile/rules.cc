#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/text.h"

// The register of rules, and what decides whether a hit is reported.
namespace mbuild::frontend::dockerfile {
namespace {

#define MBUILD_RULE_PAGE(page) "https://docs.docker.com/go/dockerfile/rule/" page "/"

constexpr std::array<Rule, 22> k_rules = {{
    {"StageNameCasing", "Stage names should be lowercase", MBUILD_RULE_PAGE("stage-name-casing")},
    {"FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword",
     MBUILD_RULE_PAGE("from-as-casing")},
    {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release",
     MBUILD_RULE_PAGE("no-empty-continuation")},
    {"ConsistentInstructionCasing",
     "All commands within the Dockerfile should use the same casing (either upper or lower)",
     MBUILD_RULE_PAGE("consistent-instruction-casing")},
    {"DuplicateStageName", "Stage names should be unique", MBUILD_RULE_PAGE("duplicate-stage-name")},
    {"ReservedStageName", "Reserved words should not be used as stage names", MBUILD_RULE_PAGE("reserved-stage-name")},
    {"JSONArgsRecommended",
     "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
     MBUILD_RULE_PAGE("json-args-recommended")},
    {"MaintainerDeprecated", "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
     MBUILD_RULE_PAGE("maintainer-deprecated")},
    {"UndefinedArgInFrom", "FROM command must use declared ARGs", MBUILD_RULE_PAGE("undefined-arg-in-from")},
    {"WorkdirRelativePath",
     "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base "
     "image changes",
     MBUILD_RULE_PAGE("workdir-relative-path")},
    {"UndefinedVar", "Variables should be defined before their use", MBUILD_RULE_PAGE("undefined-var")},
    {"MultipleInstructionsDisallowed", "Multiple instructions of the same type should not be used in the same stage",
     MBUILD_RULE_PAGE("multiple-instructions-disallowed")},
    {"LegacyKeyValueFormat", "Legacy key/value format with whitespace separator should not be used",
     MBUILD_RULE_PAGE("legacy-key-value-format")},
    {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform", ""},
    {"RedundantTargetPlatform",
     "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
     MBUILD_RULE_PAGE("redundant-target-platform")},
    {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands",
     MBUILD_RULE_PAGE("secrets-used-in-arg-or-env")},
    {"InvalidDefaultArgInFrom", "Default value for global ARG results in an empty or invalid base image name",
     MBUILD_RULE_PAGE("invalid-default-arg-in-from")},
    {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value",
     MBUILD_RULE_PAGE("from-platform-flag-const-disallowed")},
    {"CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore",
     MBUILD_RULE_PAGE("copy-ignored-file")},
    {"InvalidDefinitionDescription",
     "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not "
     "intended to be a description comment, add an empty line or comment between the instruction and the comment.",
     MBUILD_RULE_PAGE("invalid-definition-description"), true},
    {"ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase",
     MBUILD_RULE_PAGE("expose-proto-casing")},
    {"ExposeInvalidFormat",
     "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future "
     "release",
     MBUILD_RULE_PAGE("expose-invalid-format")},
}};

#undef MBUILD_RULE_PAGE

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::vector<std::string> names_of(std::string_view list) {
  std::vector<std::string> out;
  for (const auto& name : split(list, ',')) out.emplace_back(trim(name));
  return out;
}

// Of several lists the last counts; "all" stays.
void take_rules(std::string_view value, bool& all, std::vector<std::string>& names) {
  if (value == "all") {
    all = true;
  } else {
    names = names_of(value);
  }
}

bool error_value(std::string_view option, std::string_view value) {
  if (const auto word = bool_word(value)) return *word;
  throw Error(ExitClass::usage, fmt::format("failed to parse check option {}: invalid syntax", quote(option)));
}

void take_option(std::string_view option, CheckOptions& out) {
  const auto equals = option.find('=');
  if (equals == std::string_view::npos) {
    throw Error(ExitClass::usage, fmt::format("invalid check option {}", quote(option)));
  }
  const auto key = trim(option.substr(0, equals));
  const auto value = trim(option.substr(equals + 1));
  if (key == "skip") {
    take_rules(value, out.skip_all, out.skip);
  } else if (key == "experimental") {
    take_rules(value, out.experimental_all, out.experimental);
  } else if (key == "error") {
    out.error = error_value(option, value);
  } else {
    throw Error(ExitClass::usage, fmt::format("invalid check option {}", quote(key)));
  }
}

}  // namespace

std::span<const Rule> rules() { return k_rules; }

const Rule& rule(std::string_view name) {
  const auto found = std::ranges::find(k_rules, name, &Rule::name);
  if (found == k_rules.end()) throw Error(ExitClass::internal, fmt::format("there is no build check named {}", name));
  return *found;
}

Warning make_warning(std::string_view rule_name, std::string message, Range range) {
  const auto& found = rule(rule_name);
  return {std::string(found.name), std::string(found.description), std::string(found.url), std::move(message), range};
}

bool is_enabled(const Rule& rule, const CheckOptions& options, std::span<const std::string> skip) {
  if (rule.experimental) return options.experimental_all || contains(options.experimental, rule.name);
  return !options.skip_all && !contains(options.skip, rule.name) && !contains(skip, "all") &&
         !contains(skip, rule.name);
}

void add_warning(std::vector<Warning>& warnings, const CheckOptions& options, std::span<const std::string> skip,
                 std::string_view rule_name, std::string message, Range range) {
  if (!is_enabled(rule(rule_name), options, skip)) return;
  warnings.push_back(make_warning(rule_name, std::move(message), range));
}

CheckOptions parse_check_options(std::string_view text) {
  CheckOptions out;
  text = trim(text);
  if (text.empty()) return out;
  for (const auto& option : split(text, ';')) take_option(option, out);
  return out;
}

std::vector<std::string> skips_of_comments(std::span<const std::string> comments) {
  for (const auto& comment : comments) {
    const auto directive = parse_directive(comment);
    if (!directive || directive->name != "check") continue;
    try {
      const auto options = parse_check_options(directive->value.substr(0, directive->value.find(' ')));
      return options.skip_all ? std::vector<std::string>{"all"} : options.skip;
    } catch (const Error&) {
      return {};  // a comment that only looks like a directive
    }
  }
  return {};
}

std::string violation_message(std::span<const Warning> warnings) {
  std::set<std::string> names;
  for (const auto& warning : warnings) {
    if (!warning.rule.empty()) names.insert(warning.rule);
  }
  if (names.empty()) return "";
  const std::vector<std::string> sorted(names.begin(), names.end());
  return "lint violation found for rules: " + join(sorted, ", ");
}

}  // namespace mbuild::frontend::dockerfile
