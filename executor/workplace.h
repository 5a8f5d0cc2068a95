#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "worker/ids/id_map.h"
#include "worker/inner/lazy_inner.h"
#include "worker/jobs/build_network.h"

namespace mbuild::executor {

// The store at `root`, opened for a build, and the directory in it that is the build's own. Who has this removes what
// he put into the directory.
struct BuildStore {
  // ahead: the inner process is needed whatever comes, and starts while the store is opened
  explicit BuildStore(const std::string& root, LazyInner::Begin begin = LazyInner::Begin::when_needed);

  IdMap map;
  LazyInner inner;
  cache::Store store;
  const cache::BuildDirectory directory;
};

// What works in a store for a build: its inner process and the network of its RUNs, each started when it is first
// needed. When this goes, the directory of the build is removed, by the inner process where there is one: some files in
// it are not the user's.
class Workplace {
 public:
  // `warn` is told, in a whole sentence, when the network is not what it should be.
  Workplace(BuildStore& place, std::function<void(std::string)> warn, std::stop_token stop);
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  // Removes a directory in the store when the build is over. Thread-safe.
  void remove_later(std::string path);

  LazyInner& inner;

 private:
  struct EndOfInner {
    LazyInner& inner;
    ~EndOfInner() { inner.end(); }
  };
  EndOfInner end_{inner};  // when the network, which calls it, is gone

 public:
  BuildNetwork network;

 private:
  const cache::BuildDirectory& directory_;
  std::mutex mutex_;
  std::vector<std::string> abandoned_;
};

}  // namespace mbuild::executor
