#include "executor/log_pump.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace mbuild::executor {
namespace {

constexpr std::size_t k_tail_bytes = 8192;
constexpr std::size_t k_tail_lines = 20;

}  // namespace

LogPump::LogPump(VertexId vertex, ProgressSink& sink)
    : vertex_(vertex), sink_(sink), out_(make_pipe()), err_(make_pipe()), thread_([this] { pump(); }) {}

LogPump::~LogPump() { finish(); }

void LogPump::pump() {
  char buffer[65536];
  pollfd fds[2] = {{out_.read.get(), POLLIN, 0}, {err_.read.get(), POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds, 2, -1) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      const ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) {
        if (n == 0 || errno != EINTR) fds[i].fd = -1;
        continue;
      }
      const std::string_view data(buffer, static_cast<std::size_t>(n));
      remember(data);
      try {
        sink_.log({.id = vertex_, .stream = i + 1, .data = data, .time = std::chrono::steady_clock::now()});
      } catch (const std::exception&) {
        // Nobody can be shown it. The step goes on; whoever reports its end meets the same failure.
      }
    }
  }
}

void LogPump::remember(std::string_view data) {
  tail_ += data;
  if (tail_.size() > 2 * k_tail_bytes) tail_.erase(0, tail_.size() - k_tail_bytes);
}

std::string LogPump::finish() {
  out_.write.reset();
  err_.write.reset();
  if (thread_.joinable()) thread_.join();
  std::size_t start = tail_.size();
  for (std::size_t lines = 0; start > 0; --start) {
    if (tail_[start - 1] == '\n' && start != tail_.size() && ++lines == k_tail_lines) break;
  }
  return tail_.substr(start);
}

}  // namespace mbuild::executor
