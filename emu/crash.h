#pragma once

#include <array>
#include <string>
#include <string_view>

namespace mbuild::emu {

// Reads what a step under QEMU writes, for what QEMU says when it ends by a fault of its own: an assertion that does
// not hold, an instruction that it has no answer to, a signal that came from its own code. What it says of a signal
// that ended the program it runs ("uncaught target signal") is something else.
class CrashWatch {
 public:
  // The next part of a stream, 1 or 2, cut anywhere.
  void read(int stream, std::string_view part);

  // The first line of QEMU's about a fault of its own; "" where there is none.
  const std::string& fault() const { return fault_; }
  // QEMU has told of a signal that ended a program.
  bool program_signalled() const { return program_signalled_; }

 private:
  void read_line(std::string_view line);

  std::array<std::string, 2> begun_;  // lines that have not ended
  std::string fault_;
  bool program_signalled_ = false;
};

// True for a signal by which a program ends that did something wrong.
bool is_fault_signal(int signal);

}  // namespace mbuild::emu
