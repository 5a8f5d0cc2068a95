#include "worker/native/packages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/native/root_files.h"

// A program is known by the package that it came with and by its checksum there. That guards against mistakes (a
// program that a step has put in the place of a package's), not against malice, and need not: who writes an image's
// database writes the image of the host's platform, too, from which the native program is taken, and both run in the
// sandbox.
namespace mbuild::executor {
namespace {

// Programs whose results do not depend on the architecture that they were compiled for.
constexpr std::string_view k_packages[] = {"dash",  "coreutils", "sed",         "grep", "gzip",      "xz-utils",
                                           "bzip2", "zstd",      "tar",         "mawk", "findutils", "diffutils",
                                           "patch", "make",      "ninja-build", "git",  "cmake",     "dpkg",
                                           "apt",   "apt-utils", "gpgv",        "sqv"};
// Those of them that say something of the machine or calculate with its widest floating-point numbers, or load
// libraries into programs of the architecture. Of dpkg some are left out that go through files in the order of a hash
// of their names, which is another where characters have a sign (dpkg-query: arguments.cc), or look at the programs of
// processes.
constexpr std::string_view k_never[] = {"uname", "arch", "nproc", "od", "printf", "seq", "numfmt", "stdbuf", "chroot"};
constexpr std::string_view k_of_dpkg[] = {"dpkg",       "dpkg-deb",     "dpkg-query",
                                          "dpkg-split", "dpkg-trigger", "update-alternatives"};
constexpr const char* k_status = "var/lib/dpkg/status";

bool lists(std::span<const std::string_view> list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

bool is_wanted(std::string_view package, const std::string& path) {
  const std::string name = resolved_name(path);
  return !lists(k_never, name) && (package != "dpkg" || lists(k_of_dpkg, name));
}

// The MD5 that the package has of the file, "" where it has not. The database has names as packages have them: with
// bin a link to usr/bin, "bin/sed" is usr/bin/sed.
std::string packaged_checksum(int root, std::string_view package, const std::string& path) {
  std::string list = read_sane(root, fmt::format("var/lib/dpkg/info/{}.md5sums", package));
  const std::string unmerged = path.starts_with("usr/") ? path.substr(4) : path;
  for (const auto& line : split(list, '\n')) {
    const auto space = line.find("  ");
    if (space != 32) continue;
    const std::string_view name = std::string_view(line).substr(34);
    if (name == path || name == unmerged) return line.substr(0, 32);
  }
  return "";
}

std::string checksum(int root, const std::string& path) {
  const Fd file = open_sane(root, path);
  return file ? md5_of_rest(file.get()) : "";
}

}  // namespace

std::string installed_version(int root, std::string_view package) { return installed_field(root, package, "Version"); }

std::string installed_field(int root, std::string_view package, std::string_view name) {
  const std::string status = read_sane(root, k_status);
  const std::string first = fmt::format("Package: {}\n", package), beginning = fmt::format("{}: ", name);
  auto begin = status.starts_with(first) ? 0 : status.find("\n" + first);
  if (begin == status.npos) return "";
  const auto end = status.find("\n\n", begin + 1);
  for (const auto& line : split(status.substr(begin, end == status.npos ? end : end - begin), '\n')) {
    if (line.starts_with(beginning)) return line.substr(beginning.size());
  }
  return "";
}

bool has_package_database(int root) { return static_cast<bool>(open_sane(root, k_status)); }

std::optional<PackagedFile> substitutable(int root, const std::string& path) {
  for (const auto package : k_packages) {
    if (!is_wanted(package, path)) continue;
    if (auto found = as_packaged(root, path, package)) return found;
  }
  return std::nullopt;
}

std::optional<PackagedFile> as_packaged(int root, const std::string& path, std::string_view package) {
  const std::string expected = packaged_checksum(root, package, path);
  if (expected.empty()) return std::nullopt;
  const std::string version = installed_version(root, package);
  if (version.empty() || checksum(root, path) != expected) return std::nullopt;
  return PackagedFile{std::string(package), version};
}

bool is_as_packaged(int root, const std::string& path, const PackagedFile& expected) {
  return as_packaged(root, path, expected.package) == expected;
}

}  // namespace mbuild::executor
