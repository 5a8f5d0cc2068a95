#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::executor {

// One thing that mbuild would like the host to allow. `name` is stable: MBUILD_TEST_DISABLE takes it.
struct Probe {
  std::string name;   // "userns"; "" where there is nothing to be switched off
  std::string title;  // "user namespaces"
  bool ok = false;
  bool required = false;  // nothing can be run without it; else the next best way is taken
  std::string detail;     // what was found
  std::string remedy;     // the one command that helps; "" when ok
};

// True when MBUILD_TEST_DISABLE (a comma-separated list) names the host feature: userns, userns-ranges, overlay,
// lowerdir-plus, binfmt-ns, proc-mount, step-userns (a user namespace of its own for each RUN), root-map (the ids of
// images apart from the host's for real root), pasta, slirp4netns, tun.
bool feature_disabled(std::string_view name);

// Tries everything on this host; takes some 10 ms and leaves nothing behind. `directory` is on the file system of the
// store, exists and can be written.
std::vector<Probe> run_probes(const std::string& directory);

// False where user namespaces with mounts in them are not to be had. Cheap, but where there is reason for doubt: then a
// child tries.
bool may_have_namespaces();

// The command that allows user namespaces on this host, found from its sysctls; for error messages.
std::string userns_remedy();

// The error of a sandbox that the host does not isolate as it should, with what helps: the host's remedy, or to accept
// it, with what follows from that.
Error add_isolation_advice(Error error, std::string_view consequence);

// The part of run_probes that happens in a job of the inner process, which knows it by this name.
inline constexpr std::string_view k_probe_operation = "probe-host";
std::string run_probe_job(std::string_view directory, std::vector<Fd>& fds);

}  // namespace mbuild::executor
