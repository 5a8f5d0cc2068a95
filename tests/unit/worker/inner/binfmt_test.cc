#include "worker/inner/binfmt.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/subprocess.h"
#include "emu/binfmt.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/emu/elf_samples.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

using test::FileTree;

const platforms::Descriptor& arm64() { return *platforms::find_descriptor({"linux", "arm64", "", ""}); }

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string handler_text(const char* state, const char* flags, const std::string& magic, const std::string& mask) {
  return fmt::format("{}\ninterpreter /usr/bin/emulator\nflags: {}\noffset 0\nmagic {}\nmask {}\n", state, flags,
                     hex(magic), hex(mask));
}

}  // namespace

TEST_CASE("a host handler must be enabled, have flag F and match") {
  FileTree tree;
  const auto& d = arm64();
  tree.file("status", "enabled\n").file("register", "");
  tree.file("no-f", handler_text("enabled", "OC", d.binfmt_magic, d.binfmt_mask));
  tree.file("off", handler_text("disabled", "POCF", d.binfmt_magic, d.binfmt_mask));
  std::string other = d.binfmt_magic;
  other[18] = 1;
  tree.file("other", handler_text("enabled", "POCF", other, d.binfmt_mask));
  CHECK_FALSE(host_handler(d, tree.host_path("")));
  tree.file("right", handler_text("enabled", "OCF", d.binfmt_magic, d.binfmt_mask));
  CHECK(host_handler(d, tree.host_path("")) == "right");
  CHECK_FALSE(host_handler(d, tree.host_path("nowhere")));
}

TEST_CASE("without a private instance, a host handler and tracing the error names a command") {
  NEEDS(test::have_inner(), "an inner process");
  NEEDS(!host_handler(arm64()), "a host without a handler for arm64");
  ::setenv("MBUILD_TEST_DISABLE", "binfmt-ns,exec-trace", 1);
  try {
    provide_emulation(test::inner(), arm64(), "line");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::host);
    CHECK_THAT(error.advice, Catch::Contains("sudo apt-get install qemu-user-static"));
  }
  ::unsetenv("MBUILD_TEST_DISABLE");
}

TEST_CASE("a foreign program runs in a sandbox with the private instance") {
  const std::string emulator = find_program("qemu-aarch64-static");
  NEEDS(!emulator.empty() && platforms::host_platform() != arm64().platform,
        "a host that is not arm64, with qemu-aarch64-static");
  NEEDS(test::have_inner(), "an inner process");
  const auto own = Inner::start({.map = test::map_of_inner()});
  const std::string line = emu::registration_line(arm64(), emulator);
  NEEDS(provide_emulation(*own, arm64(), line) == EmulationWay::private_instance, "a private binfmt_misc");
  FileTree tree;
  NEEDS(test::make_busybox(tree, "base"), "a static busybox");
  tree.file("base/print", emu::samples::print_argv0_arm64(), 0755);
  CHECK(test::run(tree, test::shell(tree, "/print; echo"), "run", own.get()).output == "/print\n");
}

// Hidden, since no host has a foreign busybox: MBUILD_TEST_ARM64_BUSYBOX names one.
TEST_CASE("a foreign shell runs in a sandbox with the private instance", "[.arm64]") {
  const char* program = std::getenv("MBUILD_TEST_ARM64_BUSYBOX");
  const std::string emulator = find_program("qemu-aarch64-static");
  NEEDS(program != nullptr && !emulator.empty(), "an arm64 busybox and its emulator");
  NEEDS(test::have_inner(), "an inner process");
  auto own = Inner::start({.map = test::map_of_inner()});
  const std::string line = emu::registration_line(arm64(), emulator);
  NEEDS(provide_emulation(*own, arm64(), line) == EmulationWay::private_instance, "a private binfmt_misc");
  provide_emulation(*own, arm64(), line);  // again does no harm
  FileTree tree;
  REQUIRE(test::make_busybox(tree, "base"));
  std::filesystem::copy_file(program, tree.host_path("base/bin/busybox"),
                             std::filesystem::copy_options::overwrite_existing);
  const auto ran =
      test::run(tree, test::shell(tree, "uname -m; sh -c 'exec uname -s'; mknod /c c 1 3; ls /c"), "run", own.get());
  CHECK(ran.output == "aarch64\nLinux\n/c\n");
}

}  // namespace mbuild::executor
