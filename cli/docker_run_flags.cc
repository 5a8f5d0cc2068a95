#include "cli/docker_run_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

enum class Answer { warning, refusal };

struct Unheld {
  const char* names;
  bool takes_value;
  const char* held;  // values that ask for what a container has in any case, between commas; one with "*" at its end
                     // begins like that
  Answer answer;
  const char* reason;
};

constexpr const char* k_own_kernel = "root of a container is never the host's";
constexpr const char* k_no_weights = "--memory, --cpus and --pids-limit are the limits that there are";

constexpr std::array k_unheld = {
    Unheld{"--privileged", false, "", Answer::refusal,
           "root of a container is never the host's; what is its own it may do with --cap-add ALL"},
    Unheld{"--device", true, "", Answer::refusal, "a container has no devices of the host's"},
    Unheld{"--device-cgroup-rule", true, "", Answer::refusal, "a container has no devices of the host's"},
    Unheld{"--gpus", true, "", Answer::refusal, "a container has no devices of the host's"},
    Unheld{"-a,--attach", true, "stdin,stdout,stderr,STDIN,STDOUT,STDERR", Answer::refusal,
           "it is stdin, stdout or stderr, and all are attended"},
    Unheld{"--pid", true, "", Answer::refusal, "a container has its own processes"},
    Unheld{"--ipc", true, "private,shareable", Answer::refusal, "a container has its own shared memory"},
    Unheld{"--uts", true, "", Answer::refusal, "a container has its own host name (--hostname)"},
    Unheld{"--userns", true, "private,keep-id", Answer::refusal, k_own_kernel},
    Unheld{"--cgroupns", true, "private", Answer::warning, "a container sees its own control group"},
    Unheld{"--cgroup-parent", true, "", Answer::warning, "the group is below mbuild's own"},
    Unheld{"--security-opt", true,
           "label*,apparmor*,no-new-privileges,no-new-privileges:*,no-new-privileges=*,seccomp=builtin",
           Answer::refusal, "there is one filter of system calls, for all containers"},
    Unheld{"--sysctl", true, "", Answer::refusal, "settings of the kernel are those of a new namespace"},
    Unheld{"--link", true, "", Answer::refusal,
           "containers reach each other by name in a network (mbuild network create, --network)"},
    Unheld{"--ip", true, "", Answer::refusal, "addresses are chosen; containers reach each other by name"},
    Unheld{"--ip6", true, "", Answer::refusal, "addresses are chosen; containers reach each other by name"},
    Unheld{"--mac-address", true, "", Answer::warning, "addresses are chosen"},
    Unheld{"--log-driver", true, "json-file", Answer::warning, "the log is kept as json-file does it"},
    Unheld{"--log-opt", true, "", Answer::warning, "the log is kept as a whole"},
    Unheld{"--runtime", true, "", Answer::refusal, "mbuild is its own runtime"},
    Unheld{"--isolation", true, "default", Answer::warning, "there is one way in which containers are kept apart"},
    Unheld{"--storage-opt", true, "", Answer::warning, "a container may write what the disk holds"},
    Unheld{"--volume-driver", true, "local", Answer::refusal, "volumes are directories of the store"},
    Unheld{"--disable-content-trust", false, "", Answer::warning, "digests are checked, signatures are not"},
    Unheld{"--memory-swap", true, "", Answer::warning, k_no_weights},
    Unheld{"--memory-reservation", true, "", Answer::warning, k_no_weights},
    Unheld{"--memory-swappiness", true, "", Answer::warning, k_no_weights},
    Unheld{"--kernel-memory", true, "", Answer::warning, k_no_weights},
    Unheld{"--oom-kill-disable", false, "", Answer::warning, k_no_weights},
    Unheld{"--oom-score-adj", true, "", Answer::warning, k_no_weights},
    Unheld{"--blkio-weight", true, "", Answer::warning, k_no_weights},
    Unheld{"-c,--cpu-shares", true, "", Answer::warning, k_no_weights},
    Unheld{"--cpu-period", true, "", Answer::warning, k_no_weights},
    Unheld{"--cpu-quota", true, "", Answer::warning, k_no_weights},
    Unheld{"--cpuset-cpus", true, "", Answer::warning, k_no_weights},
    Unheld{"--cpuset-mems", true, "", Answer::warning, k_no_weights},
};

bool is_held(const Unheld& flag, const std::string& value) {
  const auto means = [&](const std::string& held) {
    return held.ends_with('*') ? value.starts_with(held.substr(0, held.size() - 1)) : value == held;
  };
  return value.empty() || std::ranges::any_of(split(flag.held, ','), means);
}

void answer(const Unheld& flag, const std::string& value) {
  const std::string name(std::string_view(flag.names).substr(std::string_view(flag.names).find("--")));
  const std::string asked = flag.takes_value ? name + " " + value : name;
  if (flag.answer == Answer::warning) return say("WARNING: {} has no effect: {}.\n", asked, flag.reason);
  throw usage_error(fmt::format("{}: {}", asked, flag.reason))
      .with_advice("docs/security.md says what keeps a container in; leave the flag out to run it so.");
}

}  // namespace

void add_docker_run_flags(Command& command, DockerRunFlags& flags) {
  for (const auto& flag : k_unheld) {
    if (flag.takes_value) {
      command.values(flag.names, flags.values.emplace_back(), flag.reason, Presence::hidden);
    } else {
      command.flag(flag.names, flags.switches.emplace_back(), flag.reason);
    }
  }
}

void answer_docker_run_flags(const DockerRunFlags& flags) {
  auto values = flags.values.begin();
  auto switches = flags.switches.begin();
  for (const auto& flag : k_unheld) {
    if (!flag.takes_value) {
      if (switches++->value_or(false)) answer(flag, "");
      continue;
    }
    for (const auto& value : *values++) {
      if (!is_held(flag, value)) answer(flag, value);
    }
  }
}

bool asks_for_no_new_privileges(const DockerRunFlags& flags) {
  constexpr std::string_view k_name = "no-new-privileges";
  bool out = false;
  for (const auto& values : flags.values) {
    for (const auto& value : values) {
      if (value.starts_with(k_name)) out = !value.ends_with("false");
    }
  }
  return out;
}

}  // namespace mbuild::cli
