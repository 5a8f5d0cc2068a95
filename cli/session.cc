#include "cli/session.h"

#include "cli/config/config.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "executor/api/source_policy.h"

namespace mbuild::cli {

executor::SessionRequest session_request(const std::string& root, bool allow_less_isolation) {
  executor::SessionRequest session;
  session.surroundings = surroundings();
  session.store_root = store_root(root);
  const Config config = load_config();
  session.registries = config.registries;
  session.allow_less_isolation = allow_less_isolation || config.sandbox.allow_less_isolation;
  session.log_limits = log_limits(config);
  session.compiler_packs = config.emulation.packs;
  if (!session.compiler_packs.empty()) session.acceleration = executor::Acceleration::compilers;
  if (!config.emulation.accel.empty()) session.acceleration = executor::parse_acceleration(config.emulation.accel);
  session.source_policy = executor::load_source_policy(environment_variable("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"));
  return session;
}

RecordRequest record_request(const executor::BuildRequest& request, const std::string& report,
                             const std::string& profile) {
  return record_request(request, target_of(request), report, profile);
}

RecordRequest record_request(const executor::SessionRequest& session, std::span<const executor::TargetRequest> targets,
                             const std::string& report, const std::string& profile) {
  RecordRequest record{.store_root = session.store_root,
                       .directory = session.surroundings.directory,
                       .bounds = load_config().history,
                       .report = report,
                       .profile = profile,
                       .targets = {}};
  for (const auto& target : targets) record.targets.push_back(history::target_of(target));
  return record;
}

ProgressMode progress_mode(const std::string& flag, bool quiet) {
  if (quiet) return ProgressMode::quiet;
  if (!flag.empty()) return parse_progress_mode(flag);
  if (const auto value = environment_variable("BUILDKIT_PROGRESS"); !value.empty()) return parse_progress_mode(value);
  const auto configured = load_config().build.progress;
  return parse_progress_mode(configured.empty() ? "auto" : configured);
}

}  // namespace mbuild::cli
