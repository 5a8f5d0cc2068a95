#include "cli/bake_plan.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "bake/grants.h"
#include "bake/overrides.h"
#include "bake/print.h"
#include "bake/read.h"
#include "bake/requests.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "cli/display/terminal.h"
#include "executor/sources/remote_context.h"

namespace mbuild::cli {
namespace {

bake::Outside outside_of(const BakeFlags& flags, const executor::Surroundings& around) {
  bake::Outside outside;
  outside.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  outside.read_input = around.read_input;
  outside.given = given_variables(flags);
  outside.directory = around.directory;
  outside.home = environment_variable("HOME");
  outside.platform = platforms::to_string(platforms::host_platform());
  return outside;
}

// The words of this process's command line, and how many come before the flags of bake.
std::pair<std::vector<std::string>, std::size_t> typed_command() {
  auto words = typed_words();
  if (!words.empty()) words.front() = base_name(words.front());
  const auto command = std::ranges::find_if(words, [](const auto& word) { return word == "bake" || word == "f"; });
  const auto before = static_cast<std::size_t>(command - words.begin());
  return {std::move(words), before + 1};
}

// Throws Error unless what the targets need is granted, by flags or by an answer on the terminal.
void check_privileges(const BakeFlags& flags, const bake::Selection& selection, const bake::Outside& outside) {
  const bool checks_files = bake::switch_of(outside, "BUILDX_BAKE_ENTITLEMENTS_FS", true) &&
                            !(outside.remote && bake::switch_of(outside, "BAKE_ALLOW_REMOTE_FS_ACCESS"));
  const auto granted = bake::parse_grants(flags.allow, outside);
  const auto missing = bake::missing_privileges(selection, granted, outside, checks_files);
  if (missing.empty()) return;
  auto [command, place] = typed_command();
  say("{}\n", bake::question(missing, outside, std::move(command), place));
  if (answers_yes("Do you want to grant requested privileges and continue? [y/N] ")) return;
  throw Error(ExitClass::step_failed, "additional privileges requested")
      .with_advice("Grant them with: " + join(bake::grant_flags(missing, outside), " "));
}

// The addresses that come before the targets, and the names of the targets.
struct Words {
  std::vector<std::string> addresses, targets;
};

Words words_of(const BakeFlags& flags) {
  Words words;
  for (const auto& word : flags.targets) {
    const bool may_be_address = words.targets.empty() && words.addresses.size() < 2;
    (may_be_address && executor::is_remote(word) ? words.addresses : words.targets).push_back(word);
  }
  if (words.targets.empty()) words.targets = {"default"};
  return words;
}

bake::ReadRequest read_request(const BakeFlags& flags, const bake::RemoteDefinition* remote) {
  bake::ReadRequest request{.files = flags.file, .root = ""};
  if (remote == nullptr) return request;
  request.root = remote->directory.path();
  if (!remote->file.empty()) request.files.insert(request.files.begin(), remote->file);
  const bool all_local = std::ranges::all_of(flags.file, [](const auto& name) { return name.starts_with("cwd://"); });
  if (remote->file.empty() && all_local && !flags.file.empty()) request.with_default_files = true;
  return request;
}

}  // namespace

void print_bake_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) say("WARNING: {}\n", warning);
}

std::optional<BakePlan> plan_bake(const BakeFlags& flags, const executor::SessionRequest& session,
                                  std::stop_token stop) {
  if (flags.print && !flags.list.empty()) throw usage_error("--print and --list are mutually exclusive");
  auto outside = outside_of(flags, session.surroundings);
  const auto overrides = override_texts(flags);
  bake::parse_grants(flags.allow, outside);
  std::optional<bake::ListRequest> list;
  if (!flags.list.empty()) list = bake::parse_list(flags.list);
  BakePlan plan;
  const auto words = words_of(flags);
  if (!words.addresses.empty()) {
    outside.remote = true;
    plan.remote = std::make_unique<bake::RemoteDefinition>(session, words.addresses[0], outside, stop);
    if (words.addresses.size() > 1) outside.command_context = words.addresses[1];
  }
  const auto definition = bake::read_definition(read_request(flags, plan.remote.get()), outside);
  print_bake_warnings(definition.warnings);
  if (list) {
    print_document(bake::print_list(definition, *list));
    return std::nullopt;
  }
  plan.selection =
      bake::select(definition, words.targets, bake::parse_overrides(overrides, definition, outside), outside);
  if (flags.print) {
    if (plan.remote) bake::show_remote_contexts(plan.remote->address, plan.selection);
    print_document(bake::print_selection(plan.selection));
    return std::nullopt;
  }
  check_privileges(flags, plan.selection, outside);
  if (plan.remote) bake::place_remote_contexts(plan.remote->directory.path(), plan.selection);
  plan.requests = bake::target_requests(plan.selection, outside);
  return plan;
}

}  // namespace mbuild::cli
