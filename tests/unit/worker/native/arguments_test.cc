#include "worker/native/arguments.h"

#include "tests/catch.h"

using namespace mbuild::executor;

TEST_CASE("numbers are compared as the platform does", "[native]") {
  CHECK(needs_emulation("sort", {"-g"}));
  CHECK(needs_emulation("sort", {"-rg", "file"}));
  CHECK(needs_emulation("sort", {"-k", "1,1g"}));
  CHECK(needs_emulation("sort", {"--sort=general-numeric"}));
  CHECK(!needs_emulation("sort", {"-k1,1nr", "-t:", "/etc/group"}));
}

TEST_CASE("what tells of its own architecture is asked itself", "[native]") {
  CHECK(needs_emulation("dpkg-deb", {"--version"}));
  CHECK(!needs_emulation("dpkg-deb", {"--build", "x"}));
  CHECK(needs_emulation("git", {"version", "--build-options"}));
  CHECK(!needs_emulation("git", {"--version"}));
  CHECK(needs_emulation("ld.bfd", {"-V"}));
  CHECK(needs_emulation("cc1", {"-version"}));
  CHECK(!needs_emulation("tar", {"--version"}));
}

TEST_CASE("the state of a compiler, and what is loaded into it, is its own", "[native]") {
  for (const char* name : {"cc1", "cc1plus", "lto1"}) {
    CHECK(!needs_emulation(name, {"-quiet", "a.c", "-O2", "-o", "a.s"}));
    CHECK(needs_emulation(name, {"-quiet", "-fplugin=/x.so", "a.c"}));
    CHECK(needs_emulation(name, {"-quiet", "a.h", "--output-pch", "a.h.gch"}));
    CHECK(needs_emulation(name, {"-fmodules-ts"}));
    CHECK(needs_emulation(name, {"@arguments"}));
  }
  CHECK(!needs_emulation("ld.bfd", {"-plugin", "/usr/libexec/gcc/x/14/liblto_plugin.so", "-plugin-opt=x"}));
  CHECK(needs_emulation("ld.bfd", {"-plugin", "/one.so", "-plugin", "/two.so"}));
  CHECK(needs_emulation("ld.bfd", {"--plugin", "/one.so"}));
  CHECK(needs_emulation("ld.bfd", {"@arguments"}));
}
