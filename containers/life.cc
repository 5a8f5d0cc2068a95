#include "containers/life.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

#include "base/error.h"

namespace mbuild::containers {
namespace {

constexpr int k_no_program = 125;  // it ended before its program was started
constexpr char k_beginning = '+';

// All that it says now. What can't be read says nothing: then the lock alone tells.
std::string lines_of(const Fd& file) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = file ? ::pread(file.get(), buffer, sizeof buffer, static_cast<off_t>(out.size())) : 0;
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

// What follows after so many lines; nothing where there are less.
std::optional<std::string_view> after_lines(std::string_view text, std::uint64_t count) {
  for (; count > 0; --count) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  return text;
}

// On a full disk nothing is told, and the lock alone tells.
void tell(const Fd& file, const std::string& text) { (void)!::write(file.get(), text.data(), text.size()); }

}  // namespace

std::uint64_t lives_ended(const std::string& lock_path) {
  const auto lines = lines_of(Fd(::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC)));
  return static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
}

Life::Life(const Container& container) : lock_(hold(container)), status_(k_no_program) {
  if (!lock_) {
    auto error = usage_error(fmt::format("the container {} runs already", container.record.name));
    error.code = EBUSY;
    throw error;
  }
  forget_request(container);
  file_ = held_file(container);
  ::fcntl(file_.get(), F_SETFL, O_APPEND);
  // Of one that was killed nobody else tells.
  const bool was_killed = lines_of(file_).ends_with(k_beginning);
  tell(file_, (was_killed ? fmt::format("{}\n", 128 + SIGKILL) : "") + k_beginning);
}

Life::~Life() { tell(file_, fmt::format("{}\n", status_)); }

SeenLife::SeenLife(const Container& container) : seen_(container), file_(held_file(container)) {}

bool SeenLife::is_over() const {
  if (seen_.state == State::exited || seen_.state == State::dead || !file_) return true;
  if (cache::FileLock::is_free(file_)) return true;
  const auto lines = lines_of(file_);
  const auto next = after_lines(lines, seen_.lives + 1);
  return next && !next->empty();
}

bool SeenLife::wait(double seconds, const std::stop_token& stop) const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  auto pause = std::chrono::milliseconds(1);
  while (!is_over()) {
    if (seconds >= 0 && std::chrono::steady_clock::now() >= until) return false;
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  return true;
}

std::optional<int> SeenLife::status() const {
  if (seen_.state == State::exited) return seen_.ended->status;
  const auto lines = lines_of(file_);
  const auto own = after_lines(lines, seen_.lives);
  int out = 0;
  if (!own || !own->starts_with(k_beginning)) return std::nullopt;
  const auto parsed = std::from_chars(own->data() + 1, own->data() + own->size(), out);
  if (parsed.ec != std::errc()) return std::nullopt;
  return out;
}

}  // namespace mbuild::containers
