#include "containers/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"

namespace mbuild::containers {
namespace {

constexpr std::size_t k_longest_line = 16 * 1024;
constexpr int k_look_again = 100;  // milliseconds

}  // namespace

LogWriter::LogWriter(const std::string& path) : file_(open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0600)) {}

void LogWriter::put(int stream, std::string_view line) {
  const nlohmann::ordered_json entry = {
      {"log", line}, {"stream", stream == 2 ? "stderr" : "stdout"}, {"time", rfc3339(unix_nanoseconds())}};
  try {
    write_all(file_.get(), entry.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  } catch (const Error&) {
    // The disk is full: the container goes on.
  }
}

void LogWriter::write(int stream, std::string_view bytes) {
  auto& open = open_[stream == 2 ? 1 : 0];
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto length = end == bytes.npos ? bytes.size() : end + 1;
    open += bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (end == std::string_view::npos && open.size() < k_longest_line) return;
    put(stream, open);
    open.clear();
  }
}

void LogWriter::finish() {
  for (const int stream : {1, 2}) {
    auto& open = open_[stream - 1];
    if (!open.empty()) put(stream, open);
    open.clear();
  }
}

std::optional<LogEntry> parse_log_line(std::string_view line) {
  const auto value = nlohmann::json::parse(line, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  LogEntry out;
  const auto text = [&](const char* name) {
    const auto it = value.find(name);
    return it != value.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  out.text = text("log");
  out.time = text("time");
  out.stream = text("stream") == "stderr" ? 2 : 1;
  return out;
}

void read_log(const std::string& path, const LogQuestion& question, const std::function<void(const LogEntry&)>& give,
              const std::function<bool()>& ended) {
  if (!path_exists(path)) return;
  const Fd file = open_file(path, O_RDONLY);
  const auto is_late = [&](const std::string& time) { return !question.until.empty() && time > question.until; };
  std::string rest;
  const auto take = [&](const std::function<void(const LogEntry&)>& to) {
    char buffer[1 << 16];
    while (const auto n = read_full(file.get(), std::as_writable_bytes(std::span(buffer)))) {
      rest.append(buffer, n);
      std::size_t from = 0;
      for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
        const auto entry = parse_log_line(std::string_view(rest).substr(from, end - from));
        from = end + 1;
        if (entry && entry->time >= question.since && !is_late(entry->time)) to(*entry);
      }
      rest.erase(0, from);
    }
  };
  std::deque<LogEntry> last;
  take([&](const LogEntry& entry) {
    if (!question.tail) return give(entry);
    last.push_back(entry);
    if (last.size() > *question.tail) last.pop_front();
  });
  for (const auto& entry : last) give(entry);
  if (!question.follow) return;
  const Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (changes) ::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY);
  for (bool over = false; !over;) {
    over = ended() || is_late(rfc3339(unix_nanoseconds()));
    take(give);
    if (over) break;
    pollfd wait{changes.get(), POLLIN, 0};
    ::poll(&wait, 1, k_look_again);
    char events[4096];
    while (changes && ::read(changes.get(), events, sizeof events) > 0) {
    }
  }
}

}  // namespace mbuild::containers
