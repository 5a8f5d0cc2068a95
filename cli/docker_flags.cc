#include "cli/docker_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "cli/build_flags.h"
#include "cli/config/docker_words.h"
#include "cli/display/terminal.h"
#include "executor/api/option_values.h"
#include "executor/outputs/load.h"

namespace mbuild::cli {
namespace {

struct Unused {
  const char* names;
  bool takes_value;
  bool changes_result;  // a warning, since something is not as it was asked for
  const char* reason;
};

constexpr const char* k_no_limits = "steps have no limits of their own";

constexpr std::array k_unused = {
    Unused{"-m,--memory", true, true, k_no_limits},
    Unused{"--memory-swap", true, true, k_no_limits},
    Unused{"-c,--cpu-shares", true, true, k_no_limits},
    Unused{"--cpu-period", true, true, k_no_limits},
    Unused{"--cpu-quota", true, true, k_no_limits},
    Unused{"--cpuset-cpus", true, true, k_no_limits},
    Unused{"--cpuset-mems", true, true, k_no_limits},
    Unused{"--resource", true, true, k_no_limits},
    Unused{"--isolation", true, true, "there is one way in which steps are kept apart"},
    Unused{"--security-opt", true, true, "a step asks for it by RUN --security=insecure"},
    Unused{"--invoke", true, true, "there is no debugger"},
    Unused{"--squash", false, true, "a stage that copies from another has one layer"},
    Unused{"--compress", false, false, "the context is read where it is"},
    Unused{"--rm", false, false, "no container is left behind"},
    Unused{"--force-rm", false, false, "no container is left behind"},
};

constexpr std::array k_global = {
    Unused{"--builder", true, false, "there is one builder, this program"},
    Unused{"-D,--debug", false, false, "errors tell all that is known in any case"},
};

std::string long_name(std::string_view names) { return std::string(names.substr(names.find("--"))); }

void add_unused(Command& command, const Unused& flag) {
  const auto note = [flag] {
    say("{}: {} has no effect: {}.\n", flag.changes_result ? "WARNING" : "NOTE", long_name(flag.names), flag.reason);
  };
  flag.takes_value ? command.unused_value(flag.names, note) : command.unused_flag(flag.names, note);
}

bool is_false(const std::string& text) {
  const auto value = to_lower(text);
  return value == "false" || value == "0" || value == "f";
}

bool is_disabled(const std::vector<std::string>& fields) {
  return std::ranges::any_of(fields, [](const auto& field) {
    return field.starts_with("disabled=") && !is_false(field.substr(std::string_view("disabled=").size()));
  });
}

// Of --attest: its type, and whether it is asked for.
std::pair<std::string, bool> parse_attest(const std::string& text) {
  const auto fields = split_csv(text);
  std::string type;
  for (const auto& field : fields) {
    const auto [key, value] = executor::parse_pair(field, "attestation");
    if (key == "type") type = value;
  }
  if (type != "provenance" && type != "sbom") {
    throw usage_error(fmt::format("invalid attestation \"{}\"", text))
        .with_advice("Types are provenance and sbom: --attest type=provenance,mode=max.");
  }
  return {type, !is_disabled(fields)};
}

bool is_asked(const std::string& value) { return !is_false(value) && !is_disabled(split_csv(value)); }

}  // namespace

void add_docker_flags(Command& build, DockerFlags& flags) {
  build.values("--attest", flags.attest, "Attestation (type=provenance | type=sbom); they are not made",
               Presence::hidden);
  build.values("--provenance", flags.provenance, "Same as --attest=type=provenance", Presence::hidden);
  build.values("--sbom", flags.sbom, "Same as --attest=type=sbom", Presence::hidden);
  build.values("--policy", flags.policy, "Policy in Rego; only disabled=true is taken", Presence::hidden);
  build.value("--cgroup-parent", flags.cgroup_parent, "Control group of RUN steps; it has no effect", Presence::hidden);
  for (const auto& flag : k_unused) add_unused(build, flag);
}

bool is_behind_docker(const executor::SessionRequest& session, const std::stop_token& stop) {
  return is_started_as_buildx() && executor::has_docker_engine(session.surroundings.docker_host, stop);
}

bool load_as_docker_does(executor::TargetRequest& request) {
  if (request.platforms.size() > 1) return false;
  request.outputs.push_back(executor::default_output(executor::OutputType::docker));
  request.outputs.back().load = true;
  return true;
}

void add_global_docker_flags(Command& command) {
  for (const auto& flag : k_global) add_unused(command, flag);
}

std::set<std::string> asked_attestations(const DockerFlags& flags) {
  std::map<std::string, bool> asked;
  for (const auto& text : flags.attest) {
    const auto [type, is] = parse_attest(text);
    asked[type] = is;
  }
  for (const auto& value : flags.provenance) asked["provenance"] = is_asked(value);
  for (const auto& value : flags.sbom) asked["sbom"] = is_asked(value);
  std::set<std::string> types;
  for (const auto& [type, is] : asked) {
    if (is) types.insert(type);
  }
  return types;
}

void check_docker_flags(const DockerFlags& flags) {
  asked_attestations(flags);
  for (const auto& text : flags.policy) {
    if (is_disabled(split_csv(text))) continue;
    throw usage_error(fmt::format("--policy {}: policies in Rego are not evaluated, and none is passed over", text))
        .with_advice(
            "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names a policy as JSON; --policy disabled=true builds "
            "without one.");
  }
}

void say_what_is_not_done(const DockerFlags& flags) {
  if (const auto types = asked_attestations(flags); !types.empty()) {
    const std::vector<std::string> names(types.begin(), types.end());
    say("WARNING: attestations are not made: the image has no {}.\n", join(names, " and no "));
  }
  if (!flags.cgroup_parent.empty()) say("WARNING: --cgroup-parent has no effect: {}.\n", k_no_limits);
}

}  // namespace mbuild::cli
