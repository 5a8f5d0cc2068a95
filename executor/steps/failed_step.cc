#include "executor/steps/failed_step.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/codec.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cache/store_items.h"

namespace mbuild::executor {
namespace {

constexpr std::string_view k_failed_version = "mbuild failed step 1\n";
constexpr std::size_t k_most_kept = 5;
constexpr std::int64_t k_longest_kept = 24 * 3600 * std::int64_t{1000};  // milliseconds

const graph::Mount* mount_at(const graph::ExecOp& op, const TaskMount& mount) {
  const auto found = std::ranges::find_if(
      op.mounts, [&](const auto& one) { return one.kind == mount.kind && one.target == mount.target; });
  return found == op.mounts.end() ? nullptr : &*found;
}

// The files of a step that are to go, and the step with them; what a running build holds stays.
void forget(const FailedStep& step, cache::Store& store, const std::function<void(std::string)>& remove) {
  if (!step.written.empty()) {
    cache::StoreItem item;  // of a layer
    item.id = step.written;
    item.path = store.layer_path(step.written);
    if (path_exists(item.path)) {
      auto left = store.remove_item(item);
      if (!left) return;
      if (!left->empty()) remove(std::move(*left));
    }
  }
  ::unlink((failed_steps_directory(store) + "/" + step.id).c_str());
}

}  // namespace

FailedStep failed_step_of(const graph::ExecOp& op, RunTask task) {
  FailedStep out;
  for (const auto& mount : op.mounts) {
    if (mount.kind != graph::MountKind::secret) continue;
    UsedSecret secret{.id = mount.id, .variable = mount.env, .file = {}};
    // What comes of secrets follows what the instruction says itself.
    const auto first = std::min(op.env.size() + op.proxy_env.size(), task.env.size());
    const auto added =
        std::stable_partition(task.env.begin() + static_cast<std::ptrdiff_t>(first), task.env.end(),
                              [&](const auto& one) { return mount.env.empty() || !one.starts_with(mount.env + "="); });
    secret.was_given =
        std::any_of(added, task.env.end(), [&](const auto& one) { return one.size() > mount.env.size() + 1; });
    task.env.erase(added, task.env.end());
    if (mount.as_file) {
      secret.file.emplace();
      secret.file->kind = mount.kind;
      secret.file->target = mount.target;
      secret.file->read_only = mount.read_only;
      secret.file->uid = mount.uid;
      secret.file->gid = mount.gid;
      secret.file->mode = mount.mode;
    }
    out.secrets.push_back(std::move(secret));
  }
  std::vector<TaskMount> others;
  for (auto& mount : task.mounts) {
    const auto* declared = mount_at(op, mount);
    if (mount.kind == graph::MountKind::secret) {
      for (auto& secret : out.secrets) {
        if (secret.file && secret.file->target == mount.target) secret.was_given = true;
      }
    } else if (mount.kind == graph::MountKind::ssh) {
      mount.agent.clear();
      out.agents.push_back({declared == nullptr ? "default" : declared->id, std::move(mount)});
    } else {
      others.push_back(std::move(mount));
    }
  }
  task.mounts = std::move(others);
  out.task = std::move(task);
  return out;
}

std::string failed_steps_directory(const cache::Store& store) { return dir_name(store.work_directory()) + "/failed"; }

void keep_failed_step(const FailedStep& step, cache::Store& store,
                      const std::function<void(std::string)>& remove_later) {
  const auto directory = failed_steps_directory(store);
  make_directories(directory, 0700);
  write_file_atomically(directory + "/" + step.id, std::string(k_failed_version) + encode(step), 0600);
  forget_failed_steps(store, step.failed, remove_later);
}

void forget_failed_steps(cache::Store& store, std::int64_t now, const std::function<void(std::string)>& remove) {
  std::size_t kept = 0;
  for (const auto& one : failed_steps(store)) {
    if (++kept > k_most_kept || one.failed < now - k_longest_kept) forget(one, store, remove);
  }
}

std::optional<FailedStep> read_failed_step(const cache::Store& store, const std::string& id) {
  if (id.empty() || id.find_first_of("./") != std::string::npos) return std::nullopt;
  const std::string path = failed_steps_directory(store) + "/" + id;
  try {
    if (!path_exists(path)) return std::nullopt;
    const std::string bytes = read_file(path);
    if (!bytes.starts_with(k_failed_version)) return std::nullopt;
    return decode<FailedStep>(std::string_view(bytes).substr(k_failed_version.size()));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<FailedStep> failed_steps(const cache::Store& store) {
  std::vector<FailedStep> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(failed_steps_directory(store), none)) {
    if (auto step = read_failed_step(store, entry.path().filename())) out.push_back(std::move(*step));
  }
  std::ranges::sort(out,
                    [](const auto& a, const auto& b) { return std::pair(b.failed, b.id) < std::pair(a.failed, a.id); });
  return out;
}

}  // namespace mbuild::executor
