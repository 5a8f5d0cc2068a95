#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platforms/platform.h"

namespace mbuild::emu {

// The length of a 64-bit ELF header: what read_elf_identity needs at most.
inline constexpr std::size_t k_elf_header_bytes = 64;
// The first part of a file that holds its program headers, interpreter and notes in nearly all cases.
inline constexpr std::size_t k_elf_probe_bytes = 4096;

enum class ElfType { relocatable, executable, dynamic, core, other };

// What the first bytes of an ELF file say. Cheap: no allocation, no library.
struct ElfIdentity {
  std::uint16_t machine = 0;   // e_machine
  std::uint8_t elf_class = 0;  // 1: 32 bit, 2: 64 bit
  bool little_endian = true;
  std::uint8_t os_abi = 0;  // EI_OSABI; 0 is System V, 3 GNU/Linux, 9 FreeBSD
  ElfType type = ElfType::other;
  std::uint32_t flags = 0;  // e_flags; 0 where the bytes end before it

  bool operator==(const ElfIdentity&) const = default;
};

// Nothing unless `bytes` begins with an ELF header of a known class and byte order.
std::optional<ElfIdentity> read_elf_identity(std::string_view bytes);
// True where the file is of the descriptor's machine, class and byte order.
bool is_of(const ElfIdentity& identity, const platforms::Descriptor& descriptor);
// "arm64 (AArch64)", "32-bit x86-64 (x32)", "unknown machine 999 (64-bit, little-endian)".
std::string describe(const ElfIdentity& identity);

enum class ElfKind {
  relocatable,
  static_executable,   // no interpreter, fixed address
  static_pie,          // no interpreter, any address
  dynamic_executable,  // an interpreter, fixed address
  pie,                 // an interpreter, any address
  shared_object,
  core,
  other
};

// What libObject finds in the program headers and notes. Strings and numbers are empty or 0 where the file has none,
// or where they lie behind the end of the bytes given.
struct ElfFile {
  ElfIdentity identity;
  ElfKind kind = ElfKind::other;
  bool complete = true;              // false: program headers or a segment lie behind the end of the bytes
  std::string interpreter;           // PT_INTERP
  std::string build_id;              // hex
  std::uint32_t x86_isa_needed = 0;  // GNU_PROPERTY_X86_ISA_1_NEEDED
  bool aarch64_bti = false;          // GNU_PROPERTY_AARCH64_FEATURE_1_AND
  bool aarch64_pac = false;
};

// Inspects the file whose bytes, or first bytes, these are. Nothing where it is not ELF or is damaged.
std::optional<ElfFile> inspect_elf(std::string_view bytes);
// Inspects an open regular file; reads its first page, and all of it only where that is not enough.
std::optional<ElfFile> inspect_elf_file(int fd);

// "program", "statically linked program", "shared object", ...
std::string_view describe(ElfKind kind);
// The highest x86-64 variant of the descriptor that the bits ask for: "v3"; "" for none.
std::string isa_variant(const platforms::Descriptor& descriptor, std::uint32_t x86_isa_needed);

}  // namespace mbuild::emu
