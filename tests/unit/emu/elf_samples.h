#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platforms/platform.h"

// Small ELF files, made to measure.
namespace mbuild::emu::samples {

struct Segment {
  std::uint32_t type = 1;  // PT_LOAD
  std::string content;
  std::uint32_t align = 8;
};

struct Sample {
  std::string platform = "linux/amd64";
  std::uint16_t type = 2;  // ET_EXEC; 3 is ET_DYN
  std::string code;        // if any, the file is loaded as a whole and begins here
  std::vector<Segment> segments;
  std::size_t gap = 0;  // zero bytes between the program headers and the segments
};

inline constexpr std::uint32_t k_interp = 3, k_dynamic = 2, k_note = 4;

// The bytes of the file.
std::string make_elf(const Sample& sample);
// A dynamically linked program of the platform with this interpreter.
std::string dynamic_program(const std::string& platform, const std::string& interpreter);
// A statically linked program.
std::string static_program(const std::string& platform);
// A static arm64 program that writes its argv[0] to standard output.
std::string print_argv0_arm64();
// A "GNU" note with this descriptor.
std::string gnu_note(bool little_endian, std::uint32_t type, const std::string& desc);
// `value` in 4 bytes.
std::string word(bool little_endian, std::uint64_t value, std::size_t width = 4);

}  // namespace mbuild::emu::samples
