#include "worker/snapshot/overlay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/feature.h"
#include "worker/snapshot/mount_calls.h"

// fsconfig takes values of at most 255 bytes and, since Linux 6.5, one lower directory a call ("lowerdir+"). Before,
// all lowers share one option string: mount(2) then gets the numbers of open descriptors, relative to /proc/self/fd,
// which are short and hold no character that overlay would want escaped. mount(2) needs a place: the bottom directory
// itself, in the mount namespace of this job alone, from where the mount is cloned away and detached.
namespace mbuild::executor {
namespace {

constexpr std::size_t k_value_limit = 255;
constexpr const char* k_add_lower = "lowerdir+";  // since Linux 6.5
constexpr const char* k_common = "userxattr,redirect_dir=nofollow,metacopy=off,index=off,xino=off";

struct Layers {
  std::vector<Fd> lower;  // top first
  Fd upper, work;
};

Fd open_layer(const std::string& path) { return open_file(path, O_PATH | O_DIRECTORY); }

Layers open_layers(const std::vector<std::string>& lower, const std::string& upper, const std::string& work) {
  Layers layers;
  for (const auto& path : lower) layers.lower.push_back(open_layer(path));
  if (!upper.empty()) layers.upper = open_layer(upper);
  if (!upper.empty()) layers.work = open_layer(work);
  return layers;
}

// The path, or where it is too long another name of the open directory.
std::string short_name(const std::string& path, std::vector<Fd>& keep) {
  if (path.size() <= k_value_limit && path.find_first_of("\\,:") == std::string::npos) return path;
  keep.push_back(open_layer(path));
  return fd_path(keep.back().get());
}

Error overlay_error(const Error& cause) {
  return Error(ExitClass::host, cause.message)
      .with_advice(
          "the store must be on a file system that can hold an overlay's upper directory (ext4, xfs, btrfs, tmpfs; not "
          "overlay, NFS or FAT): choose one with --root DIR, or run `mbuild doctor`");
}

Fd mount_by_fsconfig(const std::vector<std::string>& lower, const std::string& upper, const std::string& work,
                     unsigned attributes) {
  std::vector<Fd> keep;
  std::vector<FsOption> options = {
      {"userxattr", ""}, {"redirect_dir", "nofollow"}, {"metacopy", "off"}, {"index", "off"}, {"xino", "off"}};
  for (const auto& path : lower) options.push_back({k_add_lower, short_name(path, keep)});
  if (!upper.empty()) {
    options.push_back({"upperdir", short_name(upper, keep)});
    options.push_back({"workdir", short_name(work, keep)});
    options.push_back({"volatile", ""});
  }
  return make_filesystem("overlay", options, attributes);
}

// Back to the directory that was current when it was made.
class DirectoryGuard {
 public:
  DirectoryGuard() : saved_(open_file(".", O_PATH | O_DIRECTORY)) {}
  ~DirectoryGuard() { [[maybe_unused]] const int done = ::fchdir(saved_.get()); }
  DirectoryGuard(const DirectoryGuard&) = delete;
  DirectoryGuard& operator=(const DirectoryGuard&) = delete;

 private:
  Fd saved_;
};

Fd mount_by_path(const std::vector<std::string>& lower, const std::string& upper, const std::string& work,
                 unsigned attributes) {
  const Layers layers = open_layers(lower, upper, work);
  std::string options = std::string(k_common) + ",lowerdir=";
  for (const auto& fd : layers.lower) options += fmt::format("{}{}", &fd == &layers.lower[0] ? "" : ":", fd.get());
  if (layers.upper) {
    options += fmt::format(",upperdir={},workdir={},volatile", layers.upper.get(), layers.work.get());
  }
  const DirectoryGuard back;
  const std::string place = std::filesystem::read_symlink(fd_path(layers.lower.back().get()));
  if (::chdir("/proc/self/fd") < 0) throw system_error(errno, "chdir /proc/self/fd", ExitClass::host);
  if (::mount("overlay", place.c_str(), "overlay", 0, options.c_str()) < 0) {
    throw system_error(errno, "mount overlay", ExitClass::host);
  }
  Fd mount = clone_tree(AT_FDCWD, place, false);
  ::umount2(place.c_str(), MNT_DETACH);
  if (attributes != 0) set_mount_attributes(mount.get(), attributes, false);
  return mount;
}

}  // namespace

Fd mount_overlay(const std::vector<std::string>& lower_top_first, const std::string& upper, const std::string& work,
                 bool read_only) {
  if (lower_top_first.empty() || lower_top_first.size() > k_max_lowers) {
    throw Error(ExitClass::internal, fmt::format("a mount of {} layers, of 1 to {} that are possible",
                                                 lower_top_first.size(), k_max_lowers));
  }
  const unsigned attributes = read_only ? MOUNT_ATTR_RDONLY : 0;
  if (upper.empty() && lower_top_first.size() == 1) {
    Fd tree = clone_tree(AT_FDCWD, lower_top_first[0], false);
    set_mount_attributes(tree.get(), MOUNT_ATTR_RDONLY, false);
    return tree;
  }
  if (feature_disabled("overlay")) {
    throw overlay_error(Error(ExitClass::host, "mount overlay: switched off by MBUILD_TEST_DISABLE"));
  }
  try {
    if (feature_disabled("lowerdir-plus")) return mount_by_path(lower_top_first, upper, work, attributes);
    try {
      return mount_by_fsconfig(lower_top_first, upper, work, attributes);
    } catch (const OptionRefused& refused) {
      if (refused.option != k_add_lower) throw;
      return mount_by_path(lower_top_first, upper, work, attributes);
    }
  } catch (const Error& error) {
    throw overlay_error(error);
  }
}

}  // namespace mbuild::executor
