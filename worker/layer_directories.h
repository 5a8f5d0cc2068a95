#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/store.h"
#include "worker/inner/lazy_inner.h"
#include "worker/snapshot/snapshot_mount.h"
#include "worker/work_directories.h"
#include "worker/worker.h"

namespace mbuild::executor {

// The layers of the store as directories that can be mounted. What was found once is there until the build ends
// (cache/store.h), so the store is asked once for each. Thread-safe.
class LayerDirectories {
 public:
  // `remove_later` removes a directory of the store when the build is over.
  LayerDirectories(cache::Store& store, LazyInner& inner, WorkDirectories& work,
                   std::function<void(std::string)> remove_later)
      : store_(store), inner_(inner), work_(work), remove_later_(std::move(remove_later)) {}

  // Null when it is not there.
  const cache::Layer* find(const std::string& id);
  const cache::Layer* find_by_result(const Digest& result);
  // Gives a layer, whose directory has its name, its row.
  const cache::Layer& add(cache::Layer layer);
  // The same, unless an equal layer is there: that one is kept, since all that was built on it stays valid then. Equal
  // but for times that were set is not equal enough.
  const cache::Layer& keep(cache::Layer made);
  // Of a snapshot; in a long one the older layers are flattened. Throws Error (store) for a layer that is not there.
  Stack stack(const LayerIds& snapshot, const std::stop_token& stop);
  // Forgets those that have vanished from the store; true when there were any.
  bool forget_lost();

 private:
  bool have_same_times(const cache::Layer& one, const cache::Layer& other);
  const cache::Layer& remember(cache::Layer layer);
  const cache::Layer& flattened(std::span<const cache::Layer* const> layers, std::vector<const cache::Layer*> below,
                                const std::stop_token& stop);
  Stack stack_of(const std::vector<const cache::Layer*>& layers) const;

  cache::Store& store_;
  LazyInner& inner_;
  WorkDirectories& work_;
  std::function<void(std::string)> remove_later_;
  std::mutex mutex_;
  std::unordered_map<std::string, cache::Layer> layers_;  // by id
};

// What is said of a layer that was there, and is no more.
Error vanished_layer(const std::string& id);

}  // namespace mbuild::executor
