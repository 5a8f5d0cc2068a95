#include "worker/sandbox/emulator_ends.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/strings.h"
#include "files/root_path.h"
#include "worker/native/process_status.h"

namespace mbuild::executor {

bool EmulatorEnds::is_emulator(int process) const {
  if (base_name(read_link(process, "exe")).starts_with("qemu-")) return true;
  struct stat program;
  if (::fstatat(process, "exe", &program, 0) < 0) return false;
  return std::ranges::any_of(traced_, [&](const Fd& fd) {
    struct stat emulator;
    return ::fstat(fd.get(), &emulator) == 0 && emulator.st_dev == program.st_dev && emulator.st_ino == program.st_ino;
  });
}

bool EmulatorEnds::note(int process, int signal) {
  if (!is_emulator(process)) return false;
  const auto words = split(read_all(open_at(process, "cmdline", O_RDONLY).get()), '\0');
  const std::size_t at = words.size() > 1 && words[1] == "-0" ? 3 : 1;  // behind -0 is the program's argv[0]
  if (words.size() > at) last_ = words[at];
  const std::string status = process_status(process);
  const auto handled = status_field(status, "SigCgt").value_or(~0ull) | status_field(status, "SigIgn").value_or(0);
  return (handled >> (signal - 1) & 1) == 0;
}

}  // namespace mbuild::executor
