#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "platforms/descriptions.h"
#include "platforms/platform.h"

// A description is parsed when somebody asks for its platform, once: most builds need one or two of them, and
// "mbuild --version" none.
namespace mbuild::platforms {
namespace {

Error description_error(std::string_view name, std::string_view what) {
  return Error(ExitClass::internal, fmt::format("platforms/{}.toml: {}", name, what));
}

std::vector<std::string> string_list(const toml::node_view<const toml::node> node) {
  std::vector<std::string> strings;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) strings.push_back(element.value_or(std::string()));
  }
  return strings;
}

// "7f454c46 0201": blanks are for the reader.
std::string raw_bytes(std::string_view hex) {
  std::string digits;
  std::ranges::remove_copy(hex, std::back_inserter(digits), ' ');
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= digits.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, value, 16);
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

std::vector<IsaLevel> isa_levels(const toml::table& table) {
  std::vector<IsaLevel> levels;
  if (const toml::table* named = table["isa_levels"].as_table()) {
    for (auto&& [variant, bits] : *named) {
      levels.push_back({std::string(variant.str()), static_cast<std::uint32_t>(bits.value_or(std::int64_t{0}))});
    }
  }
  std::ranges::sort(levels, {}, &IsaLevel::needed);
  return levels;
}

void check(const Descriptor& descriptor, const Description& description) {
  if (descriptor.elf_machine == 0 || (descriptor.elf_class != 1 && descriptor.elf_class != 2)) {
    throw description_error(description.name, "elf.machine or elf.class is missing");
  }
  if (descriptor.binfmt_magic.empty() || descriptor.binfmt_magic.size() != descriptor.binfmt_mask.size()) {
    throw description_error(description.name, "binfmt.magic and binfmt.mask differ in length");
  }
}

Descriptor parse_description(const Description& description) try {
  const toml::table table = toml::parse(description.text);
  Descriptor descriptor;
  descriptor.name = table["platform"].value_or(std::string());
  descriptor.platform = parse_platform(descriptor.name);
  descriptor.processor = table["processor"].value_or(std::string());
  descriptor.variants = string_list(table["variants"]);
  descriptor.isa_levels = isa_levels(table);
  descriptor.loaders = string_list(table["loaders"]);
  descriptor.elf_machine = static_cast<std::uint16_t>(table["elf"]["machine"].value_or(std::int64_t{0}));
  descriptor.elf_class = static_cast<std::uint8_t>(table["elf"]["class"].value_or(std::int64_t{0}) / 32);
  descriptor.little_endian = table["elf"]["byte_order"].value_or(std::string()) == "little";
  descriptor.elf_flags = static_cast<std::uint32_t>(table["elf"]["flags"].value_or(std::int64_t{0}));
  descriptor.exit_code = raw_bytes(table["probe"]["code"].value_or(std::string()));
  descriptor.emulators = string_list(table["emulators"]);
  descriptor.binfmt_magic = raw_bytes(table["binfmt"]["magic"].value_or(std::string()));
  descriptor.binfmt_mask = raw_bytes(table["binfmt"]["mask"].value_or(std::string()));
  descriptor.native_on = string_list(table["native_on"]);
  check(descriptor, description);
  return descriptor;
} catch (const toml::parse_error& error) {
  throw description_error(description.name, error.description());
}

class Catalogue {
 public:
  Catalogue() : read_(std::make_unique<std::once_flag[]>(descriptions().size())), descriptors_(descriptions().size()) {}

  const Descriptor& at(std::size_t index) {
    std::call_once(read_[index], [&] { descriptors_[index] = parse_description(descriptions()[index]); });
    return descriptors_[index];
  }

  std::span<const Descriptor> all() {
    for (std::size_t i = 0; i < descriptors_.size(); ++i) at(i);
    return descriptors_;
  }

 private:
  std::unique_ptr<std::once_flag[]> read_;
  std::vector<Descriptor> descriptors_;
};

Catalogue& catalogue() {
  static Catalogue instance;
  return instance;
}

}  // namespace

const Descriptor* find_descriptor(const Platform& platform) {
  const std::string architecture = platform.os + "-" + platform.arch;
  const std::string exact = platform.variant.empty() ? architecture : architecture + "-" + platform.variant;
  const Descriptor* nearest = nullptr;
  // Names are in order, so that of linux-arm-v5, -v6, -v7 the last, the usual one, stands for an unknown variant.
  for (std::size_t i = 0; i < descriptions().size(); ++i) {
    const std::string_view name = descriptions()[i].name;
    if (name == exact) return &catalogue().at(i);
    if (name == architecture || name.starts_with(architecture + "-v")) nearest = &catalogue().at(i);
  }
  return nearest;
}

const Descriptor* find_descriptor_by_elf(std::uint16_t machine, std::uint8_t elf_class, bool little_endian) {
  const Descriptor* found = nullptr;
  for (const Descriptor& descriptor : all_descriptors()) {
    if (descriptor.elf_machine != machine || descriptor.elf_class != elf_class) continue;
    if (descriptor.little_endian == little_endian) found = &descriptor;
  }
  return found;
}

std::span<const Descriptor> all_descriptors() { return catalogue().all(); }

}  // namespace mbuild::platforms
