#include "executor/steps/lookup.h"

#include <filesystem>

#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

TEST_CASE("A step is found by its content key, with its layer as the result") {
  StepFixture build;
  CHECK_FALSE(build.lookup.find_by_content(k_run, "sha256:key"));
  build.add_layer("made", "sha256:made");
  build.add_record("sha256:key", "made");
  REQUIRE(build.lookup.find_by_content(k_run, "sha256:key"));
  CHECK(build.table.traces[k_run].key == "sha256:key");
  CHECK(build.table.traces[k_run].kept);
  const auto& layers = build.table.result({k_run, 0}).layers;
  REQUIRE(layers.size() == 2);
  CHECK(layers[0]->id == "base");
  CHECK(layers[1]->id == "made");
  CHECK(layers[1]->result_digest == "sha256:made");
  CHECK(layers[1]->cause == cause_of(build.graph.nodes[k_run]));
  CHECK(layers[1]->created == 7);
  CHECK(layers[1]->made_by == k_run);
}

TEST_CASE("A step is found by its definition and its inputs") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  build.add_record("sha256:key", "made");
  build.store.add_definition(build.plan.definition_keys[k_run], "sha256:other", "sha256:key");
  CHECK_FALSE(build.lookup.find_by_inputs(k_run));
  build.store.add_definition(build.plan.definition_keys[k_run], "sha256:inputs", "sha256:key");
  CHECK(build.lookup.find_by_inputs(k_run));
  CHECK(build.table.traces[k_run].key == "sha256:key");
}

TEST_CASE("A step whose layer is gone was evicted, and is not found") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  build.add_record("sha256:key", "made");
  std::filesystem::remove_all(build.store.layer_path("made"));
  CHECK_FALSE(build.lookup.find_by_content(k_run, "sha256:key"));
  CHECK(build.table.traces[k_run].evicted);
  CHECK_FALSE(build.table.traces[k_run].kept);
}

TEST_CASE("A step whose layer another worker has is found there") {
  StepFixture build;
  build.add_record("sha256:key", "far");
  build.add_worker().layers = {{.id = "far", .result_digest = "sha256:far"}};
  REQUIRE(build.lookup.find_by_content(k_run, "sha256:key"));
  const auto& layer = *build.table.result({k_run, 0}).layers.back();
  CHECK(layer.id == "far");
  REQUIRE(layer.held != nullptr);
  CHECK(layer.held->at == &build.other);
  CHECK_FALSE(build.table.traces[k_run].evicted);
}

TEST_CASE("A step that ignores the cache is found by what this build ran only") {
  StepFixture build(true);
  build.add_layer("made", "sha256:made");
  build.add_record("sha256:key", "made");
  build.store.add_definition(build.plan.definition_keys[k_run], "sha256:inputs", "sha256:key");
  CHECK_FALSE(build.lookup.find_by_inputs(k_run));
  CHECK_FALSE(build.lookup.find_by_content(k_run, "sha256:key"));
  build.lookup.ran("sha256:key");
  CHECK(build.lookup.find_by_content(k_run, "sha256:key"));
}

TEST_CASE("A step with a partial key that nobody met is locked, once a build") {
  StepFixture build;
  CHECK_FALSE(build.lookup.seems_unknown(k_copy, ""));
  CHECK(build.lookup.seems_unknown(k_copy, "sha256:partial"));
  CHECK(build.lookup.lock_unknown(k_copy, "sha256:partial", {}));
  CHECK_FALSE(build.lookup.lock_unknown(k_copy, "sha256:partial", {}));
}

TEST_CASE("A step with a known partial key is looked up, unless it ignores the cache") {
  StepFixture build, ignoring(true);
  build.store.add_partial_key("sha256:partial");
  ignoring.store.add_partial_key("sha256:partial");
  CHECK_FALSE(build.lookup.seems_unknown(k_copy, "sha256:partial"));
  CHECK_FALSE(build.lookup.lock_unknown(k_copy, "sha256:partial", {}));
  CHECK(ignoring.lookup.seems_unknown(k_copy, "sha256:partial"));
  CHECK(ignoring.lookup.lock_unknown(k_copy, "sha256:partial", {}));
}
