#include "tests/unit/emu/elf_samples.h"

namespace mbuild::emu::samples {
namespace {

const std::string k_print_argv0(
    "\xe1\x07\x40\xf9"   // ldr x1, [sp, #8]
    "\x02\x00\x80\xd2"   // mov x2, #0
    "\x23\x68\x62\x38"   // 1: ldrb w3, [x1, x2]
    "\x63\x00\x00\x34"   // cbz w3, 2f
    "\x42\x04\x00\x91"   // add x2, x2, #1
    "\xfd\xff\xff\x17"   // b 1b
    "\x20\x00\x80\xd2"   // 2: mov x0, #1
    "\x08\x08\x80\xd2"   // mov x8, #64
    "\x01\x00\x00\xd4"   // svc #0
    "\x00\x00\x80\xd2"   // mov x0, #0
    "\xa8\x0b\x80\xd2"   // mov x8, #93
    "\x01\x00\x00\xd4",  // svc #0
    48);

const platforms::Descriptor& descriptor_of(const std::string& platform) {
  return *platforms::find_descriptor(platforms::parse_platform(platform));
}

}  // namespace

std::string word(bool little_endian, std::uint64_t value, std::size_t width) {
  std::string bytes;
  for (std::size_t i = 0; i < width; ++i) {
    bytes.push_back(static_cast<char>(value >> (8 * (little_endian ? i : width - 1 - i))));
  }
  return bytes;
}

std::string make_elf(const Sample& sample) {
  const auto& descriptor = descriptor_of(sample.platform);
  const bool wide = descriptor.elf_class == 2;
  const std::uint64_t base = 0x400000;
  const std::size_t header = wide ? 64 : 52;
  const std::size_t entry = wide ? 56 : 32;
  const std::size_t count = sample.segments.size() + (sample.code.empty() ? 0 : 1);
  const std::size_t contents = (header + entry * count + 15) / 16 * 16 + sample.gap;
  const auto number = [&](std::uint64_t value, std::size_t width) {
    return word(descriptor.little_endian, value, width);
  };
  const auto address = [&](std::uint64_t value) { return number(value, wide ? 8 : 4); };

  std::string file =
      "\x7f"
      "ELF";
  file += static_cast<char>(descriptor.elf_class);
  file += descriptor.little_endian ? '\1' : '\2';
  file += '\1';
  file.resize(16);
  file += number(sample.type, 2) + number(descriptor.elf_machine, 2) + number(1, 4);
  file += address(base + contents) + address(header) + address(0) + number(descriptor.elf_flags, 4);
  file += number(header, 2) + number(entry, 2) + number(count, 2) + number(0, 2) + number(0, 2) + number(0, 2);

  std::string headers;
  std::string body = sample.code;
  const auto add = [&](std::uint32_t type, std::uint64_t offset, std::uint64_t size, std::uint64_t align) {
    headers += number(type, 4);
    if (wide) headers += number(5, 4);
    headers += address(offset) + address(base + offset) + address(base + offset) + address(size) + address(size);
    if (!wide) headers += number(5, 4);
    headers += address(align);
  };
  if (!sample.code.empty()) add(1, 0, contents + sample.code.size(), 0x1000);
  for (const Segment& segment : sample.segments) {
    body.resize((body.size() + 7) / 8 * 8);
    add(segment.type, contents + body.size(), segment.content.size(), segment.align);
    body += segment.content;
  }
  file += headers;
  file.resize(contents);
  return file + body;
}

std::string dynamic_program(const std::string& platform, const std::string& interpreter) {
  return make_elf({.platform = platform,
                   .type = 3,
                   .code = "",
                   .segments = {{.type = k_interp, .content = interpreter + '\0', .align = 1}},
                   .gap = 0});
}

std::string static_program(const std::string& platform) {
  return make_elf({.platform = platform, .type = 2, .code = "code", .segments = {}, .gap = 0});
}

std::string gnu_note(bool little_endian, std::uint32_t type, const std::string& desc) {
  return word(little_endian, 4) + word(little_endian, desc.size()) + word(little_endian, type) +
         std::string("GNU\0", 4) + desc;
}

std::string print_argv0_arm64() {
  return make_elf({.platform = "linux/arm64", .type = 2, .code = k_print_argv0, .segments = {}, .gap = 0});
}

}  // namespace mbuild::emu::samples
