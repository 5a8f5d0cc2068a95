#pragma once

#include <string>
#include <vector>

#include "emu/survey.h"

namespace mbuild::executor {

// One thing that mbuild would like the host to allow. `name` is stable: base/feature.h takes it.
struct HostCheck {
  std::string name;   // "userns"; "" where there is nothing to be switched off
  std::string title;  // "user namespaces"
  bool ok = false;
  bool required = false;  // no RUN without it; else the next best way is taken
  std::string detail;     // what was found
  std::string remedy;     // the one command that helps; "" when ok
};

// Tries everything on this host; takes some 10 ms and leaves nothing behind. `directory` is on the file system of the
// store, exists and can be written. `less_isolation`: as builds are allowed it.
std::vector<HostCheck> check_host(const std::string& directory, bool less_isolation = false);

// How programs of each platform run here: as builds would have it. Throws Error (host) where no RUN can be had at all.
std::vector<emu::Support> survey_platforms();

}  // namespace mbuild::executor
