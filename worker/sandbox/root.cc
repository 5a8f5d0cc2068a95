#include "worker/sandbox/root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/sandbox/make_path.h"
#include "worker/sandbox/mount_sources.h"

// Where mount points come from. A target that the image has is used as it is. One that it lacks becomes a stub in the
// generated lower directory, from where it can't get into the layer. One below another mount is made in that mount,
// when it is there. And /dev, /proc and /sys are made in the layer itself, where BuildKit leaves them too.
namespace mbuild::executor {
namespace {

bool is_below(const std::string& path, const std::string& ancestor) {
  return ancestor.empty() || path == ancestor || (path.starts_with(ancestor) && path[ancestor.size()] == '/');
}

bool is_covered(const std::string& path, const std::vector<std::string>& mounted) {
  return std::any_of(mounted.begin(), mounted.end(), [&](const auto& target) { return is_below(path, target); });
}

struct Layout {
  std::vector<Stub> stubs;
  std::vector<std::string> mounted;  // resolved targets
};

// The stubs for all targets, in the order in which they will be mounted.
Layout plan_mounts(int snapshot, const std::vector<const PreparedMount*>& mounts) {
  Layout out{{}, {"dev", "proc", "sys"}};
  for (const auto* mount : mounts) {
    const auto target = resolve_in_root(snapshot, mount->target);
    if (!is_covered(target.path, out.mounted)) {
      if (!target.status) out.stubs.push_back({target.path, mount->directory});
    }
    out.mounted.push_back(target.path);
  }
  return out;
}

std::vector<PreparedMount> make_mounts(const SandboxSpec& spec, int snapshot, std::vector<AgentSocket>& agents) {
  std::vector<const SandboxMount*> order;
  for (const auto& mount : spec.mounts) order.push_back(&mount);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->target < b->target; });
  std::vector<PreparedMount> out;
  for (const auto* mount : order) out.push_back(make_mount_source(spec, *mount, snapshot, agents));
  return out;
}

std::string make_directory(const std::string& parent, const char* name) {
  std::string path = parent + "/" + name;
  if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) throw system_error(errno, "mkdir " + path);
  return path;
}

bool is_whiteout(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

}  // namespace

std::string make_in_root(int root, std::string_view path, bool directory, const SandboxUser& owner) {
  const auto target = resolve_in_root(root, path);
  if (target.status) return target.path;
  const auto names = split(target.path, '/');
  std::string at;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string parent = at;
    at = join_resolved(at, names[i]);
    if (try_open_resolved(root, at, O_PATH)) continue;
    const Fd in = open_resolved(root, parent, O_RDONLY | O_DIRECTORY);
    if (i + 1 == names.size() && !directory) {
      open_at(in.get(), names[i], O_WRONLY | O_CREAT | O_EXCL, 0644);
    } else if (::mkdirat(in.get(), names[i].c_str(), 0755) < 0) {
      throw system_error(errno, fmt::format("make /{} in the sandbox", at), ExitClass::step_failed);
    }
    if (owner.uid != 0 || owner.gid != 0) ::fchownat(in.get(), names[i].c_str(), owner.uid, owner.gid, 0);
  }
  return target.path;
}

PreparedRoot prepare_root(const SandboxSpec& spec, int snapshot) {
  PreparedRoot out;
  out.place = make_directory(spec.scratch, "root");
  out.system_mounts = make_system_mounts(spec);
  out.mounts = make_mounts(spec, snapshot, out.agents);
  std::vector<const PreparedMount*> all;
  for (const auto* list : {&out.system_mounts, &out.mounts}) {
    for (const auto& mount : *list) all.push_back(&mount);
  }
  Layout layout = plan_mounts(snapshot, all);
  out.stubs = std::move(layout.stubs);
  out.upper = spec.upper.empty() ? make_directory(spec.spill, "root-upper") : spec.upper;
  const std::string work = spec.upper.empty() ? make_directory(spec.spill, "root-work") : spec.work;
  out.root = mount_snapshot_writable(spec.stack, out.stubs, spec.scratch, out.upper, work);
  out.user = resolve_user_in(out.root.get(), spec.user, more_groups(spec));
  make_system_directories(out.root.get());
  if (!is_covered(resolve_in_root(out.root.get(), spec.cwd).path, layout.mounted)) {
    make_in_root(out.root.get(), spec.cwd, true, out.user);
  }
  return out;
}

void remove_stub_whiteouts(const PreparedRoot& prepared) {
  const Fd upper = open_file(prepared.upper, O_RDONLY | O_DIRECTORY);
  for (const auto& stub : prepared.stubs) {
    // The stub, or a parent that was a stub too.
    for (std::string path = stub.path; !path.empty(); path = resolved_parent(path)) {
      const Fd found = try_open_resolved(upper.get(), path, O_PATH);
      if (!found || !is_whiteout(found.get())) continue;
      const Fd parent = open_resolved(upper.get(), resolved_parent(path), O_RDONLY | O_DIRECTORY);
      ::unlinkat(parent.get(), resolved_name(path).c_str(), 0);
    }
  }
}

}  // namespace mbuild::executor
