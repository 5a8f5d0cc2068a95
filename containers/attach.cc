#include "containers/attach.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/error.h"
#include "base/message.h"
#include "base/strings.h"
#include "containers/exec.h"

namespace mbuild::containers {
namespace {

constexpr std::size_t k_piece = 64 * 1024;

char key_of(const std::string& word, const std::string& text) {
  constexpr std::string_view k_with_ctrl = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
  constexpr std::string_view k_ctrl = "ctrl-";
  if (word.size() == 1) return word.front();
  if (word.starts_with(k_ctrl) && word.size() == k_ctrl.size() + 1) {
    const auto at = k_with_ctrl.find(to_lower(word).back());
    if (at != std::string_view::npos) return static_cast<char>(at);
  }
  throw usage_error(fmt::format("invalid detach keys \"{}\": there is no key \"{}\"", text, word))
      .with_advice("Keys are letters, and ctrl- with a letter or one of @ [ \\ ] ^ _: ctrl-p,ctrl-q.");
}

class Seat {
 public:
  Seat(Attached attached, const Streams& streams, const std::string& keys)
      : attached_(std::move(attached)), streams_(streams), from_(streams.in), scanner_(keys) {
    if (attached_.terminal) copy_window_size(streams_.window, attached_.input.get());
  }

  std::optional<int> run() {
    while (!left_ && (attached_.out || attached_.err || !ended_)) {
      pollfd wait[] = {{attached_.out.get(), POLLIN, 0},
                       {attached_.err.get(), POLLIN, 0},
                       {attached_.input && pending_.empty() ? from_ : -1, POLLIN, 0},
                       {streams_.signals, POLLIN, 0},
                       {ended_ ? -1 : attached_.caller.get(), POLLIN, 0},
                       {pending_.empty() ? -1 : attached_.input.get(), POLLOUT, 0}};
      if (::poll(wait, std::size(wait), -1) < 0) continue;
      if (wait[0].revents != 0) show(attached_.out, 1);
      if (wait[1].revents != 0) show(attached_.err, 2);
      if (wait[2].revents != 0) type();
      if (wait[3].revents != 0) pass_signal();
      if (wait[4].revents != 0) hear_end();
      if (wait[5].revents != 0) give();
    }
    if (left_) return std::nullopt;
    return status_;
  }

 private:
  void show(Fd& from, int stream) {
    char buffer[k_piece];
    const ssize_t n = ::read(from.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) return from.reset();
    try {
      streams_.write(stream, {buffer, static_cast<std::size_t>(n)});
    } catch (const Error&) {
      from.reset();
    }
  }

  void type() {
    char buffer[k_piece];
    const ssize_t n = ::read(from_, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      from_ = -1;
      if (!attached_.terminal) attached_.input.reset();
      left_ = attached_.terminal;  // it has gone
      return;
    }
    const std::string_view typed(buffer, static_cast<std::size_t>(n));
    auto passed = attached_.terminal ? scanner_.pass(typed) : std::optional<std::string>(typed);
    if (!passed) {
      left_ = true;
      return;
    }
    pending_ = std::move(*passed);
  }

  // So much that a pipe which is ready takes it at once: what the program writes has to be shown meanwhile, or it may
  // read no more.
  void give() {
    const ssize_t n = ::write(attached_.input.get(), pending_.data(), std::min<std::size_t>(pending_.size(), PIPE_BUF));
    if (n >= 0) {
      pending_.erase(0, static_cast<std::size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      pending_.clear();
      attached_.input.reset();
    }
  }

  void pass_signal() {
    signalfd_siginfo info;
    if (::read(streams_.signals, &info, sizeof info) != sizeof info) return;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGWINCH) return copy_window_size(streams_.window, attached_.input.get());
    if (signal == SIGHUP && attached_.terminal) {
      left_ = true;
      return;
    }
    if (attached_.process) ::syscall(SYS_pidfd_send_signal, attached_.process.get(), signal, nullptr, 0);
  }

  void hear_end() {
    const auto message = executor::receive_message(attached_.caller.get());
    ended_ = true;
    status_ = message && message->type == executor::MessageType::result ? static_cast<int>(message->id) : 128 + SIGKILL;
  }

  Attached attached_;
  const Streams& streams_;
  int from_;
  KeyScanner scanner_;
  std::string pending_;  // what is typed and not taken yet
  bool left_ = false, ended_ = false;
  int status_ = 0;
};

}  // namespace

std::string parse_detach_keys(const std::string& text) {
  std::string out;
  if (text.empty()) return out;
  for (const auto& word : split(text, ',')) out += key_of(word, text);
  return out;
}

std::optional<std::string> KeyScanner::pass(std::string_view typed) {
  std::string out;
  for (const char c : typed) {
    if (!keys_.empty() && c == keys_[seen_]) {
      if (++seen_ == keys_.size()) return std::nullopt;
      continue;
    }
    out += keys_.substr(0, seen_);
    seen_ = 0;
    if (!keys_.empty() && c == keys_[0]) {
      seen_ = 1;
    } else {
      out += c;
    }
  }
  return out;
}

Invitation invite(bool terminal) {
  Invitation made;
  Pipe out = make_pipe();
  made.own.out = std::move(out.read);
  made.listener.out = std::move(out.write);
  made.own.terminal = terminal;
  if (terminal) return made;
  Pipe err = make_pipe();
  made.own.err = std::move(err.read);
  made.listener.err = std::move(err.write);
  return made;
}

Attached attach_to(const Container& container) {
  auto made = invite(container.record.options.terminal);
  made.own.caller = call_container(container);
  const int fds[] = {made.listener.out.get(), made.listener.err.get()};
  executor::send_message(made.own.caller.get(), {executor::MessageType::request, 0, k_attach, "", {}},
                         std::span<const int>(fds, made.listener.err ? 2 : 1));
  made.listener = {};
  auto answer = executor::receive_message(made.own.caller.get());
  if (!answer || answer->type != executor::MessageType::ready) {
    throw Error(ExitClass::host, fmt::format("the container {} has just ended", container.record.name));
  }
  if (!answer->fds.empty()) made.own.input = std::move(answer->fds.front());
  made.own.process = process_of_container(container);
  return std::move(made.own);
}

std::optional<int> sit(Attached attached, const Streams& streams, const std::string& keys) {
  return Seat(std::move(attached), streams, keys).run();
}

}  // namespace mbuild::containers
