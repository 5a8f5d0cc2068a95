#include <fmt/format.h>

#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"

// The names of steps, as BuildKit shows them: "[linux/arm64 builder 2/5] RUN make".
namespace mbuild::frontend::lowering {
namespace {

std::string upper_keyword(std::string text) {
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  return to_upper(text.substr(0, end)) + text.substr(end);
}

// The platform that a stage compiles for, as its TARGET arguments say; the stage's own where they are silent.
platforms::Platform compile_target(const Variables& variables, const platforms::Platform& own) {
  const auto value = [&](const char* name, const std::string& otherwise) {
    const std::string* found = variables.find(name);
    return found == nullptr || found->empty() ? otherwise : *found;
  };
  if (const std::string* whole = variables.find("TARGETPLATFORM")) {
    try {
      return platforms::parse_platform(*whole);
    } catch (const Error&) {
      return own;
    }
  }
  if (variables.find("TARGETOS") == nullptr && variables.find("TARGETARCH") == nullptr) return own;
  platforms::Platform platform = own;
  platform.os = value("TARGETOS", own.os);
  platform.arch = value("TARGETARCH", own.arch);
  platform.variant = value("TARGETVARIANT", platform.arch == own.arch ? own.variant : "");
  return platforms::normalise(platform);
}

// "->arm64" where a stage compiles for another platform than it runs on.
std::string cross_suffix(const Variables& variables, const platforms::Platform& own) {
  const platforms::Platform target = compile_target(variables, own);
  if (target.os != own.os) return "->" + platforms::to_string(target);
  if (target.arch == own.arch) return "";
  return "->" + target.arch + (target.variant.empty() ? "" : "/" + target.variant);
}

// "[linux/arm64->amd64 builder 2/5] "; counts the step.
std::string bracket(const Lowering& lowering, Stage& stage, bool is_base) {
  std::string text = "[";
  if (const auto& label = lowering.shared.request.label; !label.empty()) text += label + " ";
  if (lowering.shared.request.multi_platform) {
    text += platforms::to_string(*stage.platform);
    if (!is_base) text += cross_suffix(stage.state.env, *stage.platform);
    text += ' ';
  }
  if (!stage.label.empty()) text += stage.label + " ";
  ++stage.step_index;
  const std::size_t width = fmt::formatted_size("{}", stage.step_count);
  return text + fmt::format("{:>{}}/{}] ", stage.step_index, width, stage.step_count);
}

}  // namespace

bool is_counted(const dockerfile::Instruction& instruction) {
  return std::holds_alternative<dockerfile::RunInstruction>(instruction.body) ||
         std::holds_alternative<dockerfile::CopyInstruction>(instruction.body) ||
         std::holds_alternative<dockerfile::WorkdirInstruction>(instruction.body);
}

graph::NodeInfo step_info(const Lowering& lowering, Stage& stage, const Step& step, std::string text) {
  const dockerfile::Range range = step_range(stage, step);
  graph::NodeInfo info;
  info.instruction = step.on_build ? "ONBUILD " + text : std::move(text);
  info.name = bracket(lowering, stage, false) + info.instruction;
  info.first_line = range.first;
  info.last_line = range.last;
  info.stage = stage.label;
  info.ignore_cache = stage.ignore_cache;
  return info;
}

graph::NodeInfo base_info(const Lowering& lowering, Stage& stage, std::string_view reference) {
  graph::NodeInfo info;
  info.instruction = fmt::format("FROM {}", reference);
  info.first_line = stage.range.first;
  info.last_line = stage.range.last;
  info.stage = stage.label;
  const bool named = stage.source != nullptr && stage.step_count > 0 && !stage.replaced;
  info.name = (named ? bracket(lowering, stage, true) : "") + info.instruction;
  return info;
}

graph::NodeInfo internal_info(std::string name, const Stage& stage) {
  graph::NodeInfo info;
  info.name = info.instruction = "[internal] " + std::move(name);
  info.stage = stage.label;
  return info;
}

std::string shown_text(const Lowering& lowering, const Stage& stage, const dockerfile::Instruction& instruction) {
  const char escape = lowering.shared.request.dockerfile.escape;
  const std::string text(trim(instruction.text));
  if (is_plain(text, escape)) return upper_keyword(text);
  try {
    return upper_keyword(dockerfile::expand(text, lookup_in(stage.state.env), {.escape = escape}).text);
  } catch (const Error&) {
    return upper_keyword(text);
  }
}

std::string shown_run_text(const Lowering& lowering, const Stage& stage, const dockerfile::Instruction& instruction,
                           const std::string& summary, const std::set<std::string>& secret_variables) {
  const std::string text = std::string(trim(instruction.text)) + summary;
  const char escape = lowering.shared.request.dockerfile.escape;
  if (is_plain(text, escape)) return upper_keyword(text);
  const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    if (secret_variables.contains(std::string(name))) return "****";
    return lookup_in(stage.state.env)(name);
  };
  const dockerfile::ExpandOptions options{.escape = escape, .keep_quotes = true, .skip_unset = true};
  try {
    return upper_keyword(dockerfile::expand(text, lookup, options).text);
  } catch (const Error&) {
    return upper_keyword(text);
  }
}

}  // namespace mbuild::frontend::lowering
