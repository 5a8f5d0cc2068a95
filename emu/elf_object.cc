#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/ELF.h>
#include <llvm/Support/Error.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <span>

#include "base/error.h"
#include "base/mapped_file.h"
#include "emu/elf.h"

// The one file that includes LLVM. libObject knows every machine, class and byte order, and checks the tables of a
// damaged file; only the offsets of a single segment, which it adds up without looking for an overflow, are checked
// here first. What it is given is often just the first page of a file (the whole of it would have to be read for
// nothing more than an interpreter's name): a segment that lies behind that page is no damage but makes the answer
// incomplete.
//
// The files are made by whoever made the image, so the work is bounded as well: a few note segments of moderate size.
namespace mbuild::emu {
namespace {

namespace object = llvm::object;
namespace elf = llvm::ELF;

constexpr std::size_t k_note_segments = 16;
constexpr std::uint64_t k_note_bytes = 1 << 20;
constexpr std::size_t k_interpreter_bytes = 4096;  // PATH_MAX

template <class ELFT>
class Inspection {
 public:
  Inspection(const object::ELFFile<ELFT>& file, const ElfIdentity& identity) : file_(file) {
    result_.identity = identity;
  }

  ElfFile run() {
    auto headers = file_.program_headers();
    if (!headers) {
      llvm::consumeError(headers.takeError());
      result_.complete = false;
      result_.kind = kind();
      return result_;
    }
    for (const auto& header : *headers) read_segment(header);
    result_.kind = kind();
    return result_;
  }

 private:
  using Phdr = typename ELFT::Phdr;

  void read_segment(const Phdr& header) {
    if (header.p_type == elf::PT_INTERP) {
      has_interpreter_ = true;
      if (const auto bytes = contents(header)) read_interpreter(*bytes);
    } else if (header.p_type == elf::PT_NOTE && result_.identity.type != ElfType::core) {
      if (note_segments_++ < k_note_segments && header.p_filesz <= k_note_bytes && contents(header)) read_notes(header);
    } else if (header.p_type == elf::PT_DYNAMIC) {
      has_dynamic_ = true;
      dynamic_ = header_bytes(header);
    }
  }

  // The segment's bytes where the buffer has all of them.
  std::optional<std::string_view> header_bytes(const Phdr& header) const {
    const std::uint64_t offset = header.p_offset;
    const std::uint64_t size = header.p_filesz;
    const std::uint64_t available = file_.getBufSize();
    if (offset > available || size > available - offset) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(file_.base()) + offset, size);
  }

  std::optional<std::string_view> contents(const Phdr& header) {
    const auto bytes = header_bytes(header);
    if (!bytes) result_.complete = false;
    return bytes;
  }

  void read_interpreter(std::string_view bytes) {
    result_.interpreter = bytes.substr(0, std::min(bytes.find('\0'), k_interpreter_bytes));
  }

  void read_notes(const Phdr& header) {
    llvm::Error error = llvm::Error::success();
    const std::size_t align = std::max<std::size_t>(header.p_align, 4);
    for (const auto& note : file_.notes(header, error)) {
      if (note.getName() != "GNU") continue;
      const auto desc = note.getDesc(align);
      if (note.getType() == elf::NT_GNU_BUILD_ID) {
        result_.build_id = fmt::format("{:02x}", fmt::join(desc.begin(), desc.end(), ""));
      } else if (note.getType() == elf::NT_GNU_PROPERTY_TYPE_0) {
        read_properties(desc);
      }
    }
    llvm::consumeError(std::move(error));
  }

  std::uint32_t word(llvm::ArrayRef<std::uint8_t> bytes) const {
    return llvm::support::endian::read<std::uint32_t, ELFT::Endianness>(bytes.data());
  }

  // A property is a type, a length and data, padded to the word size of the file's class.
  void read_properties(llvm::ArrayRef<std::uint8_t> bytes) {
    constexpr std::size_t align = ELFT::Is64Bits ? 8 : 4;
    while (bytes.size() >= 8) {
      const std::uint32_t type = word(bytes);
      const std::size_t length = word(bytes.drop_front(4));
      bytes = bytes.drop_front(8);
      if (length > bytes.size()) return;
      if (length >= 4) read_property(type, word(bytes));
      bytes = bytes.drop_front(std::min(bytes.size(), (length + align - 1) / align * align));
    }
  }

  // The numbers of processor properties mean different things for different machines.
  void read_property(std::uint32_t type, std::uint32_t value) {
    const auto machine = result_.identity.machine;
    if ((machine == elf::EM_X86_64 || machine == elf::EM_386) && type == elf::GNU_PROPERTY_X86_ISA_1_NEEDED) {
      result_.x86_isa_needed = value;
    } else if (machine == elf::EM_AARCH64 && type == elf::GNU_PROPERTY_AARCH64_FEATURE_1_AND) {
      result_.aarch64_bti = (value & elf::GNU_PROPERTY_AARCH64_FEATURE_1_BTI) != 0;
      result_.aarch64_pac = (value & elf::GNU_PROPERTY_AARCH64_FEATURE_1_PAC) != 0;
    }
  }

  bool says_pie() {
    if (!has_dynamic_) return true;  // no dynamic section at all: nobody can link to it
    if (!dynamic_) {
      result_.complete = false;
      return false;
    }
    using Dyn = typename ELFT::Dyn;
    const auto* entries = reinterpret_cast<const Dyn*>(dynamic_->data());
    for (const Dyn& entry : std::span(entries, dynamic_->size() / sizeof(Dyn))) {
      if (entry.getTag() == elf::DT_NULL) break;
      if (entry.getTag() == elf::DT_FLAGS_1) return (entry.getVal() & elf::DF_1_PIE) != 0;
    }
    return false;
  }

  ElfKind kind() {
    switch (result_.identity.type) {
      case ElfType::relocatable:
        return ElfKind::relocatable;
      case ElfType::core:
        return ElfKind::core;
      case ElfType::executable:
        return has_interpreter_ ? ElfKind::dynamic_executable : ElfKind::static_executable;
      case ElfType::dynamic:
        if (has_interpreter_) return ElfKind::pie;
        return says_pie() ? ElfKind::static_pie : ElfKind::shared_object;
      case ElfType::other:
        break;
    }
    return ElfKind::other;
  }

  const object::ELFFile<ELFT>& file_;
  ElfFile result_;
  std::size_t note_segments_ = 0;
  bool has_interpreter_ = false;
  bool has_dynamic_ = false;
  std::optional<std::string_view> dynamic_;
};

template <class ELFT>
std::optional<ElfFile> inspect(std::string_view bytes, const ElfIdentity& identity) {
  auto file = object::ELFFile<ELFT>::create(llvm::StringRef(bytes.data(), bytes.size()));
  if (!file) {
    llvm::consumeError(file.takeError());
    return std::nullopt;
  }
  return Inspection<ELFT>(*file, identity).run();
}

// The whole file: those in the store do not shrink while they are read.
std::optional<ElfFile> inspect_mapped(int fd) {
  try {
    return inspect_elf(MappedFile(fd, "a program").bytes());
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<ElfFile> inspect_elf(std::string_view bytes) {
  const auto identity = read_elf_identity(bytes);
  if (!identity) return std::nullopt;
  if (identity->elf_class == 2) {
    return identity->little_endian ? inspect<object::ELF64LE>(bytes, *identity)
                                   : inspect<object::ELF64BE>(bytes, *identity);
  }
  return identity->little_endian ? inspect<object::ELF32LE>(bytes, *identity)
                                 : inspect<object::ELF32BE>(bytes, *identity);
}

std::optional<ElfFile> inspect_elf_file(int fd) {
  std::array<char, k_elf_probe_bytes> start;
  const ssize_t length = ::pread(fd, start.data(), start.size(), 0);
  if (length <= 0) return std::nullopt;
  auto result = inspect_elf(std::string_view(start.data(), static_cast<std::size_t>(length)));
  struct stat status{};
  if (!result || result->complete || ::fstat(fd, &status) != 0 || status.st_size <= length) return result;
  auto whole = inspect_mapped(fd);
  return whole ? whole : result;
}

}  // namespace mbuild::emu
