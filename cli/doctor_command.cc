#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/store_root.h"
#include "cli/display/terminal.h"
#include "worker/host_checks.h"

namespace mbuild::cli {
namespace {

// Exit status 5 (host) when something is missing without which nothing can be run.
int run_doctor(const std::string& root) {
  make_directories(root, 0700);
  int status = 0;
  for (const auto& check : executor::check_host(root, load_config().sandbox.allow_less_isolation)) {
    const char* verdict = check.ok ? "ok" : check.required ? "MISSING" : check.name.empty() ? "missing" : "fallback";
    print("{:<8} {:<36} {}\n", verdict, check.title, check.detail);
    if (!check.ok && !check.remedy.empty()) print("{:<8} {:<36} -> {}\n", "", "", check.remedy);
    if (!check.ok && check.required) status = static_cast<int>(ExitClass::host);
  }
  return status;
}

}  // namespace

void add_doctor_command(Command& top) {
  auto root = std::make_shared<std::string>();
  Command doctor = top.add("doctor", "Say what this host offers, and what to do about the rest");
  add_root_option(doctor, *root);
  doctor.run([root] { return run_doctor(store_root(*root)); });
}

}  // namespace mbuild::cli
