#include "emu/portable.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/strings.h"
#include "emu/emulator.h"

// Whoever is told that a stage could as well run on the host believes it: a doubt counts against.
namespace mbuild::emu {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view k_zip = "PK\x03\x04"sv, k_zip_entry = "PK\x01\x02"sv;

// The beginnings of programs, archives of objects, compressed files and packages.
constexpr std::array k_not_portable = {
    "\x7f"
    "ELF"sv,
    "!<arch>"sv,
    "MZ"sv,
    "\xcf\xfa\xed\xfe"sv,
    "\xfe\xed\xfa\xcf"sv,
    "\xca\xfe\xba\xbe\0\0\0\1"sv,  // of several architectures: one,
    "\xca\xfe\xba\xbe\0\0\0\2"sv,  // two (a Java class has a larger number)
    "\x1f\x8b"sv,
    "BZh"sv,
    "\xfd"
    "7zXZ"sv,
    "\x28\xb5\x2f\xfd"sv,
    "\xed\xab\xee\xdb"sv};

bool is_library_name(std::string_view name) {
  for (const std::string_view end : {".so"sv, ".dll"sv, ".dylib"sv, ".jnilib"sv, ".node"sv, ".pyd"sv, ".exe"sv}) {
    if (name.ends_with(end)) return true;
  }
  return name.find(".so.") != name.npos;
}

std::size_t number_at(std::string_view bytes, std::size_t offset) {
  return static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[offset])) |
         static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[offset + 1])) << 8;
}

// By the names in the archive's directory, which are not packed.
bool has_library(std::string_view zip) {
  constexpr std::size_t k_header = 46, k_name_size = 28;
  for (auto at = zip.find(k_zip_entry); at != zip.npos; at = zip.find(k_zip_entry, at + 1)) {
    if (at + k_header > zip.size()) return true;
    if (is_library_name(zip.substr(at + k_header, number_at(zip, at + k_name_size)))) return true;
  }
  return false;
}

bool has_word_of(std::string_view text, const platforms::Descriptor& platform) {
  const std::string machine = machine_name(platform.platform);
  return text.find(platform.platform.arch) != text.npos || (!machine.empty() && text.find(machine) != text.npos);
}

}  // namespace

bool is_portable(std::string_view path, std::string_view content, const platforms::Descriptor& platform) {
  if (content.size() > k_most_portable_bytes || is_library_name(path)) return false;
  if (std::ranges::any_of(k_not_portable, [&](std::string_view begin) { return content.starts_with(begin); }))
    return false;
  if (content.starts_with(k_zip) && has_library(content)) return false;
  return !has_word_of(path, platform) && !has_word_of(content, platform);
}

}  // namespace mbuild::emu
