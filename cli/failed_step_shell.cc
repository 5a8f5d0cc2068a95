#include "cli/failed_step_shell.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clean_text.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/attended_terminal.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

std::string where_of(const executor::FailedStep& step) {
  std::string out = step.line > 0 ? fmt::format("line {} of the Dockerfile", step.line) : "";
  if (!step.task.platform) return out;
  out += fmt::format("{}for {}", out.empty() ? "" : ", ", platforms::to_string(*step.task.platform));
  return step.emulator.empty() ? out : fmt::format("{} by {}", out, step.emulator);
}

void say_where(const executor::FailedStep& step, const executor::TargetRequest& given) {
  say("--- {} ({}), as it was when it failed:\n", clean_line(step.name), where_of(step));
  say("    {}\n", clean_line(clip_text(step.failure, 1000)));
  const auto missing = containers::missing_secrets(step, given);
  if (!missing.empty()) say("    It had, and has not here: {}.\n", join(missing, ", "));
}

}  // namespace

bool has_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

std::string debug_command(const std::string& store_root_of_build) {
  if (store_root("") == store_root_of_build) return "mbuild debug";
  return "mbuild debug --root " + store_root_of_build;
}

int visit_from_here(const executor::SessionRequest& session, const executor::FailedStep& step,
                    containers::Visit visit) {
  say_where(step, visit.given);
  if (visit.argv.empty()) say("    What is changed here is dropped. `exit` goes back.\n");
  if (visit.terminal_type.empty()) visit.terminal_type = environment_variable("TERM");
  if (visit.terminal_type.empty()) visit.terminal_type = "xterm";
  return attend_from_here(visit.terminal, visit.open_stdin, [&](const containers::Streams& streams) {
    return containers::visit_failed_step(session, step, visit, streams);
  });
}

void visit_after_build(const executor::SessionRequest& session, const executor::TargetRequest& given,
                       const std::string& failed_step) {
  try {
    const auto step = executor::read_failed_step(executor::open_store(session.store_root), failed_step);
    if (!step) throw Error(ExitClass::store, "the failed step is no longer kept");
    visit_from_here(
        session, *step,
        {.argv = {}, .user = {}, .terminal = true, .open_stdin = true, .terminal_type = {}, .given = given});
  } catch (const Error& error) {
    print_error(error);
  }
}

}  // namespace mbuild::cli
