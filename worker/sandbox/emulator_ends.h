#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

namespace mbuild::executor {

// How emulators end by a signal: they send it to themselves.
class EmulatorEnds {
 public:
  // `traced`: those that traced processes execute; any other is known by its name.
  explicit EmulatorEnds(const std::vector<Fd>& traced) : traced_(traced) {}

  // Of a process that is about to send itself a signal by which programs end, `process` its directory in a procfs:
  // where it is QEMU, the program is remembered. True where it does not handle the signal: it means to end by it.
  // Throws Error where it has gone.
  bool note(int process, int signal);
  // The program that ended last, "" where there is none.
  const std::string& last() const { return last_; }

 private:
  bool is_emulator(int process) const;

  const std::vector<Fd>& traced_;
  std::string last_;
};

}  // namespace mbuild::executor
