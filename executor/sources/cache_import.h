#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/sources/base_images.h"
#include "oci/step_cache.h"

// Caches of other builders, named by --cache-from. They are looked at when a step is found in the store no more, and
// their layers are fetched when something has to read one or an exporter needs it. What is wrong with a cache never
// fails a build: it is said once, and the build goes on without.
namespace mbuild::executor {

// Something has to read a layer that a cache promised and cannot give. Its steps are run after all: the scheduler lets
// running steps end and starts no others, the promise is dropped, and the steps are looked up again.
struct PromiseBroken {
  Digest result;
};

class ImportedCaches {
 public:
  ImportedCaches(std::vector<CacheReference> references, ImageSources& images,
                 std::vector<platforms::Platform> platforms, std::function<void(std::string)> warn,
                 std::stop_token stop);

  struct Hit {
    image::CachedStep step;
    std::shared_ptr<const image::CachedLayer> layer;  // never null; without a blob where the cache has none
  };
  bool none() const { return references_.empty(); }
  std::optional<Digest> find_definition(const Digest& definition, const Digest& inputs);
  std::optional<Hit> find_step(const Digest& key);

  // The layer with this result can't be had: the steps that gave it are misses from now on.
  void drop(const Digest& result);
  void warn(const std::string& text) const { warn_(text); }

 private:
  void load();
  void add(image::StepCache cache, const ImageSources::Origin& origin);
  void import(const CacheReference& reference);
  void import_from_registry(const CacheReference& reference);
  void import_from_directory(const CacheReference& reference);

  const std::vector<CacheReference> references_;
  ImageSources& images_;
  std::vector<platforms::Platform> platforms_;
  std::function<void(std::string)> warn_;
  std::stop_token stop_;
  std::once_flag loaded_;
  std::mutex mutex_;
  std::map<std::pair<Digest, Digest>, Digest> definitions_;
  std::map<Digest, image::CachedStep> steps_;                           // by content key
  std::map<Digest, std::shared_ptr<const image::CachedLayer>> layers_;  // by result digest
  std::set<Digest> dropped_;                                            // result digests
};

}  // namespace mbuild::executor
