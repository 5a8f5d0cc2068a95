#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "worker/fresh_caches.h"
#include "worker/jobs/jobs.h"
#include "worker/layer_directories.h"

namespace mbuild::executor {

// The directories of RUN --mount=type=cache. Thread-safe.
class CacheMounts {
 public:
  CacheMounts(cache::Store& store, LazyInner& inner, WorkDirectories& work, LayerDirectories& layers);

  // What a RUN holds while it is prepared and runs.
  struct Held {
    std::vector<cache::FileLock> locks;
    FreshCaches::User fresh;
  };
  // Has a RUN hold those that no other may use meanwhile.
  void lock(const std::vector<TaskMount>& mounts, Held& held, const std::stop_token& stop);
  bool needs_first_content(const TaskMount& mount);
  // The directory that is mounted; it has its first content, or is among those that the job is `to_make`.
  std::string use(const TaskMount& mount, std::vector<jobs::CacheDirectory>& to_make, Held& held,
                  const std::stop_token& stop);

 private:
  cache::Store& store_;
  LazyInner& inner_;
  WorkDirectories& work_;
  LayerDirectories& layers_;
  FreshCaches fresh_;
};

}  // namespace mbuild::executor
