#include "containers/failed_shell.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/message.h"
#include "base/strings.h"
#include "containers/process.h"
#include "emu/elf.h"
#include "executor/api/secrets.h"
#include "executor/steps/run_tasks.h"
#include "executor/workplace.h"
#include "worker/host_directory.h"
#include "worker/local_worker.h"

namespace mbuild::containers {
namespace {

constexpr std::array k_shells = {"ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"};
constexpr const char* k_brought_shell = "/.mbuild-debug/busybox";

// A shell of the host's that needs nothing of the image; "" where there is none.
std::string static_shell() {
  for (const char* path : {"/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"}) {
    std::error_code none;
    const auto real = std::filesystem::canonical(path, none);
    if (none) continue;
    try {
      const auto elf = emu::inspect_elf_file(open_file(real.string(), O_RDONLY).get());
      if (elf && elf->complete && elf->interpreter.empty()) return real.string();
    } catch (const Error&) {
      // It is not for this user.
    }
  }
  return "";
}

// What it is tried with, until one is there.
struct Attempt {
  std::vector<std::string> argv;
  std::string brought;  // a program of the host's; "": none
};

std::vector<Attempt> attempts(const executor::FailedStep& step, const Visit& visit) {
  if (!visit.argv.empty()) return {{visit.argv, ""}};
  std::vector<Attempt> out;
  if (const auto own = shell_of(step.task.argv); !own.empty()) out.push_back({{own}, ""});
  if (out.empty() || out.front().argv.front() != "/bin/sh") out.push_back({{"/bin/sh"}, ""});
  if (const auto brought = static_shell(); !brought.empty()) out.push_back({{k_brought_shell, "sh"}, brought});
  return out;
}

executor::LayerIds layers_of(const executor::RunTask& task) {
  auto out = task.root;
  for (const auto* part : {&task.sibling, &task.compilers}) {
    if (*part) out.insert(out.end(), (*part)->begin(), (*part)->end());
  }
  for (const auto& mount : task.mounts) out.insert(out.end(), mount.layers.begin(), mount.layers.end());
  return out;
}

// The step's task with what it had written, and with what is given.
executor::RunTask task_of(const executor::FailedStep& step, const Visit& visit) {
  auto task = step.task;
  task.keep_failed = false;
  if (!step.written.empty()) task.root.push_back(step.written);
  if (visit.user) task.user = *visit.user;
  for (const auto& secret : step.secrets) {
    const auto value = executor::read_secret(visit.given, secret.id);
    if (!secret.variable.empty()) task.env.push_back(fmt::format("{}={}", secret.variable, value.value_or("")));
    if (!value || !secret.file) continue;
    task.mounts.push_back(*secret.file);
    task.mounts.back().content = *value;
  }
  for (const auto& agent : step.agents) {
    if (executor::agent_socket(visit.given, agent.id).empty()) continue;
    task.mounts.push_back(agent.socket);
    task.mounts.back().agent = agent.id;
  }
  const auto has_type = [](const std::string& entry) { return entry.starts_with("TERM="); };
  if (visit.terminal && std::ranges::none_of(task.env, has_type)) task.env.push_back("TERM=" + visit.terminal_type);
  return task;
}

// The store with all that works in it.
class Room {
 public:
  Room(const executor::SessionRequest& session, const executor::TargetRequest& given, const std::stop_token& stop)
      : place_(session.store_root),
        workplace_(
            place_, [](std::string) {}, stop),
        work_([this] { return place_.directory.path(); }),
        layers_(place_.store, workplace_.inner, work_,
                [this](std::string path) { workplace_.remove_later(std::move(path)); }),
        worker_({.inner = workplace_.inner,
                 .network = workplace_.network,
                 .store = place_.store,
                 .work = work_,
                 .layers = layers_,
                 .user_files = nullptr,
                 .agent_socket = [&given](const std::string& id) { return executor::agent_socket(given, id); }}) {}

  executor::LocalWorker& worker() { return worker_; }
  std::string next_directory() { return work_.next(); }
  const executor::IdMap& map() const { return place_.map; }

 private:
  executor::BuildStore place_;
  executor::Workplace workplace_;
  executor::WorkDirectories work_;
  executor::LayerDirectories layers_;
  executor::LocalWorker worker_;
};

// One life of a program in the room, attended by `streams`.
int live_in_room(Room& room, const executor::RunTask& like, const Attempt& attempt, const Visit& visit,
                 const Streams& streams, std::stop_source& stop) {
  executor::ContainerTask task;
  task.run = like;
  task.run.argv = attempt.argv;
  task.directory = room.next_directory();
  task.is_native = !attempt.brought.empty();
  if (task.is_native)
    task.binds.push_back(executor::host_directory(attempt.brought, k_brought_shell, true, room.map()));
  Plugs plugs;
  if (!visit.terminal) {
    Ends ends = connect(plugs, visit.open_stdin);
    task.stdout_fd = std::move(ends.out);
    task.stderr_fd = std::move(ends.err);
    task.setup.stdin_fd = std::move(ends.in);
  }
  executor::SocketPair told = executor::make_socket_pair();
  task.setup.terminal = visit.terminal;
  task.setup.capabilities = capabilities_of({}, {});
  task.setup.report = std::move(told.b);
  const Milestones milestones{
      .on_start = {}, .on_attached = {}, .started = std::move(told.a), .ended = Fd(::eventfd(0, EFD_CLOEXEC))};
  if (!milestones.ended) throw system_error(errno, "eventfd", ExitClass::host);
  int status = 0;
  std::exception_ptr failure;
  {
    const std::jthread life([&, taken = std::move(task)]() mutable {
      try {
        status = room.worker().run_container(std::move(taken), stop.get_token()).exit_code;
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

}  // namespace

std::string shell_of(const std::vector<std::string>& argv) {
  if (argv.empty()) return "";
  return std::ranges::find(k_shells, base_name(argv.front())) == k_shells.end() ? "" : argv.front();
}

std::vector<std::string> missing_secrets(const executor::FailedStep& step, const executor::TargetRequest& given) {
  std::vector<std::string> out;
  for (const auto& secret : step.secrets) {
    const std::string flag = "--secret id=" + secret.id;  // a step may have one several times
    if (!secret.was_given || executor::read_secret(given, secret.id)) continue;
    if (std::ranges::find(out, flag) == out.end()) out.push_back(flag);
  }
  for (const auto& agent : step.agents) {
    if (executor::agent_socket(given, agent.id).empty()) out.push_back("--ssh " + agent.id);
  }
  return out;
}

int visit_failed_step(const executor::SessionRequest& session, const executor::FailedStep& step, const Visit& visit,
                      const Streams& streams) {
  std::stop_source stop;
  Room room(session, visit.given, stop.get_token());
  const auto task = task_of(step, visit);
  if (!room.worker().missing(layers_of(task)).empty()) {
    throw Error(ExitClass::store, fmt::format("what {} stood on is no longer in the store", step.name))
        .with_advice("It was pruned or collected: build again, with --on-failure shell.");
  }
  room.worker().prepare(task);
  std::optional<Error> first;
  for (const auto& attempt : attempts(step, visit)) {
    try {
      return live_in_room(room, task, attempt, visit, streams, stop);
    } catch (const Error& error) {
      if (error.exit_class != ExitClass::step_failed) throw;
      if (!first) first = error;
    }
  }
  if (!visit.argv.empty()) throw std::move(*first);
  throw Error(ExitClass::host, fmt::format("there is no shell in the image: {}", first->what()))
      .with_advice(
          "A static one of this machine is taken then, and there is none: install the package busybox-static, or run a "
          "program of the image's: mbuild debug -- PROGRAM");
}

}  // namespace mbuild::containers
