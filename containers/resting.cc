#include "containers/resting.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "containers/volumes.h"
#include "executor/outputs/export.h"
#include "worker/host_directory.h"

namespace mbuild::containers {
namespace {

executor::SessionRequest quiet(executor::SessionRequest session) {
  session.acceleration = executor::Acceleration::off;  // nothing is run
  return session;
}

Standing known_standing(const Container& container) {
  auto out = read_standing(container);
  if (!out) throw usage_error(fmt::format("the container {} has never been started", container.record.name));
  return std::move(*out);
}

}  // namespace

Resting::Resting(const executor::SessionRequest& session, const Container& container, const std::stop_token& stop)
    : session_(quiet(session)),
      container_(container),
      stop_(stop),
      place_(session.store_root),
      workplace_(
          place_, [](std::string) {}, stop),
      images_(place_.store, executor::image_options(session_, {}, executor::registries_of(session_, {})), stop),
      image_(image_of(known_standing(container), images_)) {}

ImageRoot& Resting::root() {
  if (root_) return *root_;
  graph::ExecOp nothing;
  nothing.argv = {"true"};
  nothing.cwd = "/";
  nothing.network = graph::NetworkMode::none;
  nothing.mounts.push_back({.target = "/", .input = 0, .output = 0});
  const auto platform = container_.record.options.platform.value_or(platforms::host_platform());
  return root_.emplace(session_, place_, workplace_, images_, image_, std::move(nothing), platform, stop_);
}

namespace {

// The volume that a path of the container is in; nothing where that is its own.
std::optional<HostBind> volume_at(const Container& container, const std::string& path) {
  std::optional<HostBind> out;
  for (auto& bind : binds_of(container)) {
    const bool is_in = path == bind.target || path.starts_with(bind.target + "/");
    const bool is_nearer = !out || out->target.size() < bind.target.size();
    if (is_in && is_nearer) out = std::move(bind);
  }
  return out && !out->volume.empty() ? out : std::nullopt;
}

}  // namespace

executor::FileReply Resting::files(executor::FileOrder order) {
  const auto lock = hold(container_);
  if (!lock) throw usage_error(fmt::format("the container {} is about to run", container_.record.name));
  const auto task = root().resting_task();
  auto& worker = root().worker();
  const std::string directory = container_.directory + "/root";
  const auto volume = volume_at(container_, clean_path(order.path));
  const auto has_it = volume && has_volume(volumes_directory(place_.store), volume->volume);
  if (!has_it) return worker.resting_files(task.root, directory, std::move(order), std::nullopt, stop_);
  const auto data = use_volume(volumes_directory(place_.store), volume->volume).directory;
  order.path = "/" + clean_path(order.path).substr(std::min(volume->target.size() + 1, clean_path(order.path).size()));
  auto mount = executor::host_directory(data, volume->target, volume->read_only, place_.map);
  auto reply = worker.resting_files(task.root, directory, std::move(order), std::move(mount), stop_);
  reply.path = clean_path(volume->target + "/" + reply.path).substr(1);
  return reply;
}

std::vector<std::string> Resting::changes() {
  const auto task = root().resting_task();
  return root().worker().changes(task.root, container_.directory + "/root", stop_);
}

}  // namespace mbuild::containers
