#pragma once

#include <set>
#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/selection.h"

// What a definition does beyond the working directory needs the user's word (--allow), since a definition may be
// somebody else's.
namespace mbuild::bake {

// What is needed, or granted. Paths are absolute, without links; "*" is any.
struct Privileges {
  std::set<std::string> read, write;
  std::set<std::string> devices;  // "" for all
  bool network_host = false;
  bool insecure = false;
  bool ssh = false;            // the user's agent
  bool delete_others = false;  // files of a destination that the result has not

  bool empty() const {
    return read.empty() && write.empty() && devices.empty() && !network_host && !insecure && !ssh && !delete_others;
  }
};

// The values of --allow; the working directory is always granted. Throws Error (usage).
Privileges parse_grants(const std::vector<std::string>& values, const Outside& outside);
// What the targets need that is not granted. `checks_files`: paths and the agent are asked for at all.
Privileges missing_privileges(const Selection& selection, const Privileges& granted, const Outside& outside,
                              bool checks_files);

// "--allow=fs.read=/usr/share" for each.
std::vector<std::string> grant_flags(const Privileges& privileges, const Outside& outside);
// What is asked for, how it is granted, and `command` (that the user typed) with the grants put in at `place`.
std::string question(const Privileges& privileges, const Outside& outside, std::vector<std::string> command,
                     std::size_t place);

}  // namespace mbuild::bake
