#include "worker/output_pump.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace mbuild::executor {

OutputPump::OutputPump(StepSink& sink)
    : sink_(sink), out_(make_pipe()), err_(make_pipe()), thread_([this] { pump(); }) {}

void OutputPump::pump() {
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
      sink_.log(i + 1, std::string_view(buffer, static_cast<std::size_t>(n)));
    }
  }
}

void OutputPump::finish() {
  out_.write.reset();
  err_.write.reset();
  if (thread_.joinable()) thread_.join();
}

}  // namespace mbuild::executor
