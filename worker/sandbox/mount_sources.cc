#include "worker/sandbox/mount_sources.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/ids/id_map.h"
#include "worker/snapshot/mount_calls.h"

namespace mbuild::executor {
namespace {

std::string fresh_directory(const std::string& scratch, const std::string& kind) {
  std::string path = fmt::format("{}/{}", scratch, kind);
  for (int i = 0; ::mkdir(path.c_str(), 0755) < 0; path = fmt::format("{}/{}{}", scratch, kind, ++i)) {
    if (errno != EEXIST) throw system_error(errno, "mkdir " + path);
  }
  return path;
}

bool is_directory(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

// A file system that is attached somewhere in this job's mount namespace: parts of a detached one can't be cloned
// before Linux 6.15. Nothing outside the job sees it.
std::string attach_in_scratch(const Fd& mount, const SandboxSpec& spec) {
  const std::string place = fresh_directory(spec.scratch, "source");
  attach(mount.get(), open_file(place, O_PATH | O_DIRECTORY).get());
  return place;
}

// A clone of what `selector` names below `root`.
PreparedMount select(const SandboxMount& mount, int root, bool read_only) {
  const auto found = resolve_in_root(root, mount.selector);
  const Fd source = found.status ? try_open_resolved(root, found.path, O_PATH) : Fd();
  if (!source) throw Error(ExitClass::step_failed, fmt::format("\"{}\": not found", join_path("/", mount.selector)));
  PreparedMount out{mount.target, clone_tree(source.get(), "", false), is_directory(source.get())};
  if (read_only) set_mount_attributes(out.tree.get(), MOUNT_ATTR_RDONLY, false);
  return out;
}

PreparedMount bind_source(const SandboxSpec& spec, const SandboxMount& mount) {
  Fd tree;
  if (mount.read_only) {
    tree = mount_snapshot(mount.stack, spec.scratch);
  } else {
    const std::string upper = mount.upper.empty() ? fresh_directory(spec.spill, "upper") : mount.upper;
    const std::string work = mount.upper.empty() ? fresh_directory(spec.spill, "work") : mount.work;
    tree = mount_snapshot_writable(mount.stack, {}, spec.scratch, upper, work);
  }
  if (mount.selector.empty() || mount.selector == "/") return {mount.target, std::move(tree), true};
  const std::string place = attach_in_scratch(tree, spec);
  return select(mount, open_file(place, O_PATH | O_DIRECTORY).get(), mount.read_only);
}

// Devices of the host are none here, whoever owns the mount.
PreparedMount host_source(const SandboxMount& mount) {
  PreparedMount out{mount.target, mount.tree ? duplicate(mount.tree.get()) : clone_tree(AT_FDCWD, mount.source, true),
                    true};
  out.directory = is_directory(out.tree.get());
  set_mount_attributes(out.tree.get(), MOUNT_ATTR_NODEV | (mount.read_only ? MOUNT_ATTR_RDONLY : 0), true);
  return out;
}

PreparedMount cache_source(const SandboxMount& mount) {
  const Fd root = open_file(mount.source, O_PATH | O_DIRECTORY);
  return select(mount, root.get(), mount.read_only);
}

// With the mode of the directory whose place it takes, as runc has it.
PreparedMount tmpfs_source(const SandboxMount& mount, int snapshot) {
  const auto target = resolve_in_root(snapshot, mount.target);
  const unsigned mode = target.is_directory() ? target.status->st_mode & 07777 : 01777;
  std::vector<FsOption> options = {{"mode", fmt::format("{:o}", mode)}};
  if (mount.size != 0) options.push_back({"size", std::to_string(mount.size)});
  const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount.read_only ? MOUNT_ATTR_RDONLY : 0);
  return {mount.target, make_filesystem("tmpfs", options, attributes), true};
}

// Secrets are kept in memory alone.
PreparedMount secret_source(const SandboxSpec& spec, const SandboxMount& mount) {
  // A secret may be a program: one that asks for a password, a credential helper.
  const unsigned no_execution = (mount.mode & 0111) == 0 ? MOUNT_ATTR_NOEXEC : 0;
  const Fd memory = make_filesystem("tmpfs", {{"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | no_execution);
  const std::string place = attach_in_scratch(memory, spec);
  const Fd file = open_file(place + "/secret", O_RDWR | O_CREAT | O_EXCL, 0600);
  const Fd content = open_file(fd_path(mount.content_fd.get()), O_RDONLY);  // with a position of its own
  write_all(file.get(), read_all(content.get()));
  if (::fchown(file.get(), mount.uid, mount.gid) < 0 || ::fchmod(file.get(), mount.mode & 07777) < 0) {
    throw system_error(errno, fmt::format("set owner {}:{} of the secret {}", mount.uid, mount.gid, mount.target),
                       ExitClass::host);
  }
  PreparedMount out{mount.target, clone_tree(AT_FDCWD, place + "/secret", false), false};
  set_mount_attributes(out.tree.get(), MOUNT_ATTR_RDONLY, false);
  return out;
}

PreparedMount system_file(const std::string& path, const char* target) {
  PreparedMount out{target, clone_tree(AT_FDCWD, path, false), false};
  set_mount_attributes(out.tree.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                       false);
  return out;
}

PreparedMount scratch_file(const SandboxSpec& spec, const char* name, const char* target, std::string_view content) {
  const std::string path = spec.scratch + "/" + name;
  write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644).get(), content);
  return system_file(path, target);
}

}  // namespace

PreparedMount make_mount_source(const SandboxSpec& spec, const SandboxMount& mount, int snapshot,
                                std::vector<AgentSocket>& agents) {
  try {
    check_image_owner(mount.uid, mount.gid, "owner");
    switch (mount.kind) {
      case graph::MountKind::bind:
        return mount.source.empty() ? bind_source(spec, mount) : host_source(mount);
      case graph::MountKind::cache:
        return cache_source(mount);
      case graph::MountKind::tmpfs:
        return tmpfs_source(mount, snapshot);
      case graph::MountKind::secret:
        return secret_source(spec, mount);
      case graph::MountKind::ssh:
        agents.push_back(
            make_agent_socket(mount.source, fresh_directory(spec.scratch, "ssh"), mount.uid, mount.gid, mount.mode));
        return {mount.target, clone_tree(AT_FDCWD, agents.back().path, false), false};
    }
    throw Error(ExitClass::internal, "a mount of unknown kind");
  } catch (Error& error) {
    throw error.with_context(fmt::format("mount at {}", mount.target));
  }
}

std::string hosts_lines(const std::string& own_name,
                        const std::vector<std::pair<std::string, std::string>>& extra_hosts) {
  std::string out = fmt::format("127.0.0.1\tlocalhost{}{}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
                                own_name.empty() ? "" : " ", own_name);
  for (const auto& [name, address] : extra_hosts) out += fmt::format("{}\t{}\n", address, name);
  return out;
}

std::string hosts_file(const SandboxSpec& spec) {
  return hosts_lines(spec.hostname.empty() ? "buildkitsandbox" : spec.hostname, spec.extra_hosts);
}

std::vector<PreparedMount> make_system_mounts(const SandboxSpec& spec) {
  std::string resolv = spec.network.resolv_conf          ? *spec.network.resolv_conf
                       : path_exists("/etc/resolv.conf") ? read_file("/etc/resolv.conf")
                                                         : "";
  if (spec.container) resolv = with_name_servers(resolv, spec.container->name_servers);
  std::vector<PreparedMount> out;
  out.push_back(scratch_file(spec, "resolv.conf", "/etc/resolv.conf", resolv));
  if (spec.container && !spec.container->hosts.empty()) {
    out.push_back(system_file(spec.container->hosts, "/etc/hosts"));
  } else {
    out.push_back(scratch_file(spec, "hosts", "/etc/hosts", hosts_file(spec)));
  }
  return out;
}

}  // namespace mbuild::executor
