#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mbuild::executor {

// One thing that mbuild would like the host to allow. `name` is stable: base/feature.h takes it.
struct Probe {
  std::string name;   // "userns"; "" where there is nothing to be switched off
  std::string title;  // "user namespaces"
  bool ok = false;
  bool required = false;  // no RUN without it; else the next best way is taken
  std::string detail;     // what was found
  std::string remedy;     // the one command that helps; "" when ok
};

// Tries everything on this host; takes some 10 ms and leaves nothing behind. `directory` is on the file system of the
// store, exists and can be written. `less_isolation`: as builds are allowed it.
std::vector<Probe> run_probes(const std::string& directory, bool less_isolation = false);

// The part of run_probes that happens in a job of the inner process, which knows it by this name.
inline constexpr std::string_view k_probe_operation = "probe-host";
std::string run_probe_job(std::string_view payload, std::vector<Fd>& fds);

}  // namespace mbuild::executor
