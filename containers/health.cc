#include "containers/health.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "containers/exec.h"

namespace mbuild::containers {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::size_t k_most_output = 4096, k_most_entries = 5;
constexpr int k_timed_out = -1;

// False when a stop was requested before.
bool sleep_for(std::int64_t nanoseconds, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, std::chrono::nanoseconds(nanoseconds), [] { return false; });
  return !stop.stop_requested();
}

std::vector<std::string> words_of(const frontend::HealthCheck& check) {
  if (check.test.front() == "CMD-SHELL") return {"/bin/sh", "-c", check.test.size() > 1 ? check.test[1] : ""};
  return {check.test.begin() + 1, check.test.end()};
}

// It leads a session, and what it waits for is mostly of its group. The number is the process's as long as that lives.
void kill_with_others(const Fd& process) {
  const auto number = number_of(process);
  const bool lives = ::syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) == 0;
  if (lives && number > 1 && ::getpgid(number) == number) ::kill(-number, SIGKILL);
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

struct Answer {
  std::int64_t started = 0;
  int status = 0;
  std::string output;
};

// One look; a command that takes too long is killed.
Answer ask(const Container& container, const frontend::HealthCheck& check) {
  Answer out{.started = unix_seconds(), .output = {}};
  std::jthread killer;
  std::atomic<bool> too_late = false;
  ExecOptions options;
  options.argv = words_of(check);
  options.leaves_others = true;
  options.on_start = [&](const Fd& process) {
    killer = std::jthread([&, process = duplicate(process.get())](const std::stop_token& stop) {
      if (!sleep_for(check.timeout_ns, stop)) return;
      too_late = true;
      kill_with_others(process);
    });
  };
  Streams streams;
  streams.write = [&](int, std::string_view bytes) {
    out.output += bytes.substr(0, k_most_output - std::min(out.output.size(), k_most_output));
  };
  try {
    out.status = execute_in(container, options, streams);
  } catch (const Error& error) {
    out.status = 127;
    out.output = error.message;
  }
  if (too_late) out.status = k_timed_out;
  return out;
}

// The state in the first line, for all who list containers; then what inspect shows.
std::string as_text(const HealthState& state, const std::deque<Answer>& answers) {
  auto log = nlohmann::ordered_json::array();
  for (const auto& answer : answers) {
    log.push_back({{"Start", rfc3339(answer.started)}, {"ExitCode", answer.status}, {"Output", answer.output}});
  }
  const nlohmann::ordered_json all = {{"Status", state.status()}, {"FailingStreak", state.failures()}, {"Log", log}};
  return state.status() + "\n" + all.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::int64_t chosen(std::int64_t user, std::int64_t image, std::int64_t usual) {
  return user > 0 ? user : image > 0 ? image : usual;
}

}  // namespace

std::optional<frontend::HealthCheck> health_check_of(const frontend::ImageConfig& image, const HealthOptions& options) {
  frontend::HealthCheck out = image.health_check.value_or(frontend::HealthCheck());
  if (!options.command.empty()) out.test = {"CMD-SHELL", options.command};
  if (options.off || out.test.empty() || (out.test.front() != "CMD" && out.test.front() != "CMD-SHELL")) return {};
  if (out.test.size() < 2) return std::nullopt;
  out.interval_ns = chosen(options.interval, out.interval_ns, 30 * k_second);
  out.timeout_ns = chosen(options.timeout, out.timeout_ns, 30 * k_second);
  out.start_period_ns = chosen(options.start_period, out.start_period_ns, 0);
  out.start_interval_ns = chosen(options.start_interval, out.start_interval_ns, 5 * k_second);
  out.retries = chosen(options.retries, out.retries, 3);
  return out;
}

bool HealthState::answered(bool well, std::int64_t age) {
  const std::string before = status_;
  if (well) {
    failures_ = 0;
    status_ = "healthy";
  } else if (status_ != "starting" || age > check_.start_period_ns) {
    if (++failures_ >= check_.retries) status_ = "unhealthy";
  }
  return status_ != before;
}

std::int64_t HealthState::pause(std::int64_t age) const {
  const bool begins = status_ == "starting" && age < check_.start_period_ns;
  return begins ? std::min(check_.start_interval_ns, check_.interval_ns) : check_.interval_ns;
}

void watch_health(const Container& container, const frontend::HealthCheck& check, const std::stop_token& stop) {
  const auto began = std::chrono::steady_clock::now();
  const auto age = [&] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
  };
  HealthState state(check);
  std::deque<Answer> answers;
  while (sleep_for(state.pause(age()), stop)) {
    try {
      answers.push_back(ask(container, check));
      if (stop.stop_requested()) return;
      if (answers.size() > k_most_entries) answers.pop_front();
      state.answered(answers.back().status == 0, age());
      write_health(container, as_text(state, answers));
    } catch (const std::exception&) {
      // No space, no processes: the next look may have them.
    }
  }
}

}  // namespace mbuild::containers
