#include "worker/layer_directories.h"

#include <cstddef>
#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"
#include "tests/unit/worker/inner_jobs.h"
#include "worker/snapshot/flatten.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

struct StoredLayers {
  TemporaryDirectory place;
  cache::Store store{place / "store", "map"};
  LazyInner inner{test::map_of_inner()};
  WorkDirectories work{place / "work"};
  std::vector<std::string> removed;
  LayerDirectories directories{store, inner, work, [this](std::string path) { removed.push_back(std::move(path)); }};

  cache::Layer made(const std::string& id, const Digest& result) {
    make_directories(store.layer_path(id));
    return {.id = id, .result_digest = result};
  }
};

}  // namespace

TEST_CASE("A layer that equals one that is there is given up for it") {
  StoredLayers layers;
  CHECK(layers.directories.keep(layers.made("one", "sha256:r")).id == "one");
  CHECK(layers.directories.keep(layers.made("two", "sha256:r")).id == "one");
  CHECK(layers.removed == std::vector{layers.store.layer_path("two")});
  CHECK(layers.directories.find("two") == nullptr);
}

TEST_CASE("A snapshot's layers are a stack in which each directory is once, where it is topmost") {
  StoredLayers layers;
  for (const std::string id : {"a", "b", "c"}) layers.directories.add(layers.made(id, "sha256:" + id));
  const auto stack = layers.directories.stack({"a", "b", "a", "c"}, {});
  REQUIRE(stack.layers.size() == 3);
  CHECK(stack.layers[0].path == layers.store.layer_path("b"));
  CHECK(stack.layers[1].path == layers.store.layer_path("a"));
  CHECK(stack.layers[2].path == layers.store.layer_path("c"));
}

TEST_CASE("A layer that has vanished is named, and forgotten when it is asked for") {
  StoredLayers layers;
  layers.directories.add(layers.made("a", "sha256:a"));
  CHECK_FALSE(layers.directories.forget_lost());
  CHECK(error_of([&] { layers.directories.stack({"a", "gone"}, {}); }).find("layer gone has vanished") !=
        std::string::npos);
  std::filesystem::remove_all(layers.store.layer_path("a"));
  CHECK(layers.directories.find("a") != nullptr);  // what was found once is held
  CHECK(layers.directories.forget_lost());
  CHECK(layers.directories.find("a") == nullptr);
}

TEST_CASE("Of a long snapshot the older layers are one directory") {
  NEEDS(test::have_inner(), "an inner process");
  StoredLayers layers;
  LayerIds snapshot;
  for (std::size_t i = 0; i <= k_flatten_above; ++i) {
    const std::string id = "layer" + std::to_string(i);
    layers.directories.add(layers.made(id, "sha256:" + id));
    write_file_atomically(layers.store.layer_path(id) + "/of-" + id, id);
    snapshot.push_back(id);
  }
  const auto stack = layers.directories.stack(snapshot, {});
  REQUIRE(stack.layers.size() == bundles_of(snapshot.size()).size());
  const auto& lowest = stack.layers.front().path;
  CHECK(std::filesystem::exists(lowest + "/of-layer0"));
  CHECK(std::filesystem::exists(lowest + "/of-layer31"));
  CHECK_FALSE(std::filesystem::exists(lowest + "/of-layer32"));
  CHECK(stack.layers.back().path == layers.store.layer_path(snapshot.back()));
  CHECK(layers.directories.stack(snapshot, {}).layers.front().path == lowest);
  CHECK(layers.removed.empty());
}
