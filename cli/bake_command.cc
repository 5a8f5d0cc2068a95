#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "bake/requests.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "cli/bake_flags.h"
#include "cli/bake_plan.h"
#include "cli/call.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/display/progress.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/docker_flags.h"
#include "cli/metadata.h"
#include "cli/session.h"
#include "cli/told_build.h"
#include "executor/build.h"

namespace mbuild::cli {
namespace {

using Requests = std::vector<executor::TargetRequest>;

// What a target asks for instead of a build.
Call call_of(const bake::Target& target, const Call& asked) {
  const auto* text = bake::text_of(target, bake::Attribute::call);
  auto call = text == nullptr ? Call() : parse_call(*text);
  call.json = call.json || asked.json;
  call.ignores_status = call.ignores_status || asked.ignores_status;
  return call;
}

// The answers for all targets that have a call; none where all are to be built.
std::optional<int> answer_calls(const BakePlan& plan, const Call& asked, const executor::SessionRequest& session,
                                std::stop_token stop) {
  std::optional<int> status;
  for (const auto& request : plan.requests) {
    const auto& target = plan.selection.targets.at(request.name);
    const auto call = call_of(target, asked);
    if (call.name == "build") continue;
    executor::BuildRequest one;
    static_cast<executor::SessionRequest&>(one) = session;
    static_cast<executor::TargetRequest&>(one) = request;
    if (!call.json) print("{}{}\n", status ? "\n" : "", request.name);
    if (const auto* description = bake::text_of(target, bake::Attribute::description); description && !call.json)
      print("{}\n", *description);
    if (!call.json) print("\n");
    const int own = answer_call(call, one, stop);
    if (!status || *status == 0) status = own;
  }
  return status;
}

// As `mbuild build` does: a name that is given to an image is not thrown away with it.
void keep_named(const bake::Selection& selection, const executor::SessionRequest& session, Requests& requests,
                const std::stop_token& stop) {
  std::vector<std::string> kept, lost;
  const bool behind_docker = is_behind_docker(session, stop);
  for (auto& request : requests) {
    if (!request.outputs.empty() || selection.linked.contains(request.name)) continue;
    if (behind_docker && load_as_docker_does(request)) continue;
    (request.tags.empty() ? lost : kept).push_back(request.name);
    if (!request.tags.empty()) request.outputs.push_back(executor::default_output(executor::OutputType::image));
  }
  if (!kept.empty()) {
    say("No output is asked for: kept in the store (`mbuild images`): {}; --push, --load or output send them on.\n",
        join_some(kept));
  }
  if (!lost.empty()) {
    say("WARNING: no output is asked for: the result stays in the cache: {}. tags, output, --push or --load keep "
        "one.\n",
        join_some(lost));
  }
}

std::vector<TargetResult> paired(const Requests& requests, const std::vector<executor::BuildResult>& results) {
  std::vector<TargetResult> all;
  for (std::size_t i = 0; i < std::min(requests.size(), results.size()); ++i) all.push_back({requests[i], results[i]});
  return all;
}

int build(const BakeFlags& flags, BakePlan plan, const executor::SessionRequest& session, std::stop_token stop) {
  if (const auto status = answer_calls(plan, asked_call(flags), session, stop)) return *status;
  print_bake_warnings(bake::unsupported(plan.selection));
  keep_named(plan.selection, session, plan.requests, stop);
  if (plan.requests.empty()) return 0;
  std::vector<executor::BuildResult> results;
  const auto targets = [&] { return paired(plan.requests, results); };
  const ToldBuild told{
      .mode = progress_mode(flags.progress, false),
      .explain = flags.explain,
      .record = record_request(session, plan.requests, flags.report, flags.profile),
      .build = [&](auto& sink) { executor::run_builds(session, plan.requests, sink, stop, results); },
      .targets = targets,
  };
  const int status = run_and_tell(told);
  if (!flags.metadata_file.empty() && (status == 0 || flags.keep_going))
    write_output(flags.metadata_file, metadata_json(targets()));
  return status;
}

executor::SessionRequest session_of(const BakeFlags& flags) {
  auto session = session_request(flags.root, flags.allow_less_isolation);
  session.keep_going = flags.keep_going;
  session.steps_at_once = flags.jobs;
  session.explain = flags.explain;
  return session;
}

int run_bake_command(const BakeFlags& flags) {
  use_huge_pages();
  const CancelOnSignal cancel;
  std::optional<BakePlan> plan;
  executor::SessionRequest session;
  try {
    progress_mode(flags.progress, false);  // wrong even where nothing is built
    session = session_of(flags);
    plan = plan_bake(flags, session, cancel.token());
  } catch (Error& error) {  // as others have it: whatever is wrong with a definition is status 1
    if (error.exit_class == ExitClass::usage || error.exit_class == ExitClass::store)
      error.exit_class = ExitClass::step_failed;
    throw;
  }
  return plan ? build(flags, std::move(*plan), session, cancel.token()) : 0;
}

}  // namespace

void add_bake_command(Command& top) {
  auto flags = std::make_shared<BakeFlags>();
  Command bake = top.add("bake", "Build what a definition file says", "f");
  add_bake_flags(bake, *flags);
  bake.run([flags] { return run_bake_command(*flags); });
}

}  // namespace mbuild::cli
