#include "containers/run.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/message.h"
#include "containers/image_root.h"
#include "containers/process.h"
#include "executor/outputs/export.h"
#include "executor/upkeep.h"
#include "executor/workplace.h"
#include "worker/host_directory.h"

namespace mbuild::containers {
namespace {

constexpr std::size_t k_shown_id = 12;

std::string real_path(const HostBind& bind) {
  if (bind.make_source && !path_exists(bind.source)) make_directories(bind.source, 0755);
  std::error_code error;
  const auto path = std::filesystem::canonical(bind.source, error);
  return error ? bind.source : path.string();
}

// The container's sides of what its streams are.
struct Ends {
  Fd in, out, err, report;
};

void connect(const Options& options, Ends& ends, Plugs& plugs) {
  if (options.terminal) return;
  Pipe out = make_pipe(), err = make_pipe();
  plugs.out = std::move(out.read);
  plugs.err = std::move(err.read);
  ends.out = std::move(out.write);
  ends.err = std::move(err.write);
  if (!options.open_stdin) return;
  Pipe in = make_pipe();
  plugs.in = std::move(in.write);
  ends.in = std::move(in.read);
}

// The whole life of a container, from its image to its end.
int live(const executor::SessionRequest& session, const Options& options, Ends ends, const std::stop_token& stop) {
  executor::BuildStore place(session.store_root);
  executor::Workplace workplace(place, [](std::string) {}, stop);
  auto image_options = executor::image_options(session, {}, executor::registries_of(session, {}));
  image_options.stored = options.pull != Pull::always;
  executor::ImageSources images(place.store, std::move(image_options), stop);
  const auto platform = options.platform.value_or(platforms::host_platform());
  const auto image = find_image(options, images, place.store, stop);
  ImageRoot root(session, place, workplace, images, image, process_of(image.config, options), platform, stop);
  executor::ContainerTask task;
  task.setup = {.stdin_fd = std::move(ends.in),
                .terminal = options.terminal,
                .read_only = options.read_only,
                .init = options.init,
                .capabilities = capabilities_of(options.cap_add, options.cap_drop),
                .report = std::move(ends.report)};
  for (const auto& bind : options.binds) {
    task.binds.push_back(executor::host_directory(real_path(bind), bind.target, bind.read_only, place.map));
  }
  task.run = root.task();
  task.directory = root.next_directory();
  task.stdout_fd = std::move(ends.out);
  task.stderr_fd = std::move(ends.err);
  return root.worker().run_container(std::move(task), stop).exit_code;
}

}  // namespace

int status_of(const Error& error) {
  if (error.exit_class != ExitClass::step_failed || error.code == 0) return k_not_started;
  return error.code == ENOENT ? k_not_found : k_not_executable;
}

int run_attended(const executor::SessionRequest& session, const Options& given, const Streams& streams) {
  Options options = given;
  if (options.hostname.empty() && options.network != graph::NetworkMode::host) {
    options.hostname = random_hex(k_shown_id / 2);
  }
  Ends ends;
  Plugs plugs;
  connect(options, ends, plugs);
  executor::SocketPair told = executor::make_socket_pair();
  ends.report = std::move(told.b);
  Milestones milestones{std::move(told.a), Fd(::eventfd(0, EFD_CLOEXEC))};
  if (!milestones.ended) throw system_error(errno, "eventfd", ExitClass::host);
  std::stop_source stop;
  std::exception_ptr failure;
  int status = 0;
  {
    std::jthread life([&, taken = std::move(ends)]() mutable {
      try {
        status = live(session, options, std::move(taken), stop.get_token());
      } catch (...) {
        failure = std::current_exception();
      }
      taken = {};
      ::eventfd_write(milestones.ended.get(), 1);
    });
    attend(streams, std::move(plugs), milestones, [&] { stop.request_stop(); });
  }
  if (failure) std::rethrow_exception(failure);
  return status;
}

}  // namespace mbuild::containers
