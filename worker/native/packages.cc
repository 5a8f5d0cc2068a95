#include "worker/native/packages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "files/root_path.h"
#include "worker/native/root_files.h"

// A program is known by the package that it came with and by its checksum there. That guards against mistakes (a
// program that a step has put in the place of a package's), not against malice, and need not: who writes an image's
// database writes the image of the host's platform, too, from which the native program is taken, and both run in the
// sandbox.
//
// A root has the database of dpkg or that of apk.
namespace mbuild::executor {
namespace {

// Programs whose results do not depend on the architecture that they were compiled for.
constexpr std::string_view k_packages[] = {"dash",  "coreutils", "sed",         "grep", "gzip",      "xz-utils",
                                           "bzip2", "zstd",      "tar",         "mawk", "findutils", "diffutils",
                                           "patch", "make",      "ninja-build", "git",  "cmake",     "dpkg",
                                           "apt",   "apt-utils", "gpgv",        "sqv"};
// Those of them that say something of the machine or calculate with its widest floating-point numbers, or load
// libraries into programs of the architecture (or are all of these in one, as Alpine's coreutils). Of dpkg some are
// left out that go through files in the order of a hash of their names, which is another where characters have a sign
// (dpkg-query: arguments.cc), or look at the programs of processes.
constexpr std::string_view k_never[] = {"uname", "arch",   "nproc",  "od",     "printf",
                                        "seq",   "numfmt", "stdbuf", "chroot", "coreutils"};
constexpr std::string_view k_of_dpkg[] = {"dpkg",       "dpkg-deb",     "dpkg-query",
                                          "dpkg-split", "dpkg-trigger", "update-alternatives"};
// Of Alpine's packages. Programs that are linked with musl find no library that a step brings.
constexpr std::string_view k_packages_of_apk[] = {"busybox", "apk-tools", "sed", "grep",      "gzip",      "xz",
                                                  "bzip2",   "zstd",      "tar", "findutils", "diffutils", "patch"};
constexpr const char* k_status = "var/lib/dpkg/status";
constexpr const char* k_installed[] = {"lib/apk/db/installed", "usr/lib/apk/db/installed"};

bool lists(std::span<const std::string_view> list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

bool is_wanted(std::string_view package, const std::string& path) {
  const std::string name = resolved_name(path);
  return !lists(k_never, name) && (package != "dpkg" || lists(k_of_dpkg, name));
}

// The database has names as packages have them: with bin a link to usr/bin, "bin/sed" is usr/bin/sed.
bool is_name_of(std::string_view name, const std::string& path) {
  return name == path || (path.starts_with("usr/") && name == path.substr(4));
}

// A database, "" for one of no sane size: it is read again and again, by who supervises the step.
std::string read_database(int root, const std::string& path) {
  constexpr off_t k_largest = off_t{32} << 20;
  const Fd file = open_sane(root, path);
  struct stat status;
  if (!file || ::fstat(file.get(), &status) < 0 || status.st_size > k_largest) return "";
  return read_all(file.get());
}

// Takes the first line of a text, without its end.
std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// The MD5 that the package has of the file, "" where it has not.
std::string packaged_checksum(int root, std::string_view package, const std::string& path) {
  const std::string list = read_database(root, fmt::format("var/lib/dpkg/info/{}.md5sums", package));
  for (std::string_view text = list; !text.empty();) {
    const auto line = take_line(text);
    if (line.find("  ") == 32 && is_name_of(line.substr(34), path)) return std::string(line.substr(0, 32));
  }
  return "";
}

std::string checksum(int root, const std::string& path) {
  const Fd file = open_sane(root, path);
  return file ? md5_of_rest(file.get()) : "";
}

// What apk's database has lines for, of a letter, a colon and a value: a package's name (P) and version (V), then the
// directory (F) of the files whose names (R) follow, each with its checksum (Z): "Q1" and the SHA-1 in base64
// (apk-tools, the installed database). Packages are parted by an empty line.
struct ApkFile {
  PackagedFile package;
  std::string checksum;
};

std::optional<ApkFile> apk_file(int root, const std::string& path) {
  for (const char* database : k_installed) {
    const std::string all = read_database(root, resolve_in_root(root, database).path);
    std::string_view package, version, directory;
    bool is_it = false;
    for (std::string_view text = all; !text.empty();) {
      const auto line = take_line(text);
      const auto value = line.substr(std::min<std::size_t>(line.size(), 2));
      if (line.empty()) package = version = directory = {};
      if (line.starts_with("P:")) package = value;
      if (line.starts_with("V:")) version = value;
      if (line.starts_with("F:")) directory = value;
      if (line.starts_with("R:")) is_it = is_name_of(join_resolved(directory, value), path);
      if (is_it && line.starts_with("Z:"))
        return ApkFile{{std::string(package), std::string(version)}, std::string(value)};
    }
  }
  return std::nullopt;
}

std::optional<PackagedFile> as_packaged_by_apk(int root, const std::string& path) {
  const auto found = apk_file(root, path);
  const Fd file = found ? open_sane(root, path) : Fd();
  if (!file || "Q1" + encode_base64(sha1_bytes(read_all(file.get()))) != found->checksum) return std::nullopt;
  return found->package;
}

}  // namespace

std::string installed_version(int root, std::string_view package) { return installed_field(root, package, "Version"); }

std::string installed_field(int root, std::string_view package, std::string_view name) {
  const std::string status = read_database(root, k_status);
  const std::string first = fmt::format("Package: {}\n", package), beginning = fmt::format("{}: ", name);
  const auto begin = status.starts_with(first) ? 0 : status.find("\n" + first);
  if (begin == status.npos) return "";
  auto text = std::string_view(status).substr(begin);
  text = text.substr(0, text.find("\n\n", 1));
  while (!text.empty()) {
    const auto line = take_line(text);
    if (line.starts_with(beginning)) return std::string(line.substr(beginning.size()));
  }
  return "";
}

bool has_package_database(int root) { return static_cast<bool>(open_sane(root, k_status)); }

Fd open_package_database(int root) {
  Fd found = try_open_resolved(root, k_status, O_PATH);
  for (const char* path : k_installed) {
    if (!found) found = try_open_resolved(root, resolve_in_root(root, path).path, O_PATH);
  }
  return found;
}

std::optional<PackagedFile> substitutable(int root, const std::string& path) {
  for (const auto package : k_packages) {
    if (!is_wanted(package, path)) continue;
    if (auto found = as_packaged(root, path, package)) return found;
  }
  const auto by_apk = as_packaged_by_apk(root, path);
  if (by_apk && lists(k_packages_of_apk, by_apk->package) && !lists(k_never, resolved_name(path))) return by_apk;
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
  return as_packaged(root, path, expected.package) == expected || as_packaged_by_apk(root, path) == expected;
}

}  // namespace mbuild::executor
