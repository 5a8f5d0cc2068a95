#include "containers/exec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <optional>

#include "base/codec.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/message.h"
#include "base/strings.h"
#include "containers/life.h"
#include "containers/process.h"
#include "worker/sandbox/exec_request.h"
#include "worker/sandbox/sandbox.h"

namespace mbuild::containers {
namespace {

Error not_running(const Container& container) {
  return usage_error(fmt::format("the container {} does not run", container.record.name))
      .with_advice("mbuild ps lists those that do.");
}

std::string variable_name(const std::string& entry) { return entry.substr(0, entry.find('=') + 1); }

std::vector<std::string> variables(const Running& running, const ExecOptions& options) {
  auto env = running.env;
  if (options.terminal) env.insert(env.begin(), "TERM=xterm");
  for (const auto& entry : options.env) {
    std::erase_if(env, [&](const auto& other) { return other.starts_with(variable_name(entry)); });
    if (entry.find('=') != std::string::npos) env.push_back(entry);
  }
  return env;
}

std::string link_of(const std::string& path) {
  std::error_code none;
  const auto target = std::filesystem::read_symlink(path, none);
  return none ? "" : target.string();
}

std::string command_of(const std::string& directory) {
  std::string text = read_file(directory + "/cmdline");
  while (text.ends_with('\0')) text.pop_back();
  std::ranges::replace(text, '\0', ' ');
  return text.empty() ? fmt::format("[{}]", trim(read_file(directory + "/comm"))) : text;
}

}  // namespace

Fd call_container(const Container& container) {
  Fd out(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Fd directory = open_file(container.directory, O_PATH | O_DIRECTORY);
  const std::string name = fmt::format("/proc/self/fd/{}/{}", directory.get(), base_name(socket_path(container)));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!out || ::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw not_running(container);
  }
  return out;
}

Fd process_of_container(const Container& container) {
  if (container.state != State::running || container.running->process <= 0) return {};
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, container.running->process, 0)));
  if (process && start_time_of(container.running->process) != container.running->start_time) return {};
  return process;
}

std::int32_t number_of(const Fd& process) {
  constexpr std::string_view k_pid = "Pid:\t";
  std::int32_t out = 0;
  for (const auto& line : split(read_file(fmt::format("/proc/self/fdinfo/{}", process.get())), '\n')) {
    if (!line.starts_with(k_pid)) continue;
    std::from_chars(line.data() + k_pid.size(), line.data() + line.size(), out);
  }
  return out;
}

namespace {

// Has the container's job do something. Whoever does it holds the descriptors then, and answers by one of them.
template <class T>
void request(const Container& container, const char* operation, const T& asked) {
  const Fd socket = call_container(container);
  executor::Encoder encoder;
  encoder(asked);
  if (!executor::send_message(socket.get(), {executor::MessageType::request, 0, operation, encoder.take(), {}},
                              encoder.descriptors())) {
    throw not_running(container);
  }
}

}  // namespace

int execute_in(const Container& container, const ExecOptions& options, const Streams& streams) {
  if (container.state != State::running) throw not_running(container);
  const auto& record = container.record.options;
  executor::SandboxSpec spec;
  spec.argv = options.argv;
  spec.env = variables(*container.running, options);
  spec.cwd = options.working_directory.empty() ? container.running->cwd : options.working_directory;
  spec.user = options.user.empty() ? container.running->user : options.user;
  auto& setup = spec.container.emplace();
  setup.terminal = options.terminal;
  setup.capabilities = capabilities_of(record.cap_add, record.cap_drop);
  setup.groups = options.user.empty() ? record.groups : std::vector<std::string>();
  setup.no_new_privileges = record.no_new_privileges;
  Plugs plugs;
  if (!options.terminal) {
    Ends ends = connect(plugs, options.open_stdin);
    spec.stdout_fd = std::move(ends.out);
    spec.stderr_fd = std::move(ends.err);
    setup.stdin_fd = std::move(ends.in);
  }
  executor::SocketPair told = executor::make_socket_pair();
  setup.report = std::move(told.b);
  request(container, executor::k_exec, spec);
  spec = {};
  const auto first = executor::receive_message(told.a.get());
  if (!first) throw not_running(container);
  if (first->type == executor::MessageType::error) throw executor::decode_error(first->body());
  if (options.detach) return 0;
  // Heard once more by whoever passes bytes on.
  executor::SocketPair again = executor::make_socket_pair();
  std::vector<int> fds;
  for (const auto& fd : first->fds) fds.push_back(fd.get());
  executor::send_message(again.b.get(), {executor::MessageType::ready, 0, "", "", {}}, fds);
  const Milestones milestones{.on_start =
                                  [&](const Fd& process, int) {
                                    if (options.on_start) options.on_start(process);
                                  },
                              .on_attached = {},
                              .requests = -1,
                              .started = std::move(again.a),
                              .ended = duplicate(told.a.get()),
                              .leaves_others = options.leaves_others};
  attend(streams, std::move(plugs), milestones, [] {});
  const auto last = executor::receive_message(told.a.get());
  return last ? static_cast<int>(last->id) : 128 + SIGKILL;
}

executor::FileReply order_files(const Container& container, executor::FileOrder order) {
  if (container.state != State::running) throw not_running(container);
  executor::SocketPair told = executor::make_socket_pair();
  order.report = std::move(told.b);
  request(container, executor::k_files, order);
  order = {};  // so that it is heard when whoever does it has ended
  const auto answer = executor::receive_message(told.a.get());
  if (!answer) throw not_running(container);
  if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
  return executor::decode<executor::FileReply>(answer->body());
}

Fd hold_still(const Container& container) {
  if (container.state != State::running) throw not_running(container);
  executor::SocketPair told = executor::make_socket_pair();
  executor::PauseOrder order{.report = std::move(told.b)};
  request(container, executor::k_pause, order);
  order = {};
  const auto answer = executor::receive_message(told.a.get());
  if (!answer) throw not_running(container);
  if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
  return std::move(told.a);
}

bool send_signal(const Container& container, int signal) {
  const Fd process = process_of_container(container);
  return process && ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

std::optional<Container> settle(const Container& container, const std::stop_token& stop) {
  constexpr double k_moment = 0.02;
  const Shelf shelf(dir_name(container.directory));
  for (;;) {
    auto now = shelf.read(container.record.id);
    if (!now || now->state == State::running || !is_held(*now)) return now;
    SeenLife(*now).wait(k_moment, stop);
  }
}

void stop_container(const Container& container, double seconds, const std::string& signal, const std::stop_token& stop,
                    bool keep) {
  constexpr double k_again = 1;
  const auto ask = [&] {
    if (keep) ask_to_keep(container);
    ask_to_stay_down(container);
  };
  ask();
  // One whose process is about to start its program is waited for, or the signal would be lost.
  auto now = settle(container, stop);
  if (!now || now->state != State::running || (lives(container) && now->lives != container.lives)) return;
  ask();  // its process forgets when it begins what it was asked for before
  const auto number = now->lives;
  const SeenLife life(*now);
  send_signal(*now, signal.empty() ? now->running->stop_signal : signal_number(signal));
  if (life.wait(seconds, stop)) return;
  do {
    now = settle(container, stop);  // its process may have started the program again before it was asked not to
    if (!now || now->state != State::running || now->lives != number) return;
    send_signal(*now, SIGKILL);
  } while (!life.wait(k_again, stop));
}

std::vector<Process> processes_of(const Container& container) {
  if (!process_of_container(container)) throw not_running(container);
  const std::string own = link_of(fmt::format("/proc/{}/ns/pid", container.running->process));
  std::vector<Process> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename(), directory = entry.path();
    Process process;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), process.number);
    if (parsed.ptr != name.data() + name.size() || own.empty() || link_of(directory + "/ns/pid") != own) continue;
    struct stat status;
    if (::stat(directory.c_str(), &status) == 0) process.uid = status.st_uid;
    try {
      process.command = command_of(directory);
    } catch (const Error&) {
      continue;  // it has ended
    }
    out.push_back(std::move(process));
  }
  std::ranges::sort(out, {}, &Process::number);
  return out;
}

}  // namespace mbuild::containers
