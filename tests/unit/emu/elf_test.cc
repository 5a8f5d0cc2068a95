#include "emu/elf.h"

#include <fcntl.h>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/unit/emu/elf_samples.h"

using namespace mbuild;
using namespace mbuild::emu;
using namespace mbuild::emu::samples;

TEST_CASE("the identity of every platform is read from its header") {
  for (const auto& descriptor : platforms::all_descriptors()) {
    INFO(descriptor.name);
    const auto identity = read_elf_identity(static_program(descriptor.name).substr(0, k_elf_header_bytes));
    REQUIRE(identity);
    CHECK(is_of(*identity, descriptor));
    CHECK(identity->type == ElfType::executable);
    CHECK(identity->flags == descriptor.elf_flags);
    CHECK(describe(*identity).starts_with(descriptor.platform.arch + " ("));
  }
}

TEST_CASE("what is no ELF file has no identity") {
  const std::string elf = static_program("linux/arm64");
  CHECK_FALSE(read_elf_identity(""));
  CHECK_FALSE(read_elf_identity("#!/bin/sh\necho and so on and so on"));
  CHECK_FALSE(read_elf_identity(elf.substr(0, 19)));
  CHECK(read_elf_identity(elf.substr(0, 20)));
  std::string damaged = elf;
  damaged[4] = 3;  // class
  CHECK_FALSE(read_elf_identity(damaged));
}

TEST_CASE("machines that are no platform are named as well") {
  std::string elf = static_program("linux/amd64");
  elf[18] = static_cast<char>(247);
  CHECK(describe(*read_elf_identity(elf)) == "eBPF (64-bit, little-endian)");
  elf[18] = static_cast<char>(0xff);
  elf[19] = static_cast<char>(0xee);
  CHECK(describe(*read_elf_identity(elf)) == "unknown machine 61183 (64-bit, little-endian)");
}

TEST_CASE("the interpreter and the kind of a program") {
  for (const std::string platform : {"linux/arm64", "linux/s390x", "linux/386", "linux/mips"}) {
    INFO(platform);
    const auto dynamic = inspect_elf(dynamic_program(platform, "/lib/ld.so"));
    REQUIRE(dynamic);
    CHECK(dynamic->interpreter == "/lib/ld.so");
    CHECK(dynamic->kind == ElfKind::pie);
    CHECK(dynamic->complete);
    const auto fixed = inspect_elf(static_program(platform));
    REQUIRE(fixed);
    CHECK(fixed->kind == ElfKind::static_executable);
    CHECK(fixed->interpreter.empty());
  }
}

TEST_CASE("a static PIE is told from a shared object by its flag") {
  const auto kind_with = [](std::uint64_t flags) {
    const std::string dynamic = word(true, 0x6ffffffb, 8) + word(true, flags, 8) + std::string(16, '\0');
    return inspect_elf(make_elf({.platform = "linux/arm64",
                                 .type = 3,
                                 .code = "",
                                 .segments = {{.type = k_dynamic, .content = dynamic, .align = 8}},
                                 .gap = 0}))
        ->kind;
  };
  CHECK(kind_with(0x08000001) == ElfKind::static_pie);
  CHECK(kind_with(0x1) == ElfKind::shared_object);
}

TEST_CASE("build id and processor properties are read from the notes") {
  for (const std::string platform : {"linux/amd64", "linux/arm64", "linux/s390x"}) {
    INFO(platform);
    const bool little = platform != "linux/s390x";
    const std::uint32_t property = platform == "linux/amd64" ? 0xc0008002 : 0xc0000000;
    const std::string properties = word(little, 1) + word(little, 8) + std::string(8, '\0') + word(little, property) +
                                   word(little, 4) + word(little, 3) + word(little, 0);
    const auto elf = inspect_elf(
        make_elf({.platform = platform,
                  .type = 2,
                  .code = "x",
                  .segments = {{.type = k_note, .content = gnu_note(little, 5, properties)},
                               {.type = k_note, .content = gnu_note(little, 3, "\x01\xab\xff\x10"), .align = 4}},
                  .gap = 0}));
    REQUIRE(elf);
    CHECK(elf->build_id == "01abff10");
    CHECK(elf->x86_isa_needed == (platform == "linux/amd64" ? 3u : 0u));
    CHECK(elf->aarch64_bti == (platform == "linux/arm64"));
    CHECK(elf->aarch64_pac == (platform == "linux/arm64"));
  }
}

TEST_CASE("the ISA bits are named by the lowest variant that has them") {
  const auto& amd64 = *platforms::find_descriptor(platforms::parse_platform("linux/amd64"));
  CHECK(isa_variant(amd64, 0).empty());
  CHECK(isa_variant(amd64, 1) == "v1");
  CHECK(isa_variant(amd64, 2) == "v2");
  CHECK(isa_variant(amd64, 7) == "v3");
  CHECK(isa_variant(amd64, 8) == "v4");
}

TEST_CASE("a part of a file says that it is one") {
  const std::string elf =
      make_elf({.platform = "linux/arm64",
                .type = 3,
                .code = "",
                .segments = {{.type = k_interp, .content = std::string("/lib/ld.so\0", 11), .align = 1}},
                .gap = 8192});
  const auto part = inspect_elf(std::string_view(elf).substr(0, k_elf_probe_bytes));
  REQUIRE(part);
  CHECK_FALSE(part->complete);
  CHECK(part->interpreter.empty());
  CHECK(part->kind == ElfKind::pie);

  const Fd file = memory_file(elf);
  const auto whole = inspect_elf_file(file.get());
  REQUIRE(whole);
  CHECK(whole->complete);
  CHECK(whole->interpreter == "/lib/ld.so");
}

TEST_CASE("damaged tables do not harm") {
  const std::string elf = dynamic_program("linux/arm64", "/lib/ld.so");
  for (std::size_t length = 0; length < elf.size(); ++length) inspect_elf(std::string_view(elf).substr(0, length));
  for (std::size_t at = 4; at < elf.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string damaged = elf;
      damaged[at] = value;
      inspect_elf(damaged);
    }
  }
  std::string overflow = elf;  // offset + size of the segment wraps around
  overflow.replace(64 + 8, 8, std::string(8, '\xff'));
  CHECK(inspect_elf(overflow)->interpreter.empty());
}

TEST_CASE("this test program is what the compiler made") {
  const Fd self = open_file("/proc/self/exe", O_RDONLY);
  const auto elf = inspect_elf_file(self.get());
  REQUIRE(elf);
  CHECK_FALSE(elf->interpreter.empty());
  const auto* host = platforms::find_descriptor(platforms::host_platform());
  if (host != nullptr) CHECK(is_of(elf->identity, *host));
}
