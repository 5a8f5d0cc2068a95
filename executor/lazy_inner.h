#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "executor/id_map.h"
#include "executor/inner.h"
#include "platforms/platform.h"

namespace mbuild::executor {

// The inner process of a build, started when it is first needed: a fully cached build never starts it. Thread-safe.
class LazyInner {
 public:
  explicit LazyInner(IdMap map) : map_(std::move(map)) {}

  Inner& get();
  bool started() const { return inner_ != nullptr; }
  const IdMap& map() const { return map_; }

  // Makes programs of the platform runnable in sandboxes; returns what runs them, for records ("" is the processor
  // itself). Throws Error (host) that names the remedy.
  std::string emulate(const platforms::Platform& platform);

 private:
  std::string arrange(const platforms::Platform& platform);

  IdMap map_;
  std::mutex mutex_;
  std::unique_ptr<Inner> inner_;
  std::map<platforms::Platform, std::string> emulators_;
};

// True when the platform's programs do not run on the processor as they stand.
bool is_foreign(const platforms::Platform& platform);

}  // namespace mbuild::executor
