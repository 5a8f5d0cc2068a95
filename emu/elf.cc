#include "emu/elf.h"

#include <fmt/format.h>

namespace mbuild::emu {
namespace {

constexpr std::string_view k_magic =
    "\x7f"
    "ELF";
constexpr std::size_t k_ident_bytes = 16;

std::uint64_t number_at(std::string_view bytes, std::size_t offset, std::size_t width, bool little_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t at = little_endian ? offset + width - 1 - i : offset + i;
    value = (value << 8) | static_cast<unsigned char>(bytes[at]);
  }
  return value;
}

ElfType type_of(std::uint64_t e_type) {
  switch (e_type) {
    case 1:
      return ElfType::relocatable;
    case 2:
      return ElfType::executable;
    case 3:
      return ElfType::dynamic;
    case 4:
      return ElfType::core;
    default:
      return ElfType::other;
  }
}

// Machines that are met in images without being a platform of their own.
std::string_view machine_name(const ElfIdentity& identity) {
  switch (identity.machine) {
    case 2:
    case 43:
      return "SPARC";
    case 4:
      return "Motorola 68000";
    case 8:
      return "MIPS";
    case 15:
      return "PA-RISC";
    case 20:
      return "PowerPC";
    case 21:
      return "PowerPC 64";
    case 22:
      return "IBM Z";
    case 40:
      return "Arm";
    case 42:
      return "SuperH";
    case 50:
      return "Itanium";
    case 62:
      return identity.elf_class == 1 ? "x32" : "x86-64";
    case 94:
      return "Xtensa";
    case 183:
      return "AArch64";
    case 190:
      return "CUDA";
    case 224:
      return "AMD GPU";
    case 243:
      return "RISC-V";
    case 247:
      return "eBPF";
    case 258:
      return "LoongArch";
    default:
      return "";
  }
}

}  // namespace

std::optional<ElfIdentity> read_elf_identity(std::string_view bytes) {
  if (bytes.size() < k_ident_bytes + 4 || !bytes.starts_with(k_magic)) return std::nullopt;
  const auto elf_class = static_cast<std::uint8_t>(bytes[4]);
  const auto data = static_cast<std::uint8_t>(bytes[5]);
  if ((elf_class != 1 && elf_class != 2) || (data != 1 && data != 2)) return std::nullopt;
  ElfIdentity identity;
  identity.elf_class = elf_class;
  identity.little_endian = data == 1;
  identity.os_abi = static_cast<std::uint8_t>(bytes[7]);
  identity.type = type_of(number_at(bytes, 16, 2, identity.little_endian));
  identity.machine = static_cast<std::uint16_t>(number_at(bytes, 18, 2, identity.little_endian));
  const std::size_t flags_offset = elf_class == 2 ? 48 : 36;
  if (bytes.size() >= flags_offset + 4) {
    identity.flags = static_cast<std::uint32_t>(number_at(bytes, flags_offset, 4, identity.little_endian));
  }
  return identity;
}

bool is_of(const ElfIdentity& identity, const platforms::Descriptor& descriptor) {
  return identity.machine == descriptor.elf_machine && identity.elf_class == descriptor.elf_class &&
         identity.little_endian == descriptor.little_endian;
}

std::string describe(const ElfIdentity& identity) {
  const platforms::Descriptor* descriptor =
      platforms::find_descriptor_by_elf(identity.machine, identity.elf_class, identity.little_endian);
  if (descriptor != nullptr) return fmt::format("{} ({})", descriptor->platform.arch, descriptor->processor);
  const std::string_view name = machine_name(identity);
  const std::string layout =
      fmt::format("{}-bit, {}-endian", identity.elf_class * 32, identity.little_endian ? "little" : "big");
  if (name.empty()) return fmt::format("unknown machine {} ({})", identity.machine, layout);
  return fmt::format("{} ({})", name, layout);
}

std::string_view describe(ElfKind kind) {
  switch (kind) {
    case ElfKind::relocatable:
      return "object file";
    case ElfKind::static_executable:
    case ElfKind::static_pie:
      return "statically linked program";
    case ElfKind::dynamic_executable:
    case ElfKind::pie:
      return "program";
    case ElfKind::shared_object:
      return "shared object";
    case ElfKind::core:
      return "core dump";
    case ElfKind::other:
      break;
  }
  return "binary";
}

std::string isa_variant(const platforms::Descriptor& descriptor, std::uint32_t x86_isa_needed) {
  if (x86_isa_needed == 0) return "";
  for (const platforms::IsaLevel& level : descriptor.isa_levels) {
    if ((x86_isa_needed & ~level.needed) == 0) return level.variant;
  }
  return descriptor.isa_levels.empty() ? "" : descriptor.isa_levels.back().variant;
}

}  // namespace mbuild::emu
