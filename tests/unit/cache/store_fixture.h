#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/store.h"
#include "tests/temporary.h"

// What the tests of the store share.
namespace mbuild::cache::test {

struct Place {
  testing::TemporaryDirectory directory;
  Store open(const std::string& map = "map") const { return {directory / "store", map}; }
  std::string index() const { return directory / "store/index.db"; }
};

inline const Digest k_one = sha256("one"), k_two = sha256("two");

inline std::optional<Digest> find_one(Store& store, const FileStamp& stamp) {
  return store.find_file_digests(std::span(&stamp, 1)).front();
}

// A layer with its directory, as a step that ran leaves it.
inline Layer put_layer(Store& store, const std::string& id, const Digest& result = "sha256:r") {
  make_directories(store.layer_path(id));
  const Layer layer{.id = id, .result_digest = result, .bytes = 10, .files = 2, .newest_mtime = 77};
  store.add_layer(layer);
  return layer;
}

inline Serialisation put_serialisation(Store& store, const SerialisationKey& key, const std::string& blob) {
  const Serialisation value{.diff_id = "sha256:diff", .digest = sha256(blob), .size = blob.size()};
  write_file_atomically(store.blob_path(value.digest), blob);
  store.add_serialisation(key, value);
  return value;
}

}  // namespace mbuild::cache::test
