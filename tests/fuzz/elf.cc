#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/audit.h"
#include "emu/elf.h"

// Any bytes as an ELF file: the header filter, libObject behind it, and the audit that takes them in two pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mbuild;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto identity = emu::read_elf_identity(bytes)) emu::describe(*identity);
  emu::inspect_elf(bytes);
  emu::inspect_elf(bytes.substr(0, emu::k_elf_probe_bytes));

  emu::ArchitectureAudit audit({"linux", "amd64", "", ""}, {"/allowed/*"});
  audit.begin_entry("file", image::Inode());
  audit.data(bytes.substr(0, size / 2));
  audit.data(bytes.substr(size / 2));
  audit.end_entry();
  for (const emu::AuditFinding& finding : audit.findings()) emu::to_string(finding);
  return 0;
}
