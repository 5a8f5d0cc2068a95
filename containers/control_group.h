#pragma once

#include <string>

#include "base/fd.h"
#include "containers/options.h"

// Limits of memory, processors and processes, by a control group (v2) of this process's own where the host lets it make
// one.
namespace mbuild::containers {

// What can't be kept here of the limits, as a whole sentence; "" where all can.
std::string unkept_limits(const Limits& limits);

class ControlGroup {
 public:
  ControlGroup() = default;
  // Goes back to where this process was, and removes the group.
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  // Puts this process, and so what it will start, into a group of its own with these limits. False where there are
  // none, or no group can be had.
  bool enter(const Limits& limits, const std::string& id);
  // Another process, which may run already. False where it can't be had there.
  bool take_in(const Fd& process);
  // From now on what is started is the container's: the limit of processes counts.
  void now_started();

 private:
  std::string group_, before_;
  Limits limits_;
};

}  // namespace mbuild::containers
