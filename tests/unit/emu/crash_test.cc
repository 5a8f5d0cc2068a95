#include "emu/crash.h"

#include <csignal>

#include "tests/catch.h"

using namespace mbuild::emu;

namespace {

std::string fault_in(std::string_view line) {
  CrashWatch watch;
  watch.read(2, "checking for x... yes\n");
  watch.read(2, line);
  watch.read(2, "\nmore\n");
  return watch.fault();
}

}  // namespace

TEST_CASE("what QEMU says of a fault of its own is found") {
  for (const std::string_view line :
       {"QEMU internal SIGSEGV {code=MAPERR, addr=0x20}", "qemu: unhandled CPU exception 0x5 - aborting",
        "qemu: fatal: Lockup", "ERROR:../../accel/tcg/cpu-exec.c:954:cpu_exec: assertion failed: (cpu == current_cpu)",
        "Bail out! ERROR:../accel/tcg/cpu-exec.c:954:cpu_exec: code should not be reached",
        "qemu-aarch64-static: ../../tcg/tcg.c:123: tcg_out: Assertion `x' failed."}) {
    INFO(line);
    CHECK(fault_in(line) == line);
  }
}

TEST_CASE("what programs say, and what QEMU says of them, is no fault of its own") {
  for (const std::string_view line :
       {"qemu: uncaught target signal 11 (Segmentation fault) - core dumped", "Segmentation fault",
        "ERROR:../src/main.c:12:main: assertion failed: (x)", "app: ../src/app.c:3: f: Assertion `x' failed.",
        "error: QEMU internal SIGSEGV", "qemu-img: ../../src/x.c:1: f: Assertion `x' failed.", ""}) {
    INFO(line);
    CHECK(fault_in(line).empty());
  }
}

TEST_CASE("lines are found however they are cut, each stream by itself") {
  CrashWatch watch;
  watch.read(1, "QEMU inter");
  watch.read(2, "qemu: uncaught target ");
  watch.read(1, "nal SIGBUS {code=1}");
  watch.read(2, "signal 6 (Aborted) - core dumped\n");
  CHECK(watch.fault().empty());
  CHECK(watch.program_signalled());
  watch.read(1, "\n");
  CHECK(watch.fault() == "QEMU internal SIGBUS {code=1}");
  watch.read(2, "QEMU internal SIGSEGV {}\n");
  CHECK(watch.fault() == "QEMU internal SIGBUS {code=1}");
}

TEST_CASE("the signals of what went wrong") {
  CHECK(is_fault_signal(SIGSEGV));
  CHECK(is_fault_signal(SIGABRT));
  CHECK_FALSE(is_fault_signal(SIGKILL));
  CHECK_FALSE(is_fault_signal(0));
}
