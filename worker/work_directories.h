#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "base/fd.h"

namespace mbuild::executor {

// Directories for jobs to work in, below that of a build. Thread-safe.
class WorkDirectories {
 public:
  explicit WorkDirectories(std::string parent) : parent_([parent = std::move(parent)] { return parent; }) {}
  // `parent` makes the directory, when it is first needed.
  explicit WorkDirectories(std::function<std::string()> parent) : parent_(std::move(parent)) {}

  // A new one.
  std::string next() {
    std::string path = fmt::format("{}/{}", parent_(), next_++);
    make_directories(path, 0711);
    return path;
  }

 private:
  std::function<std::string()> parent_;
  std::atomic<unsigned> next_ = 0;
};

}  // namespace mbuild::executor
