#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/build_flags.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/failed_step_shell.h"
#include "cli/session.h"
#include "containers/run.h"
#include "containers/shelf.h"
#include "executor/api/secrets.h"
#include "executor/outputs/stored_images.h"
#include "history/past_builds.h"

namespace mbuild::cli {
namespace {

struct DebugFlags {
  std::string root, user, build;
  std::vector<std::string> secret, ssh;
  bool list = false, interactive = false, terminal = false, less_isolation = false;
};

// What is typed behind "--".
std::vector<std::string> typed_command() {
  const auto typed = typed_words();
  const auto mark = std::ranges::find(typed, "--");
  if (mark == typed.end()) return {};
  if (mark + 1 == typed.end()) throw usage_error("no command follows --");
  return {mark + 1, typed.end()};
}

// By the id of the step itself, too, which --ls shows.
executor::FailedStep find_failed_step(const std::string& root, const std::string& word) {
  const auto store = executor::open_store(root);
  if (word.empty()) {
    auto kept = executor::failed_steps(store);
    if (!kept.empty()) return std::move(kept.front());
    throw usage_error("no failed step is kept in " + root)
        .with_advice(
            "The last five RUNs that failed are, for a day: build with --on-failure shell, or build again and then "
            "call mbuild debug.");
  }
  if (auto step = executor::read_failed_step(store, word)) return std::move(*step);
  const auto build = history::find_build(root, word);
  const auto& end = build.record.end;
  if (!end || !end->failure) {
    throw usage_error(fmt::format("the build {} did not fail", build.record.beginning.id))
        .with_advice("mbuild history ls lists the builds, mbuild debug --ls the failed steps that are kept.");
  }
  for (const auto& outcome : end->outcomes) {
    if (auto step = executor::read_failed_step(store, outcome.failed_step)) return std::move(*step);
  }
  throw usage_error(fmt::format("the failed step of the build {} is not kept", build.record.beginning.id))
      .with_advice(fmt::format("Build again: cd {} && mbuild {} --on-failure shell", build.record.beginning.directory,
                               join(build.record.beginning.command, " ")));
}

int list_failed_steps(const std::string& root) {
  const auto now = unix_seconds();
  print("{:<14} {:<22} {}\n", "ID", "FAILED", "STEP");
  for (const auto& step : executor::failed_steps(executor::open_store(root))) {
    print("{:<14} {:<22} {}\n", step.id, containers::ago(now - step.failed / 1000) + " ago",
          clean_line(clip_text(step.name, 100)));
  }
  return 0;
}

int run_debug(const DebugFlags& flags) {
  const auto session = session_request(flags.root, flags.less_isolation);
  if (flags.list) return list_failed_steps(session.store_root);
  containers::Visit visit{.argv = typed_command(), .user = {}, .terminal_type = {}, .given = {}};
  if (!flags.user.empty()) visit.user = flags.user;
  for (const auto& text : flags.secret) visit.given.secrets.push_back(parse_secret(text));
  for (const auto& text : flags.ssh) visit.given.ssh.push_back(with_own_agent(parse_ssh(text)));
  executor::check_secrets(visit.given);
  visit.terminal = flags.terminal || (visit.argv.empty() && has_terminal());
  visit.open_stdin = flags.interactive || visit.argv.empty();
  const auto step = find_failed_step(session.store_root, flags.build);
  try {
    return visit_from_here(session, step, std::move(visit));
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::step_failed) throw;
    print_error(error);
    return containers::status_of(error);
  }
}

}  // namespace

std::vector<std::string> without_command_of_debug(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "debug") words.erase(std::ranges::find(words, "--"), words.end());
  return words;
}

void add_debug_command(Command& top) {
  auto flags = std::make_shared<DebugFlags>();
  Command debug = top.add("debug", "Open a shell, or run a command (-- COMMAND...), where a RUN failed");
  debug.examples({{"mbuild debug", "Open a shell where the last RUN failed, in what it had written until then."},
                  {"mbuild debug -- cat /tmp/config.log", "Run one command there."}});
  debug.value("build=BUILD", flags->build, "Of this build: as in mbuild history, or an id of --ls (default: the last)");
  debug.flag("--ls", flags->list, "List the failed steps that are kept");
  debug.values("--secret=SPEC", flags->secret, "A secret that the step had (as of build); none is kept");
  debug.values("--ssh=SPEC", flags->ssh, "An agent that the step had");
  debug.value("-u,--user=USER", flags->user, "Another user than the step's");
  debug.flag("-i,--interactive", flags->interactive, "Pass standard input to the command");
  debug.flag("-t,--tty", flags->terminal, "Give the command a terminal");
  debug.flag("--allow-less-isolation", flags->less_isolation, "As of build");
  add_root_option(debug, flags->root);
  debug.run([flags] { return run_debug(*flags); });
}

}  // namespace mbuild::cli
