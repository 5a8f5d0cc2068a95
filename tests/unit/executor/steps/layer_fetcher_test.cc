#include "executor/steps/layer_fetcher.h"

#include "layers/layer_digest.h"
#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using mbuild::testing::mentions;

namespace {

std::shared_ptr<const SnapshotLayer> with_result(const std::string& id, const Digest& result) {
  return std::make_shared<const SnapshotLayer>(SnapshotLayer{.id = id, .result_digest = result});
}

}  // namespace

TEST_CASE("A snapshot that is in the store is fetched as its ids, without empty layers") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  const auto snapshot = make_snapshot(
      {StepFixture::layer("base"), with_result("nothing", image::empty_layer_digest()), StepFixture::layer("made")});
  CHECK(build.fetcher.fetch(snapshot, {}) == LayerIds{"base", "made"});
}

TEST_CASE("A layer that this build made and that has vanished is named") {
  StepFixture build;
  const auto snapshot = make_snapshot({StepFixture::layer("base"), StepFixture::layer("gone")});
  CHECK(mentions(testing::error_of([&] { build.fetcher.fetch(snapshot, {}); }), "layer gone has vanished"));
}

TEST_CASE("A layer that a worker has is not fetched for that worker") {
  StepFixture build;
  build.add_worker();
  SnapshotLayer far{.id = "far", .result_digest = "sha256:far"};
  far.held = build.workers.held({.id = "far", .result_digest = "sha256:far"});
  const auto snapshot = make_snapshot({StepFixture::layer("base"), std::make_shared<const SnapshotLayer>(far)});
  CHECK(build.fetcher.fetch(snapshot, {}, &build.other) == LayerIds{"base", "far"});
  CHECK(build.fetcher.find(snapshot, 0)->id == "base");
  CHECK(build.fetcher.find(snapshot, 1) == nullptr);
}
