#include "worker/native/compilers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/native/root_files.h"

// The drivers (gcc, g++), collect2 and lto-wrapper stay what they are: they know the paths and the specs, and what they
// cost is little. What they start is here. A cross compiler is the native one but for the directories that it has
// compiled in: <libdir>/gcc-cross in the place of <libdir>/gcc, and the target's own include directory below
// /usr/<triplet>. These are C strings that are changed in place, always to shorter ones.
namespace mbuild::executor {
namespace {

constexpr std::string_view k_own = "usr/libexec/gcc/", k_cross = "usr/libexec/gcc-cross/";

bool is_version(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

struct CompilerPath {
  std::string triplet, version, name;
};

// usr/libexec/gcc/TRIPLET/VERSION/NAME
std::optional<CompilerPath> compiler_path(const std::string& path) {
  if (!path.starts_with(k_own)) return std::nullopt;
  const auto parts = split(std::string_view(path).substr(k_own.size()), '/');
  if (parts.size() != 3 || !is_version(parts[1])) return std::nullopt;
  return CompilerPath{parts[0], parts[1], parts[2]};
}

// Names of packages have no underscores.
std::string in_package_name(std::string triplet) {
  std::ranges::replace(triplet, '_', '-');
  return triplet;
}

std::string package_of(const CompilerPath& compiler) {
  const std::string tail = "-" + compiler.version + "-" + in_package_name(compiler.triplet);
  if (compiler.name == "cc1") return "cpp" + tail;
  if (compiler.name == "cc1plus") return "g++" + tail;
  if (compiler.name == "lto1" || compiler.name == "liblto_plugin.so") return "gcc" + tail;
  return "";
}

std::optional<CrossProgram> of_compiler(int root, const std::string& path, bool plugin) {
  const auto compiler = compiler_path(path);
  if (!compiler || (compiler->name == "liblto_plugin.so") != plugin) return std::nullopt;
  const std::string package = package_of(*compiler);
  if (package.empty()) return std::nullopt;
  auto packaged = as_packaged(root, path, package);
  if (!packaged) return std::nullopt;
  const std::string tail = fmt::format("{}/{}", compiler->triplet, compiler->version);
  return CrossProgram{.name = compiler->name,
                      .in_pack = std::string(k_cross) + path.substr(k_own.size()),
                      .own_directory = "/usr/lib/gcc/" + tail,
                      .pack_directory = "/usr/lib/gcc-cross/" + tail,
                      .package = std::move(*packaged)};
}

// usr/bin/TRIPLET-as, usr/bin/TRIPLET-ld.bfd
std::optional<CrossProgram> of_binutils(int root, const std::string& path) {
  const std::string file = resolved_name(path);
  for (const std::string_view name : {"as", "ld.bfd"}) {
    if (!file.ends_with(name) || file.size() < name.size() + 2 || path != "usr/bin/" + file) continue;
    if (file[file.size() - name.size() - 1] != '-') continue;
    const std::string triplet = file.substr(0, file.size() - name.size() - 1);
    auto packaged = as_packaged(root, path, "binutils-" + in_package_name(triplet));
    if (!packaged) return std::nullopt;
    return CrossProgram{.name = std::string(name),
                        .in_pack = path,
                        .own_directory = "",
                        .pack_directory = "",
                        .package = std::move(*packaged)};
  }
  return std::nullopt;
}

// "14.2.0-19cross1" of "14.2.0-19", and of nothing else
bool is_cross_version(const std::string& pack, const std::string& own) {
  constexpr std::string_view k_mark = "cross";
  return pack.starts_with(own) && std::string_view(pack).substr(own.size()).starts_with(k_mark) &&
         is_version(std::string_view(pack).substr(own.size() + k_mark.size()));
}

// What the own compiler has in the place of a string of the cross compiler; "" where that is not known.
std::string own_string(const std::string& text, const CrossProgram& program) {
  if (text == "/usr/lib/gcc-cross/") return "/usr/lib/gcc/";
  const auto parts = split(std::string_view(program.pack_directory), '/');
  const std::string triplet = parts[parts.size() - 2], version = parts.back();
  if (!text.starts_with(program.pack_directory + "/")) return "";
  const std::string rest = text.substr(program.pack_directory.size());
  const std::string cxx = fmt::format("/../../../../{}/include/c++/", triplet);
  const auto own = [&](const std::string& tail) { return program.own_directory + tail; };
  if (rest == cxx + version + "/" + triplet) return own("/../../../../include/" + triplet + "/c++/" + version);
  if (rest.starts_with(cxx)) return own("/../../../../include/c++/" + rest.substr(cxx.size()));
  return own(rest);
}

}  // namespace

std::optional<CrossProgram> cross_program(int root, const std::string& path) {
  if (auto found = of_compiler(root, path, false)) return found;
  return of_binutils(root, path);
}

std::optional<CrossProgram> linker_plugin(int root, const std::string& path) { return of_compiler(root, path, true); }

bool is_same_source(int pack, const CrossProgram& program) {
  const auto packaged = as_packaged(pack, program.in_pack, program.package.package);
  if (!packaged) return false;
  return program.own_directory.empty() ? packaged->version == program.package.version
                                       : is_cross_version(packaged->version, program.package.version);
}

std::set<std::string> replaced_programs(int pack) {
  std::set<std::string> out;
  for (const auto& line : split(read_sane(pack, "usr/share/compiler-pack"), '\n')) {
    const auto words = split(std::string_view(line), ' ');
    if (words.size() == 3 && words[0] == "replaces") out.insert(words[1]);
  }
  return out;
}

std::string with_own_paths(std::string bytes, const CrossProgram& program) {
  if (program.own_directory.empty()) return bytes;
  constexpr std::string_view k_begin = "/usr/lib/gcc-cross/";
  for (auto at = bytes.find(k_begin); at != bytes.npos; at = bytes.find(k_begin, at + 1)) {
    const auto end = bytes.find('\0', at);
    const bool is_whole = at > 0 && bytes[at - 1] == '\0' && end != bytes.npos;
    std::string fresh = is_whole ? own_string(bytes.substr(at, end - at), program) : "";
    if (fresh.empty() || fresh.size() > end - at)
      throw Error(ExitClass::host, "the cross compiler has a path of an unknown form: " + program.in_pack);
    fresh.resize(end - at, '\0');
    bytes.replace(at, fresh.size(), fresh);
  }
  return bytes;
}

}  // namespace mbuild::executor
