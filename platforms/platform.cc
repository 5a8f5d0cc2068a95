#include "platforms/platform.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

// The names and their spellings are those of containerd's platforms package, which Docker's tools share: what one of
// them writes into an image index must be found by the others.
namespace mbuild::platforms {
namespace {

constexpr std::array<std::string_view, 17> k_systems = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios", "js",
    "linux", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "windows", "zos"};

constexpr std::array<std::string_view, 27> k_architectures = {
    "386",     "amd64",  "amd64p32", "arm",       "armbe",       "arm64", "arm64be", "loong64", "mips",
    "mipsle",  "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc",   "ppc64",   "ppc64le", "riscv",
    "riscv64", "s390",   "s390x",    "sparc",     "sparc64",     "wasm",  "wasm32",  "m68k",    "alpha"};

bool is_known(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Error parse_error(std::string_view text, std::string_view reason) {
  return Error(ExitClass::usage, fmt::format("failed to parse platform \"{}\": {}: invalid argument", text, reason))
      .with_advice("A platform is written os/arch or os/arch/variant, for example linux/arm64 or linux/arm/v7.");
}

bool is_component_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool is_component(std::string_view part) { return !part.empty() && std::ranges::all_of(part, is_component_character); }

std::string normal_system(std::string_view os) {
  std::string name = to_lower(os);
  return name == "macos" ? "darwin" : name;
}

std::string normal_arm_variant(std::string_view variant) {
  if (variant.empty() || variant == "7") return "v7";
  if (variant == "5" || variant == "6" || variant == "8") return fmt::format("v{}", variant);
  return std::string(variant);
}

std::string normal_arm64_variant(std::string_view variant) {
  if (variant == "8" || variant == "v8" || variant == "v8.0") return "";
  if (variant == "9" || variant == "9.0" || variant == "v9.0") return "v9";
  return std::string(variant);
}

// Architecture and variant under their canonical names.
std::pair<std::string, std::string> normal_architecture(std::string_view arch_text, std::string_view variant_text) {
  const std::string arch = to_lower(arch_text);
  const std::string variant = to_lower(variant_text);
  if (arch == "i386" || arch == "i486" || arch == "i586" || arch == "i686") return {"386", ""};
  if (arch == "amd64" || arch == "x86_64" || arch == "x86-64") return {"amd64", variant == "v1" ? "" : variant};
  if (arch == "arm64" || arch == "aarch64") return {"arm64", normal_arm64_variant(variant)};
  if (arch == "armhf") return {"arm", "v7"};
  if (arch == "armel") return {"arm", "v6"};
  if (arch == "arm") return {"arm", normal_arm_variant(variant)};
  return {arch, variant};
}

// "os" or "os(version)"; false where it is neither.
bool parse_system(std::string_view part, Platform& platform) {
  const std::size_t open = part.find('(');
  const std::string_view name = part.substr(0, open);
  if (!is_component(name) || name.find('.') != std::string_view::npos) return false;
  platform.os = normal_system(name);
  if (open == std::string_view::npos) return true;
  if (!part.ends_with(')')) return false;
  const std::string_view version = part.substr(open + 1, part.size() - open - 2);
  if (!std::ranges::all_of(version, is_component_character)) return false;
  platform.os_version = version;
  return true;
}

Platform parse_single_word(std::string_view text, Platform platform) {
  if (is_known(k_systems, platform.os)) {
    platform.arch = host_platform().arch;
    platform.variant = host_platform().variant;
    return platform;
  }
  std::tie(platform.arch, platform.variant) = normal_architecture(text, "");
  if (!is_known(k_architectures, platform.arch)) {
    throw parse_error(text, "unknown operating system or architecture");
  }
  platform.os = host_platform().os;
  return platform;
}

// What the kernel calls the processor, in the words of images.
std::pair<std::string, std::string> architecture_of_machine(std::string_view machine) {
  constexpr bool little = std::endian::native == std::endian::little;
  if (machine == "loongarch64") return {"loong64", ""};
  if (machine == "mips64") return {little ? "mips64le" : "mips64", ""};
  if (machine == "mips") return {little ? "mipsle" : "mips", ""};
  if (machine.starts_with("armv8")) return {"arm", "v8"};
  if (machine.starts_with("armv7")) return {"arm", "v7"};
  if (machine.starts_with("armv6")) return {"arm", "v6"};
  if (machine.starts_with("armv5")) return {"arm", "v5"};
  return normal_architecture(machine, "");
}

Platform detect_host() {
  utsname names{};
  if (::uname(&names) != 0) return {.os = "linux", .arch = "amd64", .variant = "", .os_version = ""};
  auto [arch, variant] = architecture_of_machine(names.machine);
  return {.os = normal_system(names.sysname), .arch = arch, .variant = variant, .os_version = ""};
}

struct VariantNumber {
  int major = 0;
  int minor = 0;
  auto operator<=>(const VariantNumber&) const = default;
};

// "v8.2" -> 8.2; nothing where it is no such number.
std::optional<VariantNumber> variant_number(std::string_view variant) {
  if (!variant.starts_with('v')) return std::nullopt;
  const auto parts = split(variant.substr(1), '.');
  if (parts.size() > 2) return std::nullopt;
  VariantNumber number;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty() || part.size() > 3 || part.find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    (i == 0 ? number.major : number.minor) = std::stoi(part);
  }
  return number;
}

std::string_view base_variant(std::string_view arch) {
  if (arch == "amd64") return "v1";
  if (arch == "arm64") return "v8";
  if (arch == "arm") return "v7";
  return "";
}

// An older variant runs on a newer processor, not the other way round.
bool variant_satisfies(const Platform& image, const Platform& wanted) {
  if (image.variant == wanted.variant) return true;
  const std::string_view base = base_variant(image.arch);
  const auto have = variant_number(image.variant.empty() ? base : std::string_view(image.variant));
  const auto want = variant_number(wanted.variant.empty() ? base : std::string_view(wanted.variant));
  if (!have || !want) return false;
  // Armv9.x has all of Armv8.(x+5), and of later Armv8 extensions nothing is known.
  if (image.arch == "arm64" && have->major == 8 && want->major == 9) return have->minor <= want->minor + 5;
  return *have <= *want;
}

bool version_satisfies(std::string_view image, std::string_view wanted) {
  if (image.empty() || wanted.empty() || image == wanted) return true;
  return image.starts_with(wanted) && image[wanted.size()] == '.';
}

}  // namespace

Platform parse_platform(std::string_view text) {
  if (text.find('*') != std::string_view::npos) throw parse_error(text, "wildcards are not supported");
  const auto parts = split(text, '/');
  Platform platform;
  if (!parse_system(parts[0], platform)) {
    throw parse_error(text, fmt::format("\"{}\" is an invalid OS component of \"{}\"", parts[0], text));
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (is_component(parts[i])) continue;
    throw parse_error(text, fmt::format("\"{}\" is an invalid component of \"{}\"", parts[i], text));
  }
  if (parts.size() == 1) return parse_single_word(text, std::move(platform));
  if (parts.size() > 3) throw parse_error(text, "cannot parse platform specifier");
  std::tie(platform.arch, platform.variant) = normal_architecture(parts[1], parts.size() == 3 ? parts[2] : "");
  return platform;
}

std::vector<Platform> parse_platform_list(std::string_view text) {
  std::vector<Platform> platforms;
  for (const std::string& word : split(text, ',')) {
    const std::string_view name = trim(word);
    Platform platform = name == "local" ? host_platform() : parse_platform(name);
    if (std::ranges::find(platforms, platform) == platforms.end()) platforms.push_back(std::move(platform));
  }
  return platforms;
}

std::string to_string(const Platform& platform) {
  std::string text = platform.os;
  if (!platform.os_version.empty()) text += fmt::format("({})", platform.os_version);
  text += "/" + platform.arch;
  if (!platform.variant.empty()) text += "/" + platform.variant;
  return text;
}

const Platform& host_platform() {
  static const Platform host = detect_host();
  return host;
}

Platform normalise(Platform platform) {
  platform.os = platform.os.empty() ? host_platform().os : normal_system(platform.os);
  if (platform.arch.empty()) {
    platform.arch = host_platform().arch;
    if (platform.variant.empty()) platform.variant = host_platform().variant;
  }
  std::tie(platform.arch, platform.variant) = normal_architecture(platform.arch, platform.variant);
  return platform;
}

Platform checked(Platform platform) {
  constexpr std::size_t k_longest = 64;
  const std::pair<const char*, const std::string*> members[] = {{"os", &platform.os},
                                                                {"architecture", &platform.arch},
                                                                {"variant", &platform.variant},
                                                                {"os.version", &platform.os_version}};
  for (const auto& [name, value] : members) {
    if (value->size() <= k_longest && std::ranges::all_of(*value, is_component_character)) continue;
    throw Error(ExitClass::network, fmt::format("\"{}\" is no {} of a platform", clip_text(*value, k_longest), name))
        .with_advice("The image is broken: have it built and pushed again.");
  }
  return normalise(std::move(platform));
}

bool satisfies(const Platform& image, const Platform& wanted) {
  const Platform have = normalise(image);
  const Platform want = normalise(wanted);
  return have.os == want.os && have.arch == want.arch && variant_satisfies(have, want) &&
         version_satisfies(have.os_version, want.os_version);
}

}  // namespace mbuild::platforms
