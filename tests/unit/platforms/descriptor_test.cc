#include <algorithm>
#include <thread>

#include "platforms/descriptions.h"
#include "platforms/platform.h"
#include "tests/catch.h"

using namespace mbuild::platforms;

namespace {

const Descriptor* described(std::string_view name) { return find_descriptor(parse_platform(name)); }

// The fixed part of the header of a program: e_ident, e_type and e_machine.
std::string header_of(const Descriptor& descriptor, unsigned type) {
  const auto half = [&](unsigned value) {
    std::string bytes{static_cast<char>(value & 0xff), static_cast<char>(value >> 8)};
    if (!descriptor.little_endian) std::ranges::reverse(bytes);
    return bytes;
  };
  std::string header =
      "\x7f"
      "ELF";
  header += static_cast<char>(descriptor.elf_class);
  header += static_cast<char>(descriptor.little_endian ? 1 : 2);
  header += '\1';
  header.resize(16);
  return header + half(type) + half(descriptor.elf_machine);
}

bool magic_matches(const Descriptor& descriptor, std::string_view header) {
  for (std::size_t i = 0; i < descriptor.binfmt_magic.size(); ++i) {
    if (((descriptor.binfmt_magic[i] ^ header[i]) & descriptor.binfmt_mask[i]) != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every file describes the platform it is named after") {
  REQUIRE(all_descriptors().size() == descriptions().size());
  for (std::size_t i = 0; i < all_descriptors().size(); ++i) {
    const Descriptor& descriptor = all_descriptors()[i];
    INFO(descriptor.name);
    std::string file_name = to_string(descriptor.platform);
    std::ranges::replace(file_name, '/', '-');
    CHECK(file_name == descriptions()[i].name);
    CHECK(to_string(descriptor.platform) == descriptor.name);
    CHECK_FALSE(descriptor.emulators.empty());
    CHECK_FALSE(descriptor.loaders.empty());
    CHECK_FALSE(descriptor.processor.empty());
    CHECK_FALSE(descriptor.exit_code.empty());
    for (const std::string& host : descriptor.native_on) CHECK(described(host) != nullptr);
  }
}

TEST_CASE("the magic agrees with machine, class and byte order") {
  for (const Descriptor& descriptor : all_descriptors()) {
    INFO(descriptor.name);
    CHECK(magic_matches(descriptor, header_of(descriptor, 2)));        // ET_EXEC
    CHECK(magic_matches(descriptor, header_of(descriptor, 3)));        // ET_DYN
    CHECK_FALSE(magic_matches(descriptor, header_of(descriptor, 1)));  // ET_REL
    for (const Descriptor& other : all_descriptors()) {
      if (other.platform.arch == descriptor.platform.arch) continue;
      CHECK_FALSE(magic_matches(descriptor, header_of(other, 2)));
    }
  }
}

TEST_CASE("a descriptor is found by platform") {
  REQUIRE(described("linux/arm64") != nullptr);
  CHECK(described("linux/arm64")->elf_machine == 183);
  CHECK(described("linux/arm64")->emulators.front() == "qemu-aarch64-static");
  CHECK(described("linux/arm/v6")->name == "linux/arm/v6");
  CHECK(described("linux/386")->native_on == std::vector<std::string>{"linux/amd64"});
  CHECK(described("linux/amd64")->isa_levels.size() == 4);
  CHECK_FALSE(described("linux/s390x")->little_endian);
}

TEST_CASE("a variant without a file of its own has the nearest descriptor") {
  CHECK(described("linux/arm64/v9")->name == "linux/arm64");
  CHECK(described("linux/amd64/v4")->name == "linux/amd64");
  CHECK(described("linux/arm/v8")->name == "linux/arm/v7");
}

TEST_CASE("no descriptor for what is not known") {
  CHECK(described("windows/amd64") == nullptr);
  CHECK(described("linux/z80") == nullptr);
}

TEST_CASE("a descriptor is found by ELF header") {
  CHECK(find_descriptor_by_elf(62, 2, true)->name == "linux/amd64");
  CHECK(find_descriptor_by_elf(40, 1, true)->name == "linux/arm/v7");
  CHECK(find_descriptor_by_elf(21, 2, true)->name == "linux/ppc64le");
  CHECK(find_descriptor_by_elf(21, 2, false)->name == "linux/ppc64");
  CHECK(find_descriptor_by_elf(62, 1, true) == nullptr);  // x32
}

TEST_CASE("descriptors may be asked for by several threads at once") {
  std::vector<std::jthread> threads;
  std::vector<const Descriptor*> found(8);
  for (std::size_t i = 0; i < found.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = described("linux/riscv64"); });
  }
  threads.clear();
  for (const Descriptor* descriptor : found) CHECK(descriptor == found[0]);
}
