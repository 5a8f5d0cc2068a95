#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/store_root.h"
#include "cli/config/version.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "platforms/platform.h"
#include "worker/host_checks.h"

namespace mbuild::cli {
namespace {

const char* verdict_of(const executor::HostCheck& check) {
  return check.ok ? "ok" : check.required ? "MISSING" : check.name.empty() ? "missing" : "fallback";
}

bool is_missing(const executor::HostCheck& check) { return !check.ok && check.required; }

// The one thing to do next: what no RUN can do without comes first. None where all is well, or nothing helps.
const executor::HostCheck* next_of(const std::vector<executor::HostCheck>& checks) {
  const auto has_remedy = [](const auto& check) { return !check.ok && !check.remedy.empty(); };
  auto found = std::ranges::find_if(checks, [&](const auto& check) { return is_missing(check) && has_remedy(check); });
  if (found == checks.end()) found = std::ranges::find_if(checks, has_remedy);
  return found == checks.end() ? nullptr : &*found;
}

std::string text_of(const std::vector<executor::HostCheck>& checks) {
  std::string text;
  for (const auto& check : checks) {
    text += fmt::format("{:<8} {:<36} {}\n", verdict_of(check), check.title, check.detail);
    if (!check.ok && !check.remedy.empty()) text += fmt::format("{:<8} {:<36} -> {}\n", "", "", check.remedy);
  }
  if (const auto* next = next_of(checks)) {
    return text + fmt::format("\nNext ({}): {}\n", next->title, next->remedy);
  }
  return text + "\nNothing has to be done.\n";
}

std::string json_of(const std::vector<executor::HostCheck>& checks) {
  nlohmann::ordered_json json = {{"version", k_version},
                                 {"platform", platforms::to_string(platforms::host_platform())},
                                 {"canRun", std::ranges::none_of(checks, is_missing)}};
  if (const auto* next = next_of(checks)) json["next"] = {{"title", next->title}, {"remedy", next->remedy}};
  json["checks"] = nlohmann::ordered_json::array();
  for (const auto& check : checks) {
    nlohmann::ordered_json each = {{"name", check.name},
                                   {"title", check.title},
                                   {"ok", check.ok},
                                   {"required", check.required},
                                   {"detail", check.detail}};
    if (!check.remedy.empty()) each["remedy"] = check.remedy;
    json["checks"].push_back(std::move(each));
  }
  return json_text(json) + "\n";
}

// Exit status 5 (host) when something is missing without which nothing can be run.
int run_doctor(const std::string& root, const std::string& format) {
  if (format != "text" && format != "json") {
    throw usage_error(fmt::format("unknown format \"{}\"", format)).with_advice("Formats are text and json.");
  }
  make_directories(root, 0700);
  const auto checks = executor::check_host(root, load_config().sandbox.allow_less_isolation);
  print("{}", format == "json" ? json_of(checks) : text_of(checks));
  return std::ranges::any_of(checks, is_missing) ? static_cast<int>(ExitClass::host) : 0;
}

}  // namespace

void add_doctor_command(Command& top) {
  struct Flags {
    std::string root, format = "text";
  };
  auto flags = std::make_shared<Flags>();
  Command doctor = top.add("doctor", "Say what this host offers, and what to do about the rest");
  doctor.value("--format=F", flags->format, "text or json");
  add_root_option(doctor, flags->root);
  doctor.run([flags] { return run_doctor(store_root(flags->root), flags->format); });
}

}  // namespace mbuild::cli
