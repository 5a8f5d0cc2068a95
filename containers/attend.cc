#include "containers/attend.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/message.h"

namespace mbuild::containers {
namespace {

constexpr std::size_t k_part = 64 * 1024;
constexpr int k_patience = 3;  // requests to end after which a container is killed

// What comes from one descriptor goes to another.
class Pump {
 public:
  using Write = std::function<void(int stream, std::string_view bytes)>;
  Pump(Fd& from, int stream, const Write& write) : from_(from), stream_(stream), write_(write) {}

  pollfd wanted() const { return {from_.get(), POLLIN, 0}; }
  bool open() const { return static_cast<bool>(from_); }
  // After poll said that there is something; the writer's end closes it.
  void move(std::size_t most) {
    char buffer[k_part];
    const ssize_t n = ::read(from_.get(), buffer, std::min(most, sizeof buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) return from_.reset();  // EIO: nobody has the terminal open any more
    try {
      write_(stream_, {buffer, static_cast<std::size_t>(n)});
    } catch (const Error&) {
      from_.reset();  // nobody listens: the container is told by its next write
    }
  }

 private:
  Fd& from_;
  int stream_;
  const Write& write_;
};

// A pipe that poll calls writable takes so much at once (pipe(7)).
constexpr std::size_t k_listeners_part = PIPE_BUF;

// False where it does not listen any more. At most k_listeners_part to one that is ready.
bool give(const Fd& listener, std::string_view bytes) {
  for (;;) {
    if (::write(listener.get(), bytes.data(), bytes.size()) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

void do_not_wait(const Fd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// What the user types; the container takes it when it likes.
class Input {
 public:
  Input(int from, Fd& to) : from_(from), to_(to) { do_not_wait(to_); }
  void use(Fd& to, bool is_terminal) {
    terminal_ = is_terminal;
    other_ = &to;
  }

  pollfd source() const { return {pending_.empty() ? from_ : -1, POLLIN, 0}; }
  pollfd sink() const { return {pending_.empty() ? -1 : target().get(), POLLOUT, 0}; }

  void take() {
    char buffer[k_part];
    const ssize_t n = ::read(from_, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      from_ = -1;
      if (!terminal_) target().reset();  // that is how the program learns of the end
      return;
    }
    pending_.assign(buffer, static_cast<std::size_t>(n));
    give();
  }
  void give() {
    if (!target()) return forget();
    const ssize_t n = ::write(target().get(), pending_.data(), pending_.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) return forget();
    pending_.erase(0, static_cast<std::size_t>(n));
  }

 private:
  Fd& target() const { return other_ != nullptr ? *other_ : to_; }
  void forget() {
    pending_.clear();
    from_ = -1;
    if (!terminal_) target().reset();
  }

  int from_;
  Fd& to_;
  Fd* other_ = nullptr;
  bool terminal_ = false;
  std::string pending_;
};

void send_signal(const Fd& process, int signal) { ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0); }

class Attendance {
 public:
  Attendance(const Streams& streams, Plugs& plugs, const Milestones& milestones, const std::function<void()>& stop)
      : streams_(streams), plugs_(plugs), milestones_(milestones), stop_(stop), input_(streams.in, plugs.in) {
    for (const auto& listener : plugs.listeners) prepare(listener);
  }

  void run() {
    while (!done()) {
      Pump out(plugs_.out, 1, write_), err(plugs_.err, 2, write_), terminal(plugs_.terminal, 1, write_);
      // What it writes waits until its process is known: who reads that it is ready may send it a signal. And until all
      // who listen take it, as it does on a terminal that was stopped with Ctrl-S.
      const int busy = busy_listener();
      const bool heard = (told_ || ended_) && busy < 0, may_type = started_;
      const pollfd none{-1, 0, 0};
      pollfd wait[] = {{told_ ? -1 : milestones_.started.get(), POLLIN, 0},
                       {ended_ ? -1 : milestones_.ended.get(), POLLIN, 0},
                       {streams_.signals, POLLIN, 0},
                       heard ? out.wanted() : none,
                       heard ? err.wanted() : none,
                       heard ? terminal.wanted() : none,
                       may_type ? input_.source() : none,
                       may_type ? input_.sink() : none,
                       {started_ && !ended_ ? milestones_.requests : -1, POLLIN, 0},
                       {busy, POLLOUT, 0}};
      if (::poll(wait, std::size(wait), -1) < 0) continue;
      if (wait[0].revents != 0) hear();
      if (wait[1].revents != 0) ended_ = true;
      if (wait[2].revents != 0) pass_signal();
      const std::size_t most = plugs_.listeners.empty() ? k_part : k_listeners_part;
      if (wait[3].revents != 0) out.move(most);
      if (wait[4].revents != 0 && busy_listener() < 0) err.move(most);
      if (wait[5].revents != 0 && terminal.open()) terminal.move(most);
      if (wait[6].revents != 0) input_.take();
      if (wait[7].revents != 0) input_.give();
      if (wait[8].revents != 0) pass_request();
      if (ended_ && milestones_.leaves_others) drain();
    }
  }

 private:
  // What is there already, of a program that has ended; others may write on and on.
  void drain() {
    constexpr int k_most_parts = 64;
    for (const auto& [from, stream] : {std::pair<Fd*, int>{&plugs_.out, 1}, {&plugs_.err, 2}}) {
      pollfd now = {from->get(), POLLIN, 0};
      for (int i = 0; i < k_most_parts && *from && ::poll(&now, 1, 0) > 0; ++i)
        Pump(*from, stream, write_).move(k_part);
    }
  }

  // One whose pipe is full; -1: there is none.
  int busy_listener() const {
    for (const auto& listener : plugs_.listeners) {
      for (const auto* fd : {&listener.out, &listener.err}) {
        pollfd now = {fd->get(), POLLOUT, 0};
        if (*fd && ::poll(&now, 1, 0) == 0) return fd->get();
      }
    }
    return -1;
  }

  bool done() const {
    return ended_ && (milestones_.leaves_others || (!plugs_.out && !plugs_.err && !plugs_.terminal));
  }

  void hear() {
    told_ = true;
    auto message = executor::receive_message(milestones_.started.get());
    if (!message || message->fds.empty()) return;
    started_ = true;
    process_ = std::move(message->fds.front());
    if (message->fds.size() > 1) {
      plugs_.terminal = std::move(message->fds[1]);
      do_not_wait(plugs_.terminal);
      copy_window_size(streams_.window, plugs_.terminal.get());
      input_.use(plugs_.terminal, true);
    }
    if (milestones_.on_start) milestones_.on_start(process_, input());
  }

  int input() const { return plugs_.terminal ? plugs_.terminal.get() : plugs_.in.get(); }

  static void prepare(const Listener& listener) {
    do_not_wait(listener.out);
    do_not_wait(listener.err);
  }

  void write(int stream, std::string_view bytes) {
    std::erase_if(plugs_.listeners, [&](const Listener& listener) {
      const Fd& to = stream == 2 && listener.err ? listener.err : listener.out;
      return !give(to, bytes);
    });
    streams_.write(stream, bytes);
  }

  void admit(executor::Message& message, Fd caller) {
    if (message.fds.empty() || !milestones_.on_attached) return;
    Listener listener{.out = std::move(message.fds[0]), .err = {}};
    if (message.fds.size() > 1) listener.err = std::move(message.fds[1]);
    prepare(listener);
    const int fds[] = {input()};
    if (!executor::send_message(caller.get(), {executor::MessageType::ready, 0, "", "", {}},
                                std::span<const int>(fds, fds[0] >= 0 ? 1 : 0))) {
      return;
    }
    plugs_.listeners.push_back(std::move(listener));
    milestones_.on_attached(std::move(caller));
  }

  void pass_signal() {
    signalfd_siginfo info;
    if (::read(streams_.signals, &info, sizeof info) != sizeof info) return;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGWINCH) return copy_window_size(streams_.window, plugs_.terminal.get());
    const bool is_request = signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
    if (!process_) {
      if (is_request) stop_();
      return;
    }
    send_signal(process_, signal);
    if ((signal == SIGINT || signal == SIGTERM) && ++requests_ == k_patience) send_signal(process_, SIGKILL);
  }

  // A request to start another program: the container's job answers to whom the request names.
  void pass_request() {
    Fd caller(::accept4(milestones_.requests, nullptr, nullptr, SOCK_CLOEXEC));
    const timeval patience{1, 0};  // with one that says nothing
    if (!caller || ::setsockopt(caller.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) return;
    try {
      auto message = executor::receive_message(caller.get());
      if (!message) return;
      if (message->operation == k_attach) return admit(*message, std::move(caller));
      std::vector<int> fds;
      for (const auto& fd : message->fds) fds.push_back(fd.get());
      executor::send_message(milestones_.started.get(),
                             {message->type, 0, message->operation, std::string(message->body()), {}}, fds);
    } catch (const Error&) {
      // The caller sees its socket hang up.
    }
  }

  const Streams& streams_;
  Plugs& plugs_;
  const Milestones& milestones_;
  const std::function<void()>& stop_;
  const Pump::Write write_ = [this](int stream, std::string_view bytes) { write(stream, bytes); };
  Input input_;
  Fd process_;
  bool told_ = false, started_ = false, ended_ = false;
  int requests_ = 0;
};

}  // namespace

Ends connect(Plugs& plugs, bool open_stdin) {
  Ends ends;
  Pipe out = make_pipe(), err = make_pipe();
  plugs.out = std::move(out.read);
  plugs.err = std::move(err.read);
  ends.out = std::move(out.write);
  ends.err = std::move(err.write);
  if (!open_stdin) return ends;
  Pipe in = make_pipe();
  plugs.in = std::move(in.write);
  ends.in = std::move(in.read);
  return ends;
}

void attend(const Streams& streams, Plugs plugs, const Milestones& milestones, const std::function<void()>& stop) {
  Attendance(streams, plugs, milestones, stop).run();
}

void copy_window_size(int from, int to) {
  winsize size;
  if (from >= 0 && to >= 0 && ::ioctl(from, TIOCGWINSZ, &size) == 0) ::ioctl(to, TIOCSWINSZ, &size);
}

}  // namespace mbuild::containers
