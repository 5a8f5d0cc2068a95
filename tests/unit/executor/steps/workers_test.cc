#include "executor/steps/workers.h"

#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

TEST_CASE("A step runs on the other worker where there is one, a source on this machine") {
  StepFixture build;
  CHECK(&build.workers.of(k_run) == &build.local);
  auto& far = build.add_worker();
  CHECK(&build.workers.of(k_run) == &far);
  CHECK(&build.workers.of(k_base) == &build.local);
}

TEST_CASE("A worker is brought the layers that it lacks, and no others") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  auto& far = build.add_worker();
  far.layers = {{.id = "base", .result_digest = "sha256:base"}};
  const auto snapshot = make_snapshot({StepFixture::layer("base"), StepFixture::layer("made")});
  CHECK(build.workers.bring(snapshot, k_run, {}) == LayerIds{"base", "made"});
  CHECK(far.asked == std::vector<std::string>{"put made tar of made"});
}
