#include "worker/native/make.h"

#include <elf.h>

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.h"
#include "worker/native/linking.h"

namespace mbuild::executor {
namespace {

// The text by which make tells of the host that it was built for ("x86_64-pc-linux-gnu"); "" where there is none.
std::string host_triplet(std::string_view program) {
  constexpr std::string_view k_tail = "-linux-gnu";
  for (auto at = program.find(k_tail); at != program.npos; at = program.find(k_tail, at + 1)) {
    auto begin = at;
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(program[begin - 1])) != 0 ||
                         std::string_view("_-").contains(program[begin - 1])))
      --begin;
    const std::string_view text = program.substr(begin, program.find('\0', at) - begin);
    if (text.contains("-pc-") || text.contains("-unknown-")) return std::string(text);
  }
  return "";
}

std::string with_triplet(std::string native, std::string_view emulated) {
  const std::string from = host_triplet(native), to = host_triplet(emulated);
  if (from.empty() || from == to) return native;
  auto out = with_text(std::move(native), from, to);
  if (!out || to.empty()) throw Error(ExitClass::host, "make tells of the host that it was built for");
  return std::move(*out);
}

// Whether plain characters have a sign on the platform of an ELF program, by the ABI of its processor.
bool has_signed_characters(std::string_view program) {
  Elf64_Half machine = EM_NONE;
  if (program.size() >= sizeof(Elf64_Ehdr))
    std::memcpy(&machine, program.data() + offsetof(Elf64_Ehdr, e_machine), sizeof machine);
  return machine == EM_X86_64 || machine == EM_386 || machine == EM_MIPS || machine == EM_LOONGARCH;
}

// Has a function load characters with a sign where it loaded them without one, or the other way round: from the sign
// that they have on this host. Returns how many loads there were.
int turn_loads(std::string& bytes, Code code) {
  int turned = 0;
#if defined(__aarch64__)
  constexpr std::uint32_t k_ldrb = 0x39400000, k_opcode = 0xffc00000, k_sign = 0x00800000;
  for (auto at = code.at; at + sizeof(std::uint32_t) <= code.at + code.size; at += sizeof(std::uint32_t)) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if ((word & k_opcode) != k_ldrb) continue;
    word |= k_sign;  // ldrsb
    std::memcpy(bytes.data() + at, &word, sizeof word);
    ++turned;
  }
#else
  for (auto at = bytes.find("\x0f\xbe", code.at); at < code.at + code.size; at = bytes.find("\x0f\xbe", at + 2)) {
    bytes[at + 1] = '\xb6';  // movsx to movzx
    ++turned;
  }
#endif
  return turned;
}

// $(sort) compares the first characters of two words by their difference, and the rest by strcmp.
std::string with_order(std::string native, std::string_view emulated) {
  if (has_signed_characters(emulated) == std::numeric_limits<char>::is_signed) return native;
  const auto code = exported_function(native, "alpha_compare");
  if (!code || turn_loads(native, *code) != 2) {
    throw Error(ExitClass::host, "make sorts words by characters of another sign");
  }
  return native;
}

}  // namespace

std::string make_as_emulated(std::string native, std::string_view emulated) {
  return with_order(with_triplet(std::move(native), emulated), emulated);
}

}  // namespace mbuild::executor
