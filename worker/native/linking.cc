#include "worker/native/linking.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace mbuild::executor {
namespace {

#if defined(__aarch64__)
constexpr Elf64_Half k_machine = EM_AARCH64;
constexpr std::uint32_t k_relative = R_AARCH64_RELATIVE;
#else
constexpr Elf64_Half k_machine = EM_X86_64;
constexpr std::uint32_t k_relative = R_X86_64_RELATIVE;
#endif

// Reads within bounds: what lies outside is nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  std::optional<T> get(std::size_t at) const {
    if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) return std::nullopt;
    T out;
    std::memcpy(&out, bytes_.data() + at, sizeof out);
    return out;
  }
  std::optional<std::string> text(std::size_t at) const {
    if (at >= bytes_.size()) return std::nullopt;
    const auto end = bytes_.find('\0', at);
    return end == bytes_.npos ? std::nullopt : std::optional(std::string(bytes_.substr(at, end - at)));
  }

 private:
  std::string_view bytes_;
};

std::optional<std::vector<Elf64_Phdr>> segments_of(const Reader& file) {
  const auto header = file.get<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_machine != k_machine || header->e_phentsize != sizeof(Elf64_Phdr))
    return std::nullopt;
  std::vector<Elf64_Phdr> out;
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = file.get<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return std::nullopt;
    out.push_back(*segment);
  }
  return out;
}

std::optional<std::size_t> offset_of(const std::vector<Elf64_Phdr>& segments, std::uint64_t address) {
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    return address - segment.p_vaddr + segment.p_offset;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> address_of(const std::vector<Elf64_Phdr>& segments, std::size_t offset) {
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || offset < segment.p_offset || offset - segment.p_offset >= segment.p_filesz)
      continue;
    return offset - segment.p_offset + segment.p_vaddr;
  }
  return std::nullopt;
}

struct DynamicEntry {
  std::size_t at = 0;
  Elf64_Dyn entry = {};
};

std::vector<DynamicEntry> dynamic_entries(const Reader& file, const Elf64_Phdr& segment) {
  std::vector<DynamicEntry> out;
  for (std::size_t at = segment.p_offset; at - segment.p_offset < segment.p_filesz; at += sizeof(Elf64_Dyn)) {
    const auto entry = file.get<Elf64_Dyn>(at);
    if (!entry || entry->d_tag == DT_NULL) break;
    out.push_back({at, *entry});
  }
  return out;
}

bool read_dynamic(const Reader& file, const std::vector<Elf64_Phdr>& segments, const Elf64_Phdr& dynamic,
                  Linking& out) {
  const auto entries = dynamic_entries(file, dynamic);
  std::optional<std::size_t> strings;
  for (const auto& [at, entry] : entries) {
    if (entry.d_tag == DT_STRTAB) strings = offset_of(segments, entry.d_un.d_ptr);
  }
  for (const auto& [at, entry] : entries) {
    const bool is_path = entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH;
    if (!is_path && entry.d_tag != DT_NEEDED) continue;
    const auto text = strings ? file.text(*strings + entry.d_un.d_val) : std::nullopt;
    if (!text) return false;
    if (entry.d_tag == DT_NEEDED) out.needed.push_back(*text);
    if (is_path) out.path_at.push_back(at);
    if (entry.d_tag == DT_RUNPATH || (is_path && out.run_path.empty())) out.run_path = *text;
  }
  return true;
}

struct Place {
  std::size_t offset = 0;
  std::uint64_t address = 0;
};

// Where a segment ends before its last page does, there is room in file and memory alike.
std::optional<Place> find_room(std::string_view bytes, const std::vector<Elf64_Phdr>& segments, std::size_t size) {
  constexpr std::size_t k_page = 4096;
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0 || segment.p_filesz != segment.p_memsz) continue;
    const std::size_t end = segment.p_offset + segment.p_filesz;
    const std::size_t room = (k_page - end % k_page) % k_page;
    if (end > bytes.size() || bytes.size() - end < size || room < size) continue;
    const bool is_free = bytes.substr(end, size).find_first_not_of('\0') == bytes.npos &&
                         !std::ranges::any_of(segments, [&](const Elf64_Phdr& other) {
                           return other.p_filesz > 0 && other.p_offset < end + size && other.p_offset >= end;
                         });
    if (is_free) return Place{end, segment.p_vaddr + segment.p_filesz};
  }
  return std::nullopt;
}

struct Table {
  std::size_t begin = 0, size = 0;  // in the file
};

Table table_of(const Reader& file, const std::vector<Elf64_Phdr>& segments, Elf64_Sxword begin_tag,
               Elf64_Sxword size_tag) {
  std::optional<std::size_t> begin;
  std::size_t size = 0;
  for (const auto& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    for (const auto& [at, entry] : dynamic_entries(file, segment)) {
      if (entry.d_tag == begin_tag) begin = offset_of(segments, entry.d_un.d_ptr);
      if (entry.d_tag == size_tag) size = entry.d_un.d_val;
    }
  }
  return begin ? Table{*begin, size} : Table{};
}

// Offsets of the addends by which relocated pointers lead to an address.
std::vector<std::size_t> addends_with(const Reader& file, const std::vector<Elf64_Phdr>& segments,
                                      std::uint64_t address) {
  const auto table = table_of(file, segments, DT_RELA, DT_RELASZ);
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= table.size; at += sizeof(Elf64_Rela)) {
    const auto one = file.get<Elf64_Rela>(table.begin + at);
    if (!one) break;
    if (ELF64_R_TYPE(one->r_info) == k_relative && static_cast<std::uint64_t>(one->r_addend) == address)
      out.push_back(table.begin + at + offsetof(Elf64_Rela, r_addend));
  }
  return out;
}

// Offsets of pointers to an address whose relocations are packed: they hold it themselves. An entry is the address of a
// pointer, or, with its lowest bit set, tells by the others which of the 63 words behind are pointers, too (ELF gABI,
// DT_RELR).
std::vector<std::size_t> packed_pointers_to(const Reader& file, const std::vector<Elf64_Phdr>& segments,
                                            std::uint64_t address) {
  constexpr Elf64_Sxword k_relr = 36, k_relr_size = 35;
  constexpr std::uint64_t k_word = sizeof(std::uint64_t);
  const auto table = table_of(file, segments, k_relr, k_relr_size);
  std::vector<std::size_t> out;
  const auto look_at = [&](std::uint64_t place) {
    const auto offset = offset_of(segments, place);
    if (offset && file.get<std::uint64_t>(*offset) == address) out.push_back(*offset);
  };
  std::uint64_t next = 0;
  for (std::size_t at = 0; at + k_word <= table.size; at += k_word) {
    const auto entry = file.get<std::uint64_t>(table.begin + at);
    if (!entry) break;
    if ((*entry & 1) == 0) {
      look_at(*entry);
      next = *entry + k_word;
      continue;
    }
    for (unsigned bit = 1; bit < 64; ++bit) {
      if ((*entry >> bit & 1) != 0) look_at(next + (bit - 1) * k_word);
    }
    next += 63 * k_word;
  }
  return out;
}

struct Symbols {
  Table entries;
  std::size_t names = 0;  // where their names begin
};

// What the loader may look up, by the table of sections: the segments do not say how many there are.
std::optional<Symbols> symbols_of(const Reader& file) {
  const auto header = file.get<Elf64_Ehdr>(0);
  if (!header || header->e_shentsize != sizeof(Elf64_Shdr)) return std::nullopt;
  const auto section = [&](std::size_t i) { return file.get<Elf64_Shdr>(header->e_shoff + i * sizeof(Elf64_Shdr)); };
  for (std::size_t i = 0; i < header->e_shnum; ++i) {
    const auto one = section(i);
    if (!one) return std::nullopt;
    if (one->sh_type != SHT_DYNSYM) continue;
    const auto names = section(one->sh_link);
    if (!names) return std::nullopt;
    return Symbols{{one->sh_offset, one->sh_size}, names->sh_offset};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Linking> read_linking(std::string_view bytes) {
  const Reader file(bytes);
  const auto segments = segments_of(file);
  if (!segments) return std::nullopt;
  Linking out;
  for (const auto& segment : *segments) {
    if (segment.p_type == PT_INTERP) {
      const auto text = file.text(segment.p_offset);
      if (!text) return std::nullopt;
      out.interpreter = *text;
      out.interpreter_at = segment.p_offset;
    }
    if (segment.p_type == PT_DYNAMIC && !read_dynamic(file, *segments, segment, out)) return std::nullopt;
  }
  return out;
}

std::string relinked(std::string bytes, const Linking& linking, std::string_view interpreter) {
  if (!linking.interpreter.empty()) {
    std::memset(bytes.data() + linking.interpreter_at, 0, linking.interpreter.size());
    std::memcpy(bytes.data() + linking.interpreter_at, interpreter.data(), interpreter.size());
  }
  constexpr Elf64_Sxword k_ignored = 0x6ffff000;  // DT_HIOS: of no meaning to loaders
  for (const auto at : linking.path_at) std::memcpy(bytes.data() + at, &k_ignored, sizeof k_ignored);
  return bytes;
}

std::optional<std::string> with_text(std::string bytes, std::string_view from, std::string_view to) {
  const std::string old = std::string(from) + '\0', fresh = std::string(to) + '\0';
  const auto at = bytes.find(old);
  if (at == bytes.npos) return bytes;
  const Reader file(bytes);
  const auto segments = segments_of(file);
  if (!segments) return std::nullopt;
  const auto address = address_of(*segments, at);
  const auto room = find_room(bytes, *segments, fresh.size());
  if (!address || !room) return std::nullopt;
  auto pointers = addends_with(file, *segments, *address);
  std::ranges::copy(packed_pointers_to(file, *segments, *address), std::back_inserter(pointers));
  if (pointers.empty()) return std::nullopt;
  for (const auto pointer : pointers) std::memcpy(bytes.data() + pointer, &room->address, sizeof room->address);
  bytes.replace(room->offset, fresh.size(), fresh);
  return bytes;
}

std::optional<Code> exported_function(std::string_view bytes, std::string_view name) {
  const Reader file(bytes);
  const auto segments = segments_of(file);
  const auto symbols = symbols_of(file);
  if (!segments || !symbols) return std::nullopt;
  for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= symbols->entries.size; at += sizeof(Elf64_Sym)) {
    const auto symbol = file.get<Elf64_Sym>(symbols->entries.begin + at);
    if (!symbol) return std::nullopt;
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || file.text(symbols->names + symbol->st_name) != name) continue;
    const auto offset = offset_of(*segments, symbol->st_value);
    if (!offset || *offset > bytes.size() || bytes.size() - *offset < symbol->st_size) return std::nullopt;
    return Code{*offset, symbol->st_size};
  }
  return std::nullopt;
}

}  // namespace mbuild::executor
