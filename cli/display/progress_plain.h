#pragma once

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cli/display/display_options.h"
#include "executor/api/events.h"

namespace mbuild::cli {

// Lines in the form of BuildKit's plain display: "#3 [2/5] RUN make", "#3 0.512 text", "#3 DONE 0.6s". Where the reader
// of the log folds sections, what stands together of one step is one.
class PlainProgress : public executor::ProgressSink {
 public:
  explicit PlainProgress(DisplayOptions options = {}) : options_(std::move(options)) {}
  ~PlainProgress() override;

  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override;
  void status(const executor::StatusEvent& event) override;

 private:
  struct Vertex {
    int number = 0;
    bool announced = false;
    std::string name;
    std::chrono::steady_clock::time_point started;
    std::string partial[3];                                              // unfinished line of each stream
    std::map<std::string, std::chrono::steady_clock::time_point> parts;  // when each was last shown
  };

  Vertex& vertex_of(executor::VertexId id);
  void head(Vertex& vertex);
  void begin_section(const Vertex& vertex);
  void end_section();
  void line(const Vertex& vertex, std::chrono::steady_clock::time_point time, std::string_view text);
  void flush_partial(Vertex& vertex, std::chrono::steady_clock::time_point time);

  template <typename... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments);
  void flush();

  const DisplayOptions options_;
  std::mutex mutex_;
  std::string section_;  // that is open
  int sections_ = 0;
  std::string text_;  // what the present event has to say
  std::map<executor::VertexId, Vertex> vertices_;
  int last_shown_ = 0;
};

// "sha256:1234 1.2MB / 3MB"; of one whose size is not known what has come, of one at its end what it is.
std::string part_text(const executor::StatusEvent& event);

}  // namespace mbuild::cli
