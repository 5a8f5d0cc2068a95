#include "emu/audit.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/strings.h"

namespace mbuild::emu {
namespace {

using platforms::Descriptor;

constexpr std::size_t k_first_line = 256;  // of a script, as the kernel reads it
constexpr std::size_t k_most_needs = 64;   // different interpreters in one layer
constexpr std::string_view k_script = "script";

const Descriptor* descriptor_of(const ElfIdentity& identity) {
  return platforms::find_descriptor_by_elf(identity.machine, identity.elf_class, identity.little_endian);
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::ranges::find(list, word) != list.end();
}

// True where the loader belongs to another platform of the same machine, and not to this one.
bool is_loader_of_another(const std::string& loader, const Descriptor& expected) {
  if (loader.empty() || contains(expected.loaders, loader)) return false;
  return std::ranges::any_of(platforms::all_descriptors(), [&](const Descriptor& other) {
    return other.elf_machine == expected.elf_machine && contains(other.loaders, loader);
  });
}

std::string processor_name(const Descriptor& descriptor) {
  return fmt::format("{} ({})", descriptor.platform.arch, descriptor.processor);
}

}  // namespace

std::string to_string(const AuditFinding& finding) {
  switch (finding.kind) {
    case AuditFinding::Kind::foreign:
      return fmt::format("{} is a {} for {}, the image is for {}", finding.path, finding.file_kind, finding.found,
                         finding.expected);
    case AuditFinding::Kind::loader:
      return fmt::format("{} is a {} that needs the loader {}, which is not that of {}", finding.path,
                         finding.file_kind, finding.found, finding.expected);
    case AuditFinding::Kind::interpreter:
      return fmt::format("{} is a {} that needs {}, which is not in the image", finding.path, finding.file_kind,
                         finding.found);
    case AuditFinding::Kind::isa_level:
      break;
  }
  return fmt::format("{} is a {} that needs an {} processor, the image promises no more than {}", finding.path,
                     finding.file_kind, finding.found, finding.expected);
}

std::string script_interpreter(std::string_view start) {
  if (!start.starts_with("#!")) return "";
  start = start.substr(0, k_first_line);
  const auto line = trim(start.substr(2, start.find('\n') - 2), " \t\r");
  const auto program = line.substr(0, line.find_first_of(" \t"));
  return program.starts_with('/') ? std::string(program) : "";
}

bool is_allowed(const std::vector<std::string>& allow, const std::string& path) {
  return std::ranges::any_of(allow, [&](const std::string& glob) {
    if (glob.find('/') == std::string::npos) return ::fnmatch(glob.c_str(), base_name(path).c_str(), 0) == 0;
    const std::string absolute = glob.starts_with('/') ? glob : "/" + glob;
    if (::fnmatch(absolute.c_str(), path.c_str(), 0) == 0) return true;
    return ::fnmatch((absolute + (absolute.ends_with('/') ? "*" : "/*")).c_str(), path.c_str(), 0) == 0;
  });
}

ArchitectureAudit::ArchitectureAudit(const platforms::Platform& platform, std::vector<std::string> allow)
    : descriptor_(platforms::find_descriptor(platform)), allow_(std::move(allow)) {
  if (descriptor_ == nullptr || descriptor_->isa_levels.empty()) return;
  const std::string variant = platform.variant.empty() ? descriptor_->isa_levels.front().variant : platform.variant;
  for (const platforms::IsaLevel& level : descriptor_->isa_levels) {
    if (level.variant != variant) continue;
    isa_promised_ = level.needed;
    isa_name_ = fmt::format("{}-{}", descriptor_->processor, level.variant);
  }
}

void ArchitectureAudit::begin_entry(const std::string& path, const image::Inode& inode) {
  start_.clear();
  interested_ = descriptor_ != nullptr && inode.type == image::FileType::regular;
  executable_ = (inode.mode & 0111) != 0;
  if (interested_) path_ = "/" + path;
}

void ArchitectureAudit::data(std::string_view bytes) {
  if (!interested_) return;
  start_ += bytes.substr(0, k_elf_probe_bytes - start_.size());
  const bool is_script = executable_ && start_.size() < k_first_line && start_.starts_with("#!");
  interested_ = start_.size() < k_elf_probe_bytes &&
                (start_.size() < k_elf_header_bytes || is_script || read_elf_identity(start_));
}

void ArchitectureAudit::end_entry() {
  interested_ = false;
  const auto identity = read_elf_identity(start_);
  if (!identity) {
    if (executable_) need(script_interpreter(start_), k_script);
    start_.clear();
    return;
  }
  ++elf_files_;
  if (identity->type != ElfType::executable && identity->type != ElfType::dynamic) return;
  examine(*identity);
}

void ArchitectureAudit::examine(const ElfIdentity& identity) {
  if (!is_of(identity, *descriptor_)) {
    const Descriptor* const other = descriptor_of(identity);
    if (other == nullptr && identity.machine != descriptor_->elf_machine) return;
    const auto elf = inspect_elf(start_);
    const bool compatible = other != nullptr && contains(other->native_on, descriptor_->name);
    report(AuditFinding::Kind::foreign, describe(identity), processor_name(*descriptor_),
           elf ? elf->kind : ElfKind::other, compatible);
    if (!findings_.empty() && findings_.back().path == path_) findings_.back().found_platform = platform_name(identity);
    return;
  }
  const auto elf = inspect_elf(start_);
  if (!elf) return;
  if (is_loader_of_another(elf->interpreter, *descriptor_)) {
    report(AuditFinding::Kind::loader, elf->interpreter, descriptor_->name, elf->kind, false);
  } else {
    need(elf->interpreter, describe(elf->kind));
  }
  const bool has_fallback = path_.find("/glibc-hwcaps/") != std::string::npos;
  if (isa_promised_ != 0 && (elf->x86_isa_needed & ~isa_promised_) != 0 && !has_fallback) {
    report(AuditFinding::Kind::isa_level,
           fmt::format("{}-{}", descriptor_->processor, isa_variant(*descriptor_, elf->x86_isa_needed)), isa_name_,
           elf->kind, false);
  }
}

void ArchitectureAudit::need(std::string interpreter, std::string_view file_kind) {
  if (!interpreter.starts_with('/') || needs_.size() == k_most_needs || is_allowed(allow_, path_)) return;
  const bool known = std::ranges::any_of(needs_, [&](const AuditFinding& need) {
    return need.found == interpreter && (need.file_kind == k_script) == (file_kind == k_script);
  });
  if (known) return;
  needs_.push_back({.kind = AuditFinding::Kind::interpreter,
                    .path = path_,
                    .found = std::move(interpreter),
                    .expected = "",
                    .file_kind = std::string(file_kind),
                    .compatible = false,
                    .found_platform = ""});
}

std::string ArchitectureAudit::platform_name(const ElfIdentity& identity) {
  const auto* found = platforms::find_descriptor_by_elf(identity.machine, identity.elf_class, identity.little_endian);
  return found == nullptr ? "" : found->name;
}

void ArchitectureAudit::report(AuditFinding::Kind kind, std::string found, std::string expected, ElfKind file_kind,
                               bool compatible) {
  if (is_allowed(allow_, path_)) return;
  findings_.push_back(
      {kind, path_, std::move(found), std::move(expected), std::string(describe(file_kind)), compatible, ""});
}

}  // namespace mbuild::emu
