#include "emu/binfmt.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::emu {
namespace {

// The kernel refuses longer registrations (MAX_REGISTER_LENGTH).
constexpr std::size_t k_line_bytes = 1920;

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// A character that is in none of the fields.
char separator_for(std::string_view path) {
  for (const char c : {':', '|', ',', ';', '!', '\t'}) {
    if (path.find(c) == std::string_view::npos) return c;
  }
  throw Error(ExitClass::host, fmt::format("no registration can be written for the emulator {}", path))
      .with_advice("Move it to a path without punctuation.");
}

std::optional<std::string> bytes_of(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    const char* const end = hex.data() + i + 2;
    if (std::from_chars(hex.data() + i, end, value, 16).ptr != end) return std::nullopt;
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

std::size_t number_of(std::string_view digits) {
  std::size_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// One "key value" line of a handler's file; false where it does not belong there.
bool read_line(std::string_view line, Handler& handler) {
  const std::size_t blank = line.find(' ');
  const std::string_view key = line.substr(0, blank);
  const std::string_view value = blank == std::string_view::npos ? "" : line.substr(blank + 1);
  if (key == "enabled" || key == "disabled") {
    handler.enabled = key == "enabled";
  } else if (key == "interpreter") {
    handler.interpreter = value;
  } else if (key == "flags:") {
    handler.flags = trim(value);
  } else if (key == "offset") {
    handler.offset = number_of(value);
  } else if (key == "magic" || key == "mask") {
    auto bytes = bytes_of(value);
    if (!bytes) return false;
    (key == "magic" ? handler.magic : handler.mask) = std::move(*bytes);
  }
  return true;
}

bool takes(const Handler& handler, std::string_view file_start) {
  if (handler.offset + handler.magic.size() > file_start.size()) return false;
  for (std::size_t i = 0; i < handler.magic.size(); ++i) {
    if (((handler.magic[i] ^ file_start[handler.offset + i]) & handler.mask[i]) != 0) return false;
  }
  return true;
}

// The start of an ELF file of the platform with this e_type; what follows in a file is machine-dependent and zero here.
std::string file_start(const platforms::Descriptor& descriptor, char type) {
  constexpr std::size_t k_type_offset = 16;
  std::string start = descriptor.binfmt_magic;
  start.resize(256);
  start[k_type_offset + (descriptor.little_endian ? 0 : 1)] = type;
  return start;
}

}  // namespace

std::string registration_name(const platforms::Descriptor& descriptor) {
  std::string name = "mbuild-" + descriptor.name;
  std::ranges::replace(name, '/', '-');
  return name;
}

std::string registration_line(const platforms::Descriptor& descriptor, std::string_view emulator_path) {
  if (emulator_path.find('\n') != std::string_view::npos || emulator_path.find('\0') != std::string_view::npos) {
    throw Error(ExitClass::host, "the path of the emulator contains a line end");
  }
  const char separator = separator_for(emulator_path);
  std::string line = fmt::format("{0}{1}{0}M{0}{0}{2}{0}{3}{0}{4}{0}POCF", separator, registration_name(descriptor),
                                 escaped(descriptor.binfmt_magic), escaped(descriptor.binfmt_mask), emulator_path);
  if (line.size() > k_line_bytes) {
    throw Error(ExitClass::host, fmt::format("the path of the emulator is too long for the kernel: {}", emulator_path))
        .with_advice("Name a directory with a shorter path in MBUILD_QEMU_DIR.");
  }
  return line;
}

std::optional<Handler> parse_handler(std::string name, std::string_view text) {
  if (!text.starts_with("enabled\n") && !text.starts_with("disabled\n")) return std::nullopt;
  Handler handler;
  handler.name = std::move(name);
  for (const std::string& line : split(text, '\n')) {
    if (!read_line(line, handler)) return std::nullopt;
  }
  if (handler.interpreter.empty()) return std::nullopt;
  if (handler.mask.empty()) handler.mask.assign(handler.magic.size(), '\xff');
  if (handler.mask.size() != handler.magic.size()) return std::nullopt;
  return handler;
}

bool matches(const Handler& handler, const platforms::Descriptor& descriptor) {
  if (handler.magic.empty()) return false;
  return takes(handler, file_start(descriptor, 2)) && takes(handler, file_start(descriptor, 3));
}

std::optional<std::vector<Handler>> read_handlers(const std::string& directory) {
  namespace fs = std::filesystem;
  try {
    if (trim(read_file(join_path(directory, "status"))) != "enabled") return std::nullopt;
    std::vector<Handler> handlers;
    for (const auto& entry : fs::directory_iterator(directory)) {
      std::string name = entry.path().filename();
      if (name == "register" || name == "status") continue;
      auto handler = parse_handler(name, read_file(entry.path()));
      if (handler) handlers.push_back(std::move(*handler));
    }
    std::ranges::sort(handlers, {}, &Handler::name);
    return handlers;
  } catch (const Error&) {
    return std::nullopt;
  } catch (const fs::filesystem_error&) {
    return std::nullopt;
  }
}

}  // namespace mbuild::emu
