#include "emu/accel/inject.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/own_directory.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "emu/accel/piece/protocol.h"

extern "C" const char mbuild_accel_piece[];
extern "C" const char mbuild_accel_piece_end[];
extern "C" const char mbuild_accel_preload[];
extern "C" const char mbuild_accel_preload_end[];

// The kernel wants loadable segments in the order of their addresses, and nothing else of the order of program headers;
// so the note's header goes, and that of the new segment comes after the last loadable one. The segment begins on a
// page of the largest size that an architecture has.
namespace mbuild::emu {
namespace {

#if defined(__aarch64__)
constexpr Elf64_Half k_machine = EM_AARCH64;
#else
constexpr Elf64_Half k_machine = EM_X86_64;
#endif
constexpr std::size_t k_page = 0x10000, k_slot = 8, k_entry = 16;  // as piece.c has them

template <class T>
T read_at(std::string_view bytes, std::size_t offset) {
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

std::size_t round_up(std::size_t value) { return (value + k_page - 1) / k_page * k_page; }

bool is_understood(const Elf64_Ehdr& header, std::size_t size) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == k_machine &&
         (header.e_type == ET_EXEC || header.e_type == ET_DYN) && header.e_phentsize == sizeof(Elf64_Phdr) &&
         header.e_phoff % alignof(Elf64_Phdr) == 0 && header.e_phoff < size &&
         header.e_phnum * sizeof(Elf64_Phdr) <= size - header.e_phoff;
}

using Segments = std::vector<Elf64_Phdr>;

Segments read_segments(std::string_view emulator, const Elf64_Ehdr& header) {
  Segments out(header.e_phnum);
  std::memcpy(out.data(), emulator.data() + header.e_phoff, out.size() * sizeof(Elf64_Phdr));
  return out;
}

// The first address behind all segments; nothing where they are not in order.
std::optional<std::size_t> end_of(const Segments& segments) {
  std::size_t end = 0;
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_vaddr < end || segment.p_memsz > SIZE_MAX / 4 || segment.p_vaddr > SIZE_MAX / 4) return std::nullopt;
    end = segment.p_vaddr + segment.p_memsz;
  }
  return end == 0 ? std::nullopt : std::optional(end);
}

// Puts `segment` behind the last loadable one, in the place of a note; false where there is no note.
bool replace_note(Segments& segments, const Elf64_Phdr& segment) {
  const auto is_note = [](const Elf64_Phdr& one) { return one.p_type == PT_NOTE; };
  const auto note = std::find_if(segments.rbegin(), segments.rend(), is_note);
  if (note == segments.rend()) return false;
  segments.erase(std::next(note).base());
  const auto is_load = [](const Elf64_Phdr& one) { return one.p_type == PT_LOAD; };
  segments.insert(std::find_if(segments.rbegin(), segments.rend(), is_load).base(), segment);
  return true;
}

std::string piece_with_exit(std::string_view piece, std::int64_t distance) {
  std::string out(piece);
  std::memcpy(out.data(), &distance, k_slot);
  return out;
}

// Names the very file: its bytes are not read to know that a copy is there.
std::string copy_name(const struct stat& status) {
  Sha256 hash;
  hash.field(accel_piece());
  for (const auto number :
       {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
        static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_mtim.tv_sec),
        static_cast<std::uint64_t>(status.st_mtim.tv_nsec), static_cast<std::uint64_t>(status.st_ctim.tv_sec),
        static_cast<std::uint64_t>(status.st_ctim.tv_nsec)}) {
    hash.number(number);
  }
  return std::string(digest_hex(hash.digest())).substr(0, 16);
}

// Where the piece goes, and what then stands in the header and the program headers.
struct Plan {
  Elf64_Ehdr header;
  Segments segments;
  std::size_t piece_at = 0;
  std::int64_t exit_distance = 0;  // from the piece to the emulator's own entry
};

std::optional<Plan> plan_for(std::string_view emulator, std::size_t piece_size) {
  if (emulator.size() < sizeof(Elf64_Ehdr)) return std::nullopt;
  Plan out{.header = read_at<Elf64_Ehdr>(emulator, 0), .segments = {}};
  if (!is_understood(out.header, emulator.size())) return std::nullopt;
  out.segments = read_segments(emulator, out.header);
  const bool has_interpreter =
      std::any_of(out.segments.begin(), out.segments.end(), [](const auto& one) { return one.p_type == PT_INTERP; });
  const auto end = end_of(out.segments);
  if (has_interpreter || !end) return std::nullopt;

  Elf64_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_offset = out.piece_at = round_up(emulator.size());
  segment.p_vaddr = segment.p_paddr = round_up(*end);
  segment.p_filesz = segment.p_memsz = piece_size;
  segment.p_align = k_page;
  if (!replace_note(out.segments, segment)) return std::nullopt;
  out.exit_distance = static_cast<std::int64_t>(out.header.e_entry - segment.p_vaddr);
  out.header.e_entry = segment.p_vaddr + k_entry;
  return out;
}

}  // namespace

std::string_view accel_piece() {
  return {mbuild_accel_piece, static_cast<std::size_t>(mbuild_accel_piece_end - mbuild_accel_piece)};
}

std::string accel_preload(std::string_view architecture) {
  std::string library(mbuild_accel_preload, static_cast<std::size_t>(mbuild_accel_preload_end - mbuild_accel_preload));
  std::string name(architecture);
  name.resize(std::string_view(MBUILD_ACCEL_ARCHITECTURE).size(), '\0');
  library.replace(library.find(MBUILD_ACCEL_ARCHITECTURE), name.size(), name);
  return library;
}

std::optional<std::string> inject_piece(std::string_view emulator, std::string_view piece) {
  const auto plan = plan_for(emulator, piece.size());
  if (!plan) return std::nullopt;
  std::string out(emulator);
  out.resize(plan->piece_at);
  out += piece_with_exit(piece, plan->exit_distance);
  std::memcpy(out.data(), &plan->header, sizeof plan->header);
  std::memcpy(out.data() + plan->header.e_phoff, plan->segments.data(), plan->segments.size() * sizeof(Elf64_Phdr));
  return out;
}

bool is_layout_understood(const std::string& path) {
  try {
    return plan_for(read_all(open_file(path, O_RDONLY).get()), accel_piece().size()).has_value();
  } catch (const Error&) {
    return false;
  }
}

std::string accelerated_emulator(const std::string& path, const std::string& directory) {
  const Fd file = open_file(path, O_RDONLY);
  struct stat status;
  if (::fstat(file.get(), &status) < 0) throw system_error(errno, "stat " + path);
  const std::string place = fmt::format("{}/{}", directory, copy_name(status));
  const std::string copy = join_path(place, base_name(path));
  ::utimensat(AT_FDCWD, place.c_str(), nullptr, 0);  // who removes what is not in use goes by the time
  if (::access(copy.c_str(), X_OK) == 0) return copy;
  const auto bytes = inject_piece(read_all(file.get()), accel_piece());
  if (!bytes) return "";
  make_directories(place);
  PartialFile out(copy, 0755);
  write_all(out.fd(), *bytes);
  out.commit();
  return copy;
}

}  // namespace mbuild::emu
