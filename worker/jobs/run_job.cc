#include <fcntl.h>
#include <fmt/format.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/feature.h"
#include "base/own_directory.h"
#include "emu/preflight.h"
#include "worker/ids/id_map.h"
#include "worker/ids/user_namespace.h"
#include "worker/jobs/work_directory.h"
#include "worker/snapshot/mount_calls.h"

// RUN: the sandbox, then its upper directory as a layer.
namespace mbuild::executor::jobs {
namespace {

void make_cache_directory(const CacheDirectory& cache) {
  check_image_owner(cache.uid, cache.gid, "cache mount");
  if (::mkdir(cache.path.c_str(), 0700) < 0) {
    if (errno == EEXIST) return;
    throw system_error(errno, "mkdir " + cache.path);
  }
  if (::chown(cache.path.c_str(), cache.uid, cache.gid) < 0 || ::chmod(cache.path.c_str(), cache.mode) < 0) {
    throw system_error(errno, "set the owner of a cache mount", errno == EINVAL ? ExitClass::host : ExitClass::store);
  }
}

std::string variable(const std::vector<std::string>& env, std::string_view name) {
  for (auto it = env.rbegin(); it != env.rend(); ++it) {
    if (it->size() > name.size() && it->starts_with(name) && (*it)[name.size()] == '=')
      return it->substr(name.size() + 1);
  }
  return "";
}

// Where new files get the group of their directory instead of that of who makes them, a RUN's files would, too, and
// nothing can tell afterwards what was meant. Seen by a directory that another group makes, where there is another one.
std::string make_overlay_directory(const std::string& work) {
  constexpr gid_t k_other_group = 1;
  ::setfsgid(k_other_group);
  const bool is_other = static_cast<gid_t>(::setfsgid(0)) == k_other_group;
  if (!is_other) return make_work_directory(work, "work");
  ::setfsgid(k_other_group);
  const std::string path = work + "/group";
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  ::setfsgid(0);
  struct stat status;
  const bool kept = !made || ::stat(path.c_str(), &status) < 0 || status.st_gid == k_other_group;
  if (kept && made && ::rename(path.c_str(), (work + "/work").c_str()) == 0) {
    const Fd directory = open_file(work + "/work", O_RDONLY | O_DIRECTORY);
    settle_directory(directory.get(), work + "/work", 0755);
    return work + "/work";
  }
  if (kept) return make_work_directory(work, "work");
  throw Error(ExitClass::host,
              "the store's file system gives new files the group of their directory (mount option grpid)")
      .with_advice(
          "What a RUN makes would have the wrong group: mount it with nogrpid, or choose another one with --root DIR.");
}

// What the step is about to execute, read before it starts: see emu/preflight.h.
void check_program(const SandboxSpec& spec, const platforms::Platform& platform, int snapshot) {
  if (spec.stack.layers.empty()) return;
  const auto problem = emu::check_executable(snapshot, spec.argv.at(0), variable(spec.env, "PATH"), spec.cwd, platform);
  if (problem) throw Error(ExitClass::step_failed, problem->message).with_advice(problem->advice);
}

// For a program that is root of the host: from now on this job sees the files below the store's directory with the ids
// of images, as the jobs of the other inner process do, and what it makes there is theirs on disk.
void show_image_ids(const RunRequest& request) {
  const Fd tree = clone_tree(AT_FDCWD, request.store, false);
  const Fd ids = make_user_namespace(request.store_uids, request.store_gids);
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(ids.get());
  const bool disabled = feature_disabled("mount-idmap");
  if (disabled || ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
    if (disabled) errno = EINVAL;
    throw system_error(errno, "map the ids of the store for --security=insecure", ExitClass::host)
        .with_advice(
            "the store must be on a file system with id-mapped mounts (ext4, xfs, btrfs, tmpfs; Linux 5.19): "
            "choose another one with --root");
  }
  attach(tree.get(), open_file(request.store, O_PATH | O_DIRECTORY).get());
}

}  // namespace

RunReply run_job(RunRequest request) {
  auto& spec = request.spec;
  if (!request.store_uids.empty()) show_image_ids(request);
  for (const auto& cache : request.cache_directories) make_cache_directory(cache);
  spec.upper = spec.container ? keep_upper(request.work) : make_work_directory(request.work, "upper");
  spec.work = make_overlay_directory(request.work);
  spec.scratch = make_scratch(request.work);
  spec.spill = request.work;
  const int snapshot = snapshot_root(spec.stack, spec.scratch + "/snapshot");
  if (request.check_platform) check_program(spec, *request.check_platform, snapshot);

  RunReply reply;
  reply.result = run_sandbox(spec, snapshot);
  if (reply.result.exit_code != 0 && !request.failed_path.empty()) give_final_name(spec.upper, request.failed_path);
  if (reply.result.exit_code != 0 || request.final_path.empty()) return reply;
  const auto check_nodes = [&](int upper, const std::vector<std::string>& paths) {
    if (spec.security == graph::SecurityMode::insecure) return false;
    std::vector<Stack> binds;
    for (const auto& mount : spec.mounts) {
      if (mount.kind == graph::MountKind::bind) binds.push_back(mount.stack);
    }
    return remove_forged_nodes(upper, paths, reply.result.made_nodes.value, snapshot, binds, spec.scratch,
                               request.owners);
  };
  reply.layer = commit_layer(spec.upper, request.final_path, {}, request.owners, {}, check_nodes);
  return reply;
}

}  // namespace mbuild::executor::jobs
