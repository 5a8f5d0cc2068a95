#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emu/elf.h"
#include "layers/layer_tar.h"
#include "platforms/platform.h"

// The architecture audit: what is labelled arm64 contains arm64 code.
namespace mbuild::emu {

// One file that the platform of the image cannot execute, or only by chance.
struct AuditFinding {
  enum class Kind {
    foreign,     // another machine, class or byte order
    loader,      // the right machine, but linked for the libraries of another platform (arm/v5 in arm/v7)
    isa_level,   // needs instructions that the variant does not promise (x86-64-v3 in linux/amd64)
    interpreter  // the loader of a program, or the interpreter of a script, is not in the image
  };

  Kind kind = Kind::foreign;
  std::string path;            // in the image, with a leading slash
  std::string found;           // "amd64 (x86-64)", "x86-64-v3", "/lib/ld-linux.so.3"
  std::string expected;        // "arm64 (AArch64)"
  std::string file_kind;       // "program", "shared object", "script", ...
  bool compatible = false;     // processors of the platform usually run it as it stands: 386 in an amd64 image
  std::string found_platform;  // foreign: "linux/amd64", where the machine has one
};

// "/usr/bin/x is a program for amd64 (x86-64), the image is for arm64 (AArch64)".
std::string to_string(const AuditFinding& finding);

// Reads the first bytes of every regular file and compares ELF programs and shared objects with the platform. Not
// reported: object files and archives (input of a linker), core dumps, machines that are no platform (eBPF, firmware,
// graphics processors), glibc-hwcaps libraries, and paths that a glob of `allow` matches ("*" matches slashes as well;
// a glob without a slash is compared with the file's name alone, one that matches a directory allows all below it).
class ArchitectureAudit : public image::EntryVisitor {
 public:
  ArchitectureAudit(const platforms::Platform& platform, std::vector<std::string> allow);

  void begin_entry(const std::string& path, const image::Inode& inode) override;
  void data(std::string_view bytes) override;
  void end_entry() override;

  const std::vector<AuditFinding>& findings() const { return findings_; }
  // The programs that files of the platform need to be run by, as findings that hold where the image lacks them: one
  // for each loader of programs and one for each interpreter of executable scripts, with the first file that needs it.
  const std::vector<AuditFinding>& needs() const { return needs_; }
  std::size_t elf_files() const { return elf_files_; }

 private:
  void examine(const ElfIdentity& identity);
  void need(std::string interpreter, std::string_view file_kind);
  static std::string platform_name(const ElfIdentity& identity);
  void report(AuditFinding::Kind kind, std::string found, std::string expected, ElfKind file_kind, bool compatible);

  const platforms::Descriptor* descriptor_;  // nullptr: nothing is known of the platform, nothing is reported
  std::uint32_t isa_promised_ = 0;
  std::string isa_name_;
  std::vector<std::string> allow_;
  std::vector<AuditFinding> findings_, needs_;
  std::size_t elf_files_ = 0;
  std::string path_;
  std::string start_;  // of the present file
  bool executable_ = false;
  bool interested_ = false;  // in more bytes of the present file
};

// What the first line of an executable script names, "" for other files and for names that are not absolute.
std::string script_interpreter(std::string_view start);

// Whether one of the globs matches the absolute path, by the rules above.
bool is_allowed(const std::vector<std::string>& allow, const std::string& path);

}  // namespace mbuild::emu
