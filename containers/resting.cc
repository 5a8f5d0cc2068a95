#include "containers/resting.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "executor/outputs/export.h"

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

executor::FileReply Resting::files(executor::FileOrder order) {
  const auto lock = hold(container_);
  if (!lock) throw usage_error(fmt::format("the container {} is about to run", container_.record.name));
  const auto task = root().resting_task();
  return root().worker().resting_files(task.root, container_.directory + "/root", std::move(order), stop_);
}

std::vector<std::string> Resting::changes() {
  const auto task = root().resting_task();
  return root().worker().changes(task.root, container_.directory + "/root", stop_);
}

}  // namespace mbuild::containers
