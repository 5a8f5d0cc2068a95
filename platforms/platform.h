#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mbuild::platforms {

// os/arch/variant, always normalised (x86_64 -> amd64, aarch64 -> arm64, arm -> arm/v7, arm64/v8 -> arm64).
struct Platform {
  std::string os;
  std::string arch;
  std::string variant;
  std::string os_version;

  auto operator<=>(const Platform&) const = default;
};

// "os[(osversion)]/arch[/variant]", or an os or an architecture alone. Throws Error (usage).
Platform parse_platform(std::string_view text);
// A comma-separated list, duplicates merged; "local" is the host platform.
std::vector<Platform> parse_platform_list(std::string_view text);
std::string to_string(const Platform& platform);
const Platform& host_platform();
// Fills in defaults and canonical names.
Platform normalise(Platform platform);
// normalise() of what a document says. Throws Error (network) where that can't be a platform's name: it would be
// printed and become part of file names.
Platform checked(Platform platform);
// True where an image for `image` is what a request for `wanted` means (same os and arch, variant compatible).
bool satisfies(const Platform& image, const Platform& wanted);

// The instructions that a variant promises, as bits of the GNU property that an ELF file states its needs in.
struct IsaLevel {
  std::string variant;       // "v3"
  std::uint32_t needed = 0;  // bits of GNU_PROPERTY_X86_ISA_1_NEEDED that the variant has
};

// What platforms/<name>.toml says of one platform.
struct Descriptor {
  std::string name;  // "linux/arm64"
  Platform platform;
  std::string processor;              // what people call it: "AArch64"
  std::vector<std::string> variants;  // other variants that have no descriptor of their own: "v9"
  std::vector<IsaLevel> isa_levels;   // lowest first; empty where ELF files do not state their needs
  std::vector<std::string> loaders;   // dynamic loaders of its libraries: "/lib/ld-linux-aarch64.so.1", ...
  std::uint16_t elf_machine = 0;      // e_machine
  std::uint8_t elf_class = 0;         // 1: 32 bit, 2: 64 bit
  bool little_endian = true;
  std::uint32_t elf_flags = 0;         // e_flags of an ordinary program
  std::string exit_code;               // machine code that ends a process with status 0
  std::vector<std::string> emulators;  // program names, in order of preference: "qemu-aarch64-static", ...
  std::string binfmt_magic;            // raw bytes
  std::string binfmt_mask;             // raw bytes, as long as the magic
  std::vector<std::string> native_on;  // host platforms whose processor runs it as it stands
};

// All three are thread-safe; a description is read when it is first asked for.
// The descriptor of a platform (variant ignored when no closer one exists); nullptr when there is none.
const Descriptor* find_descriptor(const Platform& platform);
// The descriptor with this ELF machine and class (of several, that of the newest variant); nullptr when there is none.
const Descriptor* find_descriptor_by_elf(std::uint16_t machine, std::uint8_t elf_class, bool little_endian);
std::span<const Descriptor> all_descriptors();

}  // namespace mbuild::platforms
