#include "emu/emulator.h"

#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"
#include "tests/unit/emu/elf_samples.h"
#include "tests/unit/platforms/samples.h"

using namespace mbuild;
using namespace mbuild::emu;
using mbuild::testing::k_amd64;
using mbuild::testing::k_arm64;
using mbuild::testing::mentions;

namespace {

namespace fs = std::filesystem;

// A host that exists in a directory only: its emulators and its binfmt_misc.
class Host {
 public:
  Host() : path_(fs::temp_directory_path() / "mbuild-test-XXXXXX") {
    REQUIRE(::mkdtemp(path_.data()));
    make_directories(path_ + "/bin");
    make_directories(path_ + "/binfmt");
    write_file_atomically(path_ + "/binfmt/status", "enabled\n");
  }
  ~Host() { fs::remove_all(path_); }

  void add_emulator(const std::string& name, const std::string& content) {
    write_file_atomically(bin(name), content);
    fs::permissions(bin(name), fs::perms(0755));
  }
  void add_handler(const std::string& name, const std::string& interpreter, const std::string& flags,
                   const std::string& state = "enabled") {
    write_file_atomically(path_ + "/binfmt/" + name, state + "\ninterpreter " + interpreter + "\nflags: " + flags +
                                                         "\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n"
                                                         "mask ffffffffffffff00fffffffffffffffffeffffff\n");
  }
  std::string bin(const std::string& name) const { return path_ + "/bin/" + name; }
  EmulatorSearch search() const { return {{path_ + "/bin"}, path_ + "/binfmt", true, false}; }

 private:
  std::string path_;
};

Error refusal(const platforms::Platform& step, const EmulatorSearch& search) {
  try {
    choose(step, k_amd64, search);
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return Error(ExitClass::internal, "");
}

}  // namespace

TEST_CASE("the host's own platform and its variants are native") {
  const Host host;
  CHECK(choose(k_amd64, k_amd64, host.search()).kind == Execution::Kind::native);
  CHECK(choose({"linux", "amd64", "v3", ""}, k_amd64, host.search()).kind == Execution::Kind::native);
  const platforms::Platform v7{"linux", "arm", "v7", ""};
  CHECK(choose({"linux", "arm", "v6", ""}, v7, host.search()).kind == Execution::Kind::native);
}

TEST_CASE("QEMU is taken from the first directory that has a usable one") {
  Host host;
  host.add_emulator("qemu-aarch64-static", samples::static_program("linux/amd64"));
  host.add_emulator("qemu-aarch64", samples::static_program("linux/amd64"));
  const Execution execution = choose(k_arm64, k_amd64, host.search());
  CHECK(execution.kind == Execution::Kind::qemu);
  CHECK(execution.emulator_path == host.bin("qemu-aarch64-static"));
  CHECK(describe(execution) == host.bin("qemu-aarch64-static"));
}

TEST_CASE("a dynamically linked emulator is passed over, and named when there is no other") {
  Host host;
  host.add_emulator("qemu-aarch64-static", samples::dynamic_program("linux/amd64", "/lib64/ld-linux-x86-64.so.2"));
  const Error error = refusal(k_arm64, host.search());
  CHECK(error.exit_class == ExitClass::host);
  CHECK(mentions(error.message, host.bin("qemu-aarch64-static") + " is dynamically linked"));
  host.add_emulator("qemu-aarch64", samples::static_program("linux/amd64"));
  CHECK(choose(k_arm64, k_amd64, host.search()).emulator_path == host.bin("qemu-aarch64"));
}

TEST_CASE("an emulator for another host or that is no program is passed over") {
  Host host;
  host.add_emulator("qemu-aarch64-static", samples::static_program("linux/s390x"));
  host.add_emulator("qemu-aarch64", "#!/bin/sh\n");
  const Error error = refusal(k_arm64, host.search());
  CHECK(mentions(error.message, "is a program for s390x"));
  CHECK(mentions(error.message, "is no ELF program"));
}

TEST_CASE("without an emulator the error names the package") {
  const Host host;
  const Error error = refusal(k_arm64, host.search());
  CHECK(mentions(error.message, "this linux/amd64 host has no emulator for linux/arm64"));
  CHECK(mentions(error.advice, "apt-get install qemu-user-static"));
  CHECK(mentions(error.advice, "qemu-aarch64-static into a directory that MBUILD_QEMU_DIR names"));
}

TEST_CASE("a platform without a descriptor cannot be run") {
  CHECK(
      mentions(refusal({"windows", "amd64", "", ""}, Host().search()).message, "windows/amd64 programs cannot be run"));
}

TEST_CASE("a handler of the host with flag F is preferred to QEMU") {
  Host host;
  host.add_emulator("qemu-aarch64-static", samples::static_program("linux/amd64"));
  host.add_handler("fast", "/opt/fast", "OCF");
  const Execution execution = choose(k_arm64, k_amd64, host.search());
  CHECK(execution.kind == Execution::Kind::host_handler);
  CHECK(describe(execution) == "host handler fast (/opt/fast)");
}

TEST_CASE("a handler that is switched off or needs its interpreter in the image does not serve") {
  Host host;
  host.add_handler("off", "/opt/fast", "F", "disabled");
  host.add_handler("unfixed", "/opt/fast", "POC");
  CHECK(mentions(refusal(k_arm64, host.search()).message, "has no emulator"));
}

TEST_CASE("the host's QEMU that loses argv[0] comes after one of our own") {
  Host host;
  host.add_handler("qemu-aarch64", "/usr/bin/qemu-aarch64-static", "F");
  CHECK(choose(k_arm64, k_amd64, host.search()).kind == Execution::Kind::host_handler);
  host.add_emulator("qemu-aarch64-static", samples::static_program("linux/amd64"));
  CHECK(choose(k_arm64, k_amd64, host.search()).kind == Execution::Kind::qemu);
}

TEST_CASE("where nothing can be registered only a handler helps") {
  Host host;
  host.add_emulator("qemu-aarch64-static", samples::static_program("linux/amd64"));
  EmulatorSearch search = host.search();
  search.private_registration = false;
  CHECK(mentions(refusal(k_arm64, search).message, "does not let mbuild register one"));
  host.add_handler("qemu-aarch64", "/usr/bin/qemu-aarch64-static", "F");
  CHECK(choose(k_arm64, k_amd64, search).kind == Execution::Kind::host_handler);
}

TEST_CASE("the trial runs the host's own platform") {
  const auto* host = platforms::find_descriptor(platforms::host_platform());
  if (host != nullptr) CHECK(can_execute(*host));
}

TEST_CASE("a compatible platform is found by a trial") {
  const Host host;
  EmulatorSearch search = host.search();
  search.trial = true;
  const auto& x86 = *platforms::find_descriptor(platforms::parse_platform("linux/386"));
  NEEDS(platforms::host_platform() == k_amd64 && can_execute(x86), "an amd64 host that runs 386 programs");
  CHECK(choose(x86.platform, k_amd64, search).kind == Execution::Kind::compatible);
}

TEST_CASE("the default search begins with MBUILD_QEMU_DIR") {
  ::setenv("MBUILD_QEMU_DIR", "/opt/emulators", 1);
  const EmulatorSearch search = default_search();
  ::unsetenv("MBUILD_QEMU_DIR");
  REQUIRE_FALSE(search.directories.empty());
  CHECK(search.directories.front() == "/opt/emulators");
  CHECK(search.handlers_directory == "/proc/sys/fs/binfmt_misc");
}

TEST_CASE("the version is the first line that the emulator prints") {
  Host host;
  host.add_emulator("qemu", "#!/bin/sh\necho 'qemu-test version 9.9'\necho Copyright\n");
  CHECK(emulator_version({Execution::Kind::qemu, host.bin("qemu"), ""}) == "qemu-test version 9.9");
  CHECK(emulator_version({Execution::Kind::qemu, host.bin("missing"), ""}).empty());
  CHECK(emulator_version({}).empty());
}

TEST_CASE("A record says what stood in for emulated programs") {
  for (const auto use : {NativeUse::none, NativeUse::programs, NativeUse::compilers}) {
    CHECK(native_use(with_native_use("qemu-aarch64 version 7.2", use)) == use);
  }
  CHECK(with_native_use("qemu", NativeUse::programs) == "qemu, with native programs");
}
