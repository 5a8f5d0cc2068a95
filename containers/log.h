#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

// What a container has written, a JSON text a line, as docker's json-file has it: {"log":"...","stream":"stdout",
// "time":"..."}.
namespace mbuild::containers {

class LogWriter {
 public:
  explicit LogWriter(const std::string& path);
  // 1 stdout, 2 stderr; any bytes. A line is written when it ends, or is long.
  void write(int stream, std::string_view bytes);
  // What is left of lines that did not end.
  void finish();

 private:
  void put(int stream, std::string_view line);
  Fd file_;
  std::string open_[2];
};

struct LogEntry {
  int stream = 1;
  std::string text, time;
};
std::optional<LogEntry> parse_log_line(std::string_view line);

struct LogQuestion {
  std::optional<std::uint64_t> tail;  // so many of the last entries; none: all
  // As entries have their times: RFC 3339 of UTC with nine digits after the second. "": from the beginning; to the end.
  std::string since = {}, until = {};
  bool follow = false;
};
// Gives the entries of a log; while it is followed until `ended` says that nothing more comes, or the time is over.
void read_log(const std::string& path, const LogQuestion& question, const std::function<void(const LogEntry&)>& give,
              const std::function<bool()>& ended);

}  // namespace mbuild::containers
