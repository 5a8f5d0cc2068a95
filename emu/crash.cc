#include "emu/crash.h"

#include <algorithm>
#include <csignal>

#include "base/strings.h"

// There is nothing but QEMU's words to tell by: it takes the signals of the program and its own alike, and ends by the
// same. They are those of QEMU 7 to 11, and of the library by which it asserts. Other programs assert by that library,
// too, so the line has to name one of QEMU's own directories.
namespace mbuild::emu {
namespace {

constexpr std::size_t k_longest = 1024;  // of a line that is kept

constexpr std::string_view k_directories[] = {"accel/", "linux-user/", "tcg/",  "target/", "fpu/",
                                              "qom/",   "hw/core/",    "util/", "plugins/"};

bool names_own_file(std::string_view text) {
  if (!text.starts_with("../")) return false;
  while (text.starts_with("../")) text.remove_prefix(3);
  return std::ranges::any_of(k_directories, [&](std::string_view directory) { return text.starts_with(directory); });
}

// "ERROR:../../tcg/tcg.c:12:f: assertion failed: (x)", and "qemu-arm-static: ../../tcg/tcg.c:12: f: Assertion `x' ...".
bool is_assertion(std::string_view line) {
  constexpr std::string_view k_error = "ERROR:", k_bail = "Bail out! ";
  if (line.starts_with(k_bail)) line.remove_prefix(k_bail.size());
  if (line.starts_with(k_error)) return names_own_file(line.substr(k_error.size()));
  const auto colon = line.find(": ");
  return line.starts_with("qemu-") && colon != line.npos && names_own_file(line.substr(colon + 2)) &&
         line.find("Assertion `") != line.npos;
}

bool is_fault(std::string_view line) {
  return line.starts_with("QEMU internal SIG") || line.starts_with("qemu: unhandled CPU exception") ||
         line.starts_with("qemu: fatal: ") || is_assertion(line);
}

}  // namespace

bool is_fault_signal(int signal) {
  constexpr int k_signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
  return std::ranges::find(k_signals, signal) != std::end(k_signals);
}

void CrashWatch::read(int stream, std::string_view part) {
  auto& begun = begun_[stream == 1 ? 0 : 1];
  for (auto end = part.find('\n'); end != part.npos; end = part.find('\n')) {
    if (begun.empty()) {
      read_line(part.substr(0, end));
    } else {
      begun += part.substr(0, std::min(end, k_longest));
      read_line(begun);
      begun.clear();
    }
    part.remove_prefix(end + 1);
  }
  if (begun.size() < k_longest) begun += part.substr(0, k_longest);
}

void CrashWatch::read_line(std::string_view line) {
  line = trim(line.substr(0, k_longest));
  if (line.starts_with("qemu: uncaught target signal")) program_signalled_ = true;
  if (fault_.empty() && is_fault(line)) fault_ = line;
}

}  // namespace mbuild::emu
