#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "worker/host_checks.h"

namespace mbuild::cli {
namespace {

using emu::Execution;
using emu::Support;

bool is_qemu(const Support& support) { return base_name(support.how->emulator_path).starts_with("qemu-"); }

// One word for programs.
const char* word_for(const Support& support) {
  if (!support.how) return "none";
  switch (support.how->kind) {
    case Execution::Kind::native:
      return "native";
    case Execution::Kind::compatible:
      return "compatible";
    case Execution::Kind::host_handler:
      return "handler";
    case Execution::Kind::qemu:
      break;
  }
  return "qemu";
}

std::string emulator_text(const Support& support) {
  const auto& path = support.how->emulator_path;
  std::string text = is_qemu(support) ? "QEMU " + support.version : support.version;
  if (!path.empty()) text += fmt::format("{}{}", text.empty() ? "" : ", ", path);
  if (is_qemu(support)) text += support.accelerated ? ", accelerated" : ", not accelerated";
  if (is_qemu(support) && !support.obstacle.empty()) text += ": " + support.obstacle;
  if (support.traced) text += ", each exec traced";
  return text;
}

// What people are told of the way.
std::string details(const Support& support) {
  if (!support.how) return "";
  switch (support.how->kind) {
    case Execution::Kind::native:
      return support.variants.empty() ? "" : "also " + join(support.variants, ", ");
    case Execution::Kind::compatible:
      return "the processor runs it as it stands";
    case Execution::Kind::host_handler: {
      const auto& name = support.how->handler;
      if (name.empty()) return "of the host, which does not list it";
      return fmt::format("{} of the host: {}", name, emulator_text(support));
    }
    case Execution::Kind::qemu:
      break;
  }
  return emulator_text(support);
}

std::string text_of(const std::vector<Support>& all) {
  std::string text = fmt::format("{:<16}  {:<10}  {}\n", "PLATFORM", "RUNS", "BY");
  for (const auto& support : all) {
    const auto line = fmt::format("{:<16}  {:<10}  {}", support.descriptor->name, word_for(support), details(support));
    text += fmt::format("{}\n", trim(line));
  }
  const auto lacking = std::ranges::find_if(all, [](const auto& support) { return !support.how; });
  if (lacking == all.end()) return text;
  return text + fmt::format("\n{}\n -> {}\n", lacking->problem, lacking->remedy);
}

nlohmann::ordered_json json_of(const Support& support) {
  nlohmann::ordered_json out = {{"platform", support.descriptor->name}, {"runs", word_for(support)}};
  if (!support.how) {
    out["problem"] = support.problem;
    out["remedy"] = support.remedy;
    return out;
  }
  if (!support.variants.empty()) out["variants"] = support.variants;
  if (!support.how->handler.empty()) out["handler"] = support.how->handler;
  if (!support.how->emulator_path.empty()) out["emulator"] = support.how->emulator_path;
  if (!support.version.empty()) out["version"] = support.version;
  if (support.how->kind == Execution::Kind::qemu || support.how->kind == Execution::Kind::host_handler) {
    out["accelerated"] = support.accelerated;
    if (!support.accelerated) out["obstacle"] = support.obstacle;
    if (support.traced) out["traced"] = true;
  }
  return out;
}

int list_platforms(const std::string& format) {
  if (format != "table" && format != "json") {
    throw usage_error(fmt::format("unknown format \"{}\"", format)).with_advice("Formats are table and json.");
  }
  const auto all = executor::survey_platforms();
  if (format == "table") {
    print("{}", text_of(all));
    return 0;
  }
  nlohmann::ordered_json json = {{"host", platforms::to_string(platforms::host_platform())},
                                 {"platforms", nlohmann::ordered_json::array()}};
  for (const auto& support : all) json["platforms"].push_back(json_of(support));
  print("{}\n", json_text(json));
  return 0;
}

}  // namespace

void add_platforms_command(Command& top) {
  auto format = std::make_shared<std::string>("table");
  Command platforms = top.add("platforms", "List the platforms whose programs run here, and how");
  platforms.value("--format=F", *format, "table or json");
  platforms.run([format] { return list_platforms(*format); });
}

}  // namespace mbuild::cli
