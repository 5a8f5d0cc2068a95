#include "worker/native/make.h"

#include <elf.h>

#include <cstring>
#include <string>

#include "base/error.h"
#include "tests/catch.h"
#include "worker/native/linking.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

template <class T>
std::string bytes_of(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

#if defined(__aarch64__)
constexpr Elf64_Half k_host = EM_AARCH64, k_other = EM_X86_64, k_same = EM_RISCV;
// ldrb w2, [x0]; ldrb w3, [x1]; sub w0, w2, w3; ret
const std::string k_code("\x02\x00\x40\x39\x23\x00\x40\x39\x40\x00\x03\x4b\xc0\x03\x5f\xd6", 16);
const std::string k_turned("\x02\x00\xc0\x39\x23\x00\xc0\x39\x40\x00\x03\x4b\xc0\x03\x5f\xd6", 16);
#else
constexpr Elf64_Half k_host = EM_X86_64, k_other = EM_AARCH64, k_same = EM_386;
// movsbl (%rdi),%eax; movsbl (%rsi),%edx; sub %edx,%eax; ret
const std::string k_code("\x0f\xbe\x07\x0f\xbe\x16\x29\xd0\xc3", 9);
const std::string k_turned("\x0f\xb6\x07\x0f\xb6\x16\x29\xd0\xc3", 9);
#endif

Elf64_Ehdr header_for(Elf64_Half machine) {
  Elf64_Ehdr out = {};
  std::memcpy(out.e_ident, ELFMAG, SELFMAG);
  out.e_ident[EI_CLASS] = ELFCLASS64;
  out.e_machine = machine;
  return out;
}

// A program of this host that is a function alone, which it exports. The code of the next one follows.
std::string program(const std::string& function, const std::string& code) {
  const std::string behind = k_code, names = '\0' + function + '\0';
  auto header = header_for(k_host);
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_vaddr = 0x10000;
  segment.p_filesz = segment.p_memsz = code.size() + behind.size();
  Elf64_Sym symbol = {};
  symbol.st_name = 1;
  symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  symbol.st_value = segment.p_vaddr;
  symbol.st_size = code.size();
  Elf64_Shdr symbols = {}, strings = {};
  symbols.sh_type = SHT_DYNSYM;
  symbols.sh_offset = segment.p_offset + segment.p_filesz;
  symbols.sh_size = 2 * sizeof symbol;
  symbols.sh_link = 1;
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = symbols.sh_offset + symbols.sh_size;
  header.e_shoff = strings.sh_offset + names.size();
  header.e_shentsize = sizeof symbols;
  header.e_shnum = 2;
  return bytes_of(header) + bytes_of(segment) + code + behind + bytes_of(Elf64_Sym{}) + bytes_of(symbol) + names +
         bytes_of(symbols) + bytes_of(strings);
}

}  // namespace

TEST_CASE("the function that a program exports", "[native]") {
  const std::string bytes = program("alpha_compare", k_code);
  const auto code = exported_function(bytes, "alpha_compare");
  REQUIRE(code);
  CHECK(bytes.substr(code->at, code->size) == k_code);
  CHECK(!exported_function(bytes, "alpha"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_NOTHROW(exported_function(bytes.substr(0, size), "alpha_compare"));
  }
}

TEST_CASE("make sorts words by characters of the emulated platform", "[native]") {
  const std::string bytes = program("alpha_compare", k_code);
  CHECK(make_as_emulated(bytes, bytes_of(header_for(k_other))) == program("alpha_compare", k_turned));
  CHECK(make_as_emulated(bytes, bytes_of(header_for(k_same))) == bytes);
}

TEST_CASE("a make that is not known to sort by characters of the emulated platform is refused", "[native]") {
  const std::string other = bytes_of(header_for(k_other));
  CHECK_THROWS_AS(make_as_emulated(program("another", k_code), other), Error);
  CHECK_THROWS_AS(make_as_emulated(program("alpha_compare", k_turned), other), Error);
  CHECK_THROWS_AS(make_as_emulated(program("alpha_compare", k_code + k_code), other), Error);
  CHECK_NOTHROW(make_as_emulated(program("another", k_code), bytes_of(header_for(k_same))));
}
