#include "executor/steps/step_keys.h"

#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

TEST_CASE("Of a RUN's root the whole snapshot is in its key, of another mount what it shows") {
  StepFixture build;
  const Digest key = build.keys.content_key(k_run, {});
  const ReadDigests read = {{0, build.table.result({k_base, 0}).digest}, {1, "sha256:read"}};
  CHECK(build.table.traces[k_run].content == read);
  CHECK(key == run_key(build.graph.nodes[k_run], read));
  CHECK(build.local.asked == std::vector<std::string>{"digest base /etc"});
}

TEST_CASE("A copy is known by the probe of its destination and by what it takes") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  build.table.set_result(k_run, StepFixture::layer("made"));
  build.local.probed = {.destination = "sha256:there", .complete = true, .copied = {"sha256:files"}};
  const Digest key = build.keys.content_key(k_copy, {});
  CHECK(key == files_key(build.graph.nodes[k_copy], "sha256:there", {{0, "sha256:files"}}, ""));
  CHECK(build.table.traces[k_copy].probe == "sha256:there");
  CHECK(build.local.asked == std::vector<std::string>{"probe base"});
}

TEST_CASE("Where a probe can't tell all, the whole base is in the key and no probe is kept") {
  StepFixture build;
  const Digest key =
      build.keys.key_of_files(k_copy, {.destination = "sha256:there", .complete = false, .copied = {"sha256:files"}});
  CHECK(key == files_key(build.graph.nodes[k_copy], "sha256:there", {{0, "sha256:files"}},
                         build.table.result({k_base, 0}).digest));
  CHECK(build.table.traces[k_copy].probe.empty());
}

TEST_CASE("A copy as a task has its base and what it takes as layers that are there") {
  StepFixture build;
  build.add_layer("made", "sha256:made");
  build.table.set_result(k_run, StepFixture::layer("made"));
  const auto task = build.keys.files_task(k_copy, {});
  CHECK(task.base == LayerIds{"base"});
  REQUIRE(task.sources.size() == 1);
  CHECK(task.sources[0].layers == LayerIds{"base", "made"});
  CHECK(task.sources[0].user_files.empty());
  CHECK(task.layer.empty());
}
