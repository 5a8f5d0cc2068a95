#include "worker/native/compilers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
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

// In usr/lib up to gcc 12, in usr/libexec since.
constexpr std::string_view k_directories[] = {"usr/libexec/", "usr/lib/"};
constexpr std::string_view k_own = "gcc/", k_cross = "gcc-cross/";

bool is_version(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

struct CompilerPath {
  std::string_view directory;
  std::string triplet, version, name;
};

// usr/libexec/gcc/TRIPLET/VERSION/NAME
std::optional<CompilerPath> compiler_path(std::string_view path) {
  const auto directory =
      std::ranges::find_if(k_directories, [&](auto one) { return path.starts_with(fmt::format("{}{}", one, k_own)); });
  if (directory == std::end(k_directories)) return std::nullopt;
  const auto parts = split(path.substr(directory->size() + k_own.size()), '/');
  if (parts.size() != 3 || !is_version(parts[1])) return std::nullopt;
  return CompilerPath{*directory, parts[0], parts[1], parts[2]};
}

// Names of packages have no underscores.
std::string in_package_name(std::string triplet) {
  std::ranges::replace(triplet, '_', '-');
  return triplet;
}

// The first part of the package's name: "cpp-14" of "cpp-14-aarch64-linux-gnu".
std::string package_of(const CompilerPath& compiler) {
  if (compiler.name == "cc1") return "cpp-" + compiler.version;
  if (compiler.name == "cc1plus") return "g++-" + compiler.version;
  if (compiler.name == "lto1" || compiler.name == "liblto_plugin.so") return "gcc-" + compiler.version;
  return "";
}

std::optional<CrossProgram> of_compiler(int root, const std::string& path, bool plugin) {
  const auto compiler = compiler_path(path);
  if (!compiler || (compiler->name == "liblto_plugin.so") != plugin) return std::nullopt;
  const std::string package = package_of(*compiler);
  if (package.empty()) return std::nullopt;
  // A cross compiler's packages are called after the triplet; the own one's since gcc 13.
  const std::string of_triplet = fmt::format("{}-{}", package, in_package_name(compiler->triplet));
  auto packaged = as_packaged(root, path, of_triplet);
  if (!packaged) packaged = as_packaged(root, path, package);
  if (!packaged) return std::nullopt;
  const std::string tail = fmt::format("{}/{}", compiler->triplet, compiler->version);
  return CrossProgram{.name = compiler->name,
                      .in_pack = fmt::format("{}{}{}/{}", compiler->directory, k_cross, tail, compiler->name),
                      .own_directory = "/usr/lib/gcc/" + tail,
                      .pack_directory = "/usr/lib/gcc-cross/" + tail,
                      .package = std::move(*packaged),
                      .pack_package = of_triplet};
}

// usr/bin/TRIPLET-as, usr/bin/TRIPLET-ld.bfd
std::optional<CrossProgram> of_binutils(int root, const std::string& path) {
  const std::string file = resolved_name(path);
  for (const std::string_view name : {"as", "ld.bfd"}) {
    if (!file.ends_with(name) || file.size() < name.size() + 2 || path != "usr/bin/" + file) continue;
    if (file[file.size() - name.size() - 1] != '-') continue;
    const std::string triplet = file.substr(0, file.size() - name.size() - 1);
    const std::string package = "binutils-" + in_package_name(triplet);
    auto packaged = as_packaged(root, path, package);
    if (!packaged) return std::nullopt;
    return CrossProgram{.name = std::string(name),
                        .in_pack = path,
                        .own_directory = "",
                        .pack_directory = "",
                        .package = std::move(*packaged),
                        .pack_package = package};
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
  const std::string tool = fmt::format("/../../../../{}/", triplet), cxx = tool + "include/c++/";
  const auto own = [&](const std::string& tail) { return program.own_directory + tail; };
  if (rest == cxx + version + "/" + triplet) return own("/../../../../include/" + triplet + "/c++/" + version);
  if (rest.starts_with(cxx) || rest.starts_with(tool + "libc++_include/")) {
    return own("/../../../../" + rest.substr(tool.size()));
  }
  return own(rest);
}

}  // namespace

std::optional<CrossProgram> cross_program(int root, const std::string& path) {
  if (auto found = of_compiler(root, path, false)) return found;
  return of_binutils(root, path);
}

std::optional<CrossProgram> linker_plugin(int root, const std::string& path) { return of_compiler(root, path, true); }

bool is_same_source(int pack, const CrossProgram& program) {
  const auto packaged = as_packaged(pack, program.in_pack, program.pack_package);
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
