#include "emu/accel/inject.h"

#include <cstdlib>

#include "base/fd.h"
#include "emu/emulator.h"
#include "platforms/platform.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"

using namespace mbuild;
using mbuild::testing::TemporaryDirectory;

namespace {

std::string own_emulator() {
  const auto foreign =
      platforms::parse_platform(platforms::host_platform().arch == "arm64" ? "linux/amd64" : "linux/arm64");
  const auto execution = emu::choose_own(foreign, platforms::host_platform(), emu::default_search());
  return execution ? execution->emulator_path : "";
}

}  // namespace

TEST_CASE("an emulator with the piece at its entry does what it did", "[accel]") {
  const std::string emulator = own_emulator();
  NEEDS(!emulator.empty(), "a static QEMU");
  TemporaryDirectory directory;
  const std::string copy = emu::accelerated_emulator(emulator, directory.path());
  REQUIRE(!copy.empty());
  CHECK(read_file(copy) != read_file(emulator));
  CHECK(std::system((copy + " --version > " + directory.path() + "/copy").c_str()) == 0);
  CHECK(std::system((emulator + " --version > " + directory.path() + "/own").c_str()) == 0);
  CHECK(read_file(directory.path() + "/copy") == read_file(directory.path() + "/own"));
  CHECK(emu::accelerated_emulator(emulator, directory.path()) == copy);  // made once
}

TEST_CASE("the library for native programs has the name of the architecture", "[accel]") {
  using namespace std::string_literals;
  CHECK(emu::accel_preload("ppc64el").contains("ppc64el\0"s));
  CHECK(emu::accel_preload("").size() == emu::accel_preload("arm64").size());
  CHECK(!emu::accel_preload("arm64").contains("ppc64el"));
}

TEST_CASE("a program whose layout is not understood is left alone", "[accel]") {
  CHECK(!emu::inject_piece("", emu::accel_piece()));
  CHECK(!emu::inject_piece("#!/bin/sh\n", emu::accel_piece()));
  const std::string dynamic = read_file("/bin/sh");  // it has an interpreter
  CHECK(!emu::inject_piece(dynamic, emu::accel_piece()));
  const std::string emulator = own_emulator();
  NEEDS(!emulator.empty(), "a static QEMU");
  const std::string bytes = read_file(emulator);
  CHECK(!emu::inject_piece(bytes.substr(0, 70), emu::accel_piece()));
  std::string damaged = bytes;
  damaged[18] = 0x7f;  // e_machine
  CHECK(!emu::inject_piece(damaged, emu::accel_piece()));
}
