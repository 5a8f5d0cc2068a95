#include "worker/snapshot/snapshot_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "worker/snapshot/overlay.h"

namespace mbuild::executor {
namespace {

bool is_overlay_attribute(std::string_view name) {
  // An escaped name is an attribute of the image.
  if (name.starts_with("user.overlay.overlay.")) return false;
  return name.starts_with("user.overlay.") || name.starts_with("trusted.overlay.");
}

std::map<std::string, std::string> attributes_of(int fd) {
  std::map<std::string, std::string> out;
  std::string names(256, '\0');
  ssize_t n = ::flistxattr(fd, names.data(), names.size());
  if (n < 0 && errno == ERANGE) {
    names.resize(65536);
    n = ::flistxattr(fd, names.data(), names.size());
  }
  for (const char* name = names.data(); n > 0 && name < names.data() + n; name += std::string_view(name).size() + 1) {
    // A label is the host's, and not ours to copy.
    if (is_overlay_attribute(name) || std::string_view(name) == "security.selinux") continue;
    const ssize_t room = ::fgetxattr(fd, name, nullptr, 0);
    if (room < 0) continue;
    std::string value(static_cast<std::size_t>(room), '\0');
    const ssize_t size = ::fgetxattr(fd, name, value.data(), value.size());
    if (size < 0) continue;
    value.resize(static_cast<std::size_t>(size));
    out.emplace(name, std::move(value));
  }
  return out;
}

// A last component that is a link is not followed; "PATH/" names a directory behind one.
Fd open_directory(const std::string& path) { return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW); }

// What one layer has at a path.
struct Found {
  bool there = false;  // a directory
  bool hides = false;  // what lower layers have there does not count
};

// Looks at one existing name; a missing one neither is there nor hides.
std::optional<Found> look(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0) return std::nullopt;
  if (!S_ISDIR(status.st_mode)) return Found{false, true};  // whiteouts too
  char value = 0;
  const bool opaque = ::lgetxattr(path.c_str(), "user.overlay.opaque", &value, 1) == 1 && value == 'y';
  return Found{true, opaque};
}

Found find_in_layer(const std::string& layer, const std::string& path) {
  Found out{true, false};
  std::string at = layer;
  for (const auto& name : split(path, '/')) {
    if (name.empty()) continue;
    at += "/" + name;
    const auto found = look(at);
    if (!found) return {false, out.hides};
    out.hides = out.hides || found->hides;
    if (!found->there) return {false, true};
  }
  return out;
}

class EffectiveMetadata {
 public:
  explicit EffectiveMetadata(const Stack& stack) : stack_(stack) {
    for (const auto& layer : stack.layers) implied_.emplace_back(layer.implied.begin(), layer.implied.end());
  }

  struct Sources {
    int topmost = -1;    // the layer whose metadata overlay would show; -1: no layer has this directory
    int effective = -1;  // the layer whose metadata are meant
  };

  Sources find(const std::string& path) const {
    Sources out;
    for (int i = static_cast<int>(stack_.layers.size()) - 1; i >= 0; --i) {
      const auto index = static_cast<std::size_t>(i);
      const Found found = find_in_layer(stack_.layers[index].path, path);
      if (found.there) {
        if (out.topmost < 0) out.topmost = i;
        if (!implied_[index].contains(path)) {
          out.effective = i;
          return out;
        }
      }
      if (found.hides) break;
    }
    out.effective = out.topmost;
    return out;
  }

  Fd open(int layer, const std::string& path) const {
    return open_directory(stack_.layers[static_cast<std::size_t>(layer)].path + "/" + path);
  }

  // The implied directories that would be shown with the wrong metadata.
  std::set<std::string> wrong() const {
    std::set<std::string> candidates, out;
    for (std::size_t i = 1; i < implied_.size(); ++i) candidates.insert(implied_[i].begin(), implied_[i].end());
    for (const auto& path : candidates) {
      const Sources sources = find(path);
      if (sources.topmost == sources.effective) continue;
      const auto describe = [&](int layer) { return describe_directory(open(layer, path).get()); };
      if (describe(sources.topmost) != describe(sources.effective)) out.insert(path);
    }
    return out;
  }

 private:
  const Stack& stack_;
  std::vector<std::set<std::string>> implied_;
};

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) throw system_error(errno, "mkdir " + path);
}

std::string fresh_directory(const std::string& scratch, const char* kind) {
  for (int i = 0;; ++i) {
    std::string path = fmt::format("{}/{}{}", scratch, kind, i);
    if (::mkdir(path.c_str(), 0755) == 0) return path;
    if (errno != EEXIST) throw system_error(errno, "mkdir " + path);
  }
}

std::vector<std::string> lower_paths(const Stack& stack, const std::vector<Stub>& stubs, const std::string& scratch) {
  std::vector<std::string> lower;
  // A layer may occur twice (two steps with one result); overlay refuses that. What the lower one brings, the upper one
  // brings too, and hides at least as much.
  for (auto layer = stack.layers.rbegin(); layer != stack.layers.rend(); ++layer) {
    if (std::find(lower.begin(), lower.end(), layer->path) == lower.end()) lower.push_back(layer->path);
  }
  const std::string generated = fresh_directory(scratch, "generated");
  if (generate_directory(stack, stubs, generated) || lower.empty()) lower.insert(lower.begin(), generated);
  return lower;
}

}  // namespace

void copy_directory_metadata(int from, int to) {
  struct stat status;
  if (::fstat(from, &status) < 0) throw system_error(errno, "stat a directory");
  // Owners outside the map (single id) read as the overflow id and can't be given.
  if (::fchown(to, status.st_uid, status.st_gid) < 0 && errno != EINVAL) throw system_error(errno, "chown a directory");
  if (::fchmod(to, status.st_mode & 07777) < 0) throw system_error(errno, "chmod a directory");
  for (const auto& [name, value] : attributes_of(from)) {
    if (::fsetxattr(to, name.c_str(), value.data(), value.size(), 0) < 0 && errno != EPERM && errno != ENOTSUP) {
      throw system_error(errno, "set attribute " + name);
    }
  }
  const timespec times[2] = {status.st_atim, status.st_mtim};
  if (::futimens(to, times) < 0) throw system_error(errno, "set the times of a directory");
}

std::string describe_directory(int fd) {
  struct stat status;
  if (::fstat(fd, &status) < 0) throw system_error(errno, "stat a directory");
  std::string out = fmt::format("{:o} {}:{}", status.st_mode, status.st_uid, status.st_gid);
  for (const auto& [name, value] : attributes_of(fd)) out += fmt::format(" {} {}:{}", name, value.size(), value);
  return out;
}

bool generate_directory(const Stack& stack, const std::vector<Stub>& stubs, const std::string& into) {
  const EffectiveMetadata metadata(stack);
  std::set<std::string> directories = metadata.wrong();
  for (const auto& stub : stubs) directories.insert(stub.directory ? stub.path : parent_of(stub.path));
  if (directories.empty()) return false;
  std::set<std::string> all;  // with every parent, "" included; sorted, so parents come first
  for (auto path : directories) {
    for (; all.insert(path).second && !path.empty(); path = parent_of(path)) {
    }
  }
  for (const auto& path : all) make_directory(into + "/" + path);
  for (const auto& stub : stubs) {
    if (!stub.directory) open_file(into + "/" + stub.path, O_WRONLY | O_CREAT, 0644);
  }
  // Children first: making entries changes times.
  for (auto path = all.rbegin(); path != all.rend(); ++path) {
    const int layer = metadata.find(*path).effective;
    if (layer >= 0)
      copy_directory_metadata(metadata.open(layer, *path).get(), open_directory(into + "/" + *path).get());
  }
  return true;
}

Fd mount_snapshot(const Stack& stack, const std::string& scratch) {
  auto lower = lower_paths(stack, {}, scratch);
  // Alone, a layer would show its whiteouts and escaped attributes; over an empty one it is seen as overlay means it.
  if (lower.size() == 1) lower.push_back(fresh_directory(scratch, "empty"));
  return mount_overlay(lower, "", "", true);
}

Fd mount_snapshot_writable(const Stack& stack, const std::vector<Stub>& stubs, const std::string& scratch,
                           const std::string& upper, const std::string& work) {
  const auto lower = lower_paths(stack, stubs, scratch);
  const int layer = EffectiveMetadata(stack).find("").effective;
  if (layer >= 0) {
    const auto& path = stack.layers[static_cast<std::size_t>(layer)].path;
    copy_directory_metadata(open_directory(path + "/").get(), open_directory(upper).get());
  }
  return mount_overlay(lower, upper, work, false);
}

}  // namespace mbuild::executor
