#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "executor/sources/contexts.h"
#include "worker/local_worker.h"

namespace mbuild::executor {

// Files of the user that tasks name by id, as long as the build lasts. Thread-safe.
class LentFiles {
 public:
  // The id; the same for the same files.
  std::string lend(std::shared_ptr<const Contexts::Selected> files) {
    std::string id = fmt::format("{:x}", reinterpret_cast<std::uintptr_t>(files.get()));
    const std::lock_guard lock(mutex_);
    files_.try_emplace(id, std::move(files));
    return id;
  }
  LentSelection find(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto& files = files_.at(id);
    return {.directory = files->directory, .selection = {files, &files->selection}};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Contexts::Selected>> files_;
};

}  // namespace mbuild::executor
