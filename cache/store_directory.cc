#include "cache/store_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "cache/store.h"

namespace mbuild::cache {
namespace {

constexpr int k_format = 1;

void refuse_network_file_system(const std::string& root) {
  struct statfs status;
  if (::statfs(root.c_str(), &status) < 0) throw system_error(errno, "statfs " + root);
  constexpr std::uint64_t k_nfs = 0x6969, k_cifs = 0xff534d42, k_smb2 = 0xfe534d42, k_9p = 0x01021997;
  const auto type = static_cast<std::uint64_t>(static_cast<std::uint32_t>(status.f_type));
  if (type == k_nfs || type == k_cifs || type == k_smb2 || type == k_9p) {
    throw Error(ExitClass::store,
                fmt::format("the store {} is on a network file system, which cannot hold layers", root))
        .with_advice("Choose a local directory with --root DIR or MBUILD_ROOT.");
  }
}

// What can't be what its name says is put out of the way of what is made anew.
void put_out_of_the_way(const std::string& path) {
  const std::string aside = name_aside(path);
  if (::rename(path.c_str(), aside.c_str()) < 0 && errno != ENOENT) throw system_error(errno, "rename " + path);
}

// A directory that somebody else has filled is none to take over: its mode would change under him. Another build may be
// about to make it a store: its first file comes into being, and is_store says so a moment later.
void require_no_others_files(const std::string& root) {
  if (is_store(root)) return;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    if (name == "lost+found" || name.starts_with("probe-") || name.starts_with("VERSION.")) continue;
    if (is_store(root)) return;
    throw Error(ExitClass::store, fmt::format("{} is no store, and not empty: it holds {}", root, name))
        .with_advice(
            fmt::format("Choose a directory for the store alone with --root DIR or MBUILD_ROOT, say {}/mbuild.", root));
  }
}

// Taking it over would shut everybody else out, be it empty.
bool is_shared_place(const std::string& root) {
  std::error_code none;
  return std::ranges::any_of(std::initializer_list<const char*>{"/", "/tmp", "/var/tmp", "/dev/shm", "/run"},
                             [&](const char* place) { return std::filesystem::equivalent(root, place, none); });
}

// What is in a store may be setuid programs, other people's secrets, and layers that never change: nobody else looks
// in.
void take_root(const std::string& root) {
  make_directories(root, 0700);
  struct stat status;
  if (::stat(root.c_str(), &status) < 0) throw system_error(errno, "stat " + root);
  if (status.st_uid != ::geteuid() || is_shared_place(root)) {
    const std::string whose = status.st_uid == ::geteuid()
                                  ? std::string("is one that everybody writes to")
                                  : fmt::format("belongs to the user {}, not to {}", status.st_uid, ::geteuid());
    throw Error(ExitClass::store, fmt::format("the store's directory {} {}", root, whose))
        .with_advice(fmt::format(
            "A store is private. Choose a directory of your own with --root DIR or MBUILD_ROOT, say {}/mbuild.", root));
  }
  require_no_others_files(root);
  const Fd directory = open_file(root, O_RDONLY | O_DIRECTORY);
  settle_directory(directory.get(), root, 0700);
  if (::fstat(directory.get(), &status) < 0) throw system_error(errno, "stat " + root);
  if ((status.st_mode & 077) == 0) return;
  throw Error(ExitClass::store, fmt::format("the store's directory {} can't be made private: its file system gives all "
                                            "directories the mode {:o}",
                                            root, status.st_mode & 07777))
      .with_advice("Choose a directory on another file system with --root DIR or MBUILD_ROOT.");
}

// "mbuild store NUMBER\nowner NUMBER\n"; anything else was damaged since it was written.
bool is_version(std::string_view text) {
  for (const std::string_view word : {"mbuild store ", "owner "}) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    const auto end = text.find_first_not_of("0123456789");
    if (end == 0 || end == std::string_view::npos || text[end] != '\n') return false;
    text.remove_prefix(end + 1);
  }
  return text.empty();
}

void check_version(const std::string& root) {
  const std::string path = root + "/VERSION";
  const std::string mine = fmt::format("mbuild store {}\nowner {}\n", k_format, ::geteuid());
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) put_out_of_the_way(path);
  make_file_private(path);
  const std::string found = path_exists(path) ? read_file(path) : "";
  if (found == mine) return;
  if (is_version(found)) {
    throw Error(ExitClass::store,
                fmt::format("the store {} is not one that this program and user may use ({} found, {} wanted)", root,
                            join(split(trim(found), '\n'), ", "), join(split(trim(mine), '\n'), ", ")))
        .with_advice("Choose another directory with --root DIR or MBUILD_ROOT.");
  }
  write_file_atomically(path, mine, 0600);
}

}  // namespace

bool is_store(const std::string& root) {
  return std::ranges::any_of(std::initializer_list<const char*>{"/VERSION", "/index.db", "/fs", "/blobs", "/locks"},
                             [&](const char* name) { return path_exists(root + name); });
}

std::string name_aside(const std::string& path) {
  return fmt::format("{}.damaged-{}-{}", path, unix_seconds(), random_hex(4));
}

void make_store_directory(const std::string& path, unsigned mode) {
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) put_out_of_the_way(path);
  make_settled_directory(path, mode);
}

void make_file_private(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0 || !S_ISREG(status.st_mode) || (status.st_mode & 0777) == 0600) return;
  if (::chmod(path.c_str(), 0600) < 0) throw system_error(errno, "set the mode of " + path);
}

void take_store_directory(const std::string& root) {
  take_root(root);
  refuse_network_file_system(root);
  check_version(root);
}

}  // namespace mbuild::cache
