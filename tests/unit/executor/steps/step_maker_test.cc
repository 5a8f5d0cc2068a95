#include "executor/steps/step_maker.h"

#include <string>
#include <vector>

#include "base/error.h"
#include "executor/steps/failed_step.h"
#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

struct DeafSink final : ProgressSink {
  void vertex(const VertexEvent&) override {}
  void log(const LogEvent&) override {}
  void status(const StatusEvent&) override {}
};

struct MakerFixture : StepFixture {
  DeafSink sink;
  StepMaker maker{{.session = session,
                   .plan = plan,
                   .table = table,
                   .reads = reads,
                   .store = store,
                   .layers = layers,
                   .keys = keys,
                   .tasks = tasks,
                   .packs = packs,
                   .workers = workers,
                   .work = work,
                   .sink = sink,
                   .warn_of_isolation = [this](std::string text) { warnings.push_back(std::move(text)); },
                   .remove_later = [](const std::string&) {}}};

  // What a worker is to make; its directory is in the store.
  cache::Layer makes(const std::string& id, const Digest& result) {
    make_directories(store.layer_path(id));
    return {.id = id, .result_digest = result, .newest_mtime = 5};
  }
};

}  // namespace

TEST_CASE("A RUN that was made has a record, a result and a duration to expect") {
  MakerFixture build;
  build.table.traces[k_run].key = "sha256:key";
  build.local.ran.layer = build.makes("made", "sha256:made");
  build.local.ran.emulator = "emulator 1";
  build.maker.make(k_run, {});
  REQUIRE(build.local.runs.size() == 1);
  CHECK(build.local.runs[0].layer.size() == 32);
  const auto record = build.store.find_record("sha256:key");
  REQUIRE(record);
  CHECK(record->layers == std::vector<std::string>{"made"});
  CHECK(record->emulator == "emulator 1");
  CHECK(record->name == "RUN make");
  CHECK(build.store.expected_duration_ms(planner::duration_key(build.graph.nodes[k_run])));
  const auto& layers = build.table.result({k_run, 0}).layers;
  REQUIRE(layers.size() == 2);
  CHECK(layers[0]->id == "base");
  CHECK(layers[1]->id == "made");
  CHECK(layers[1]->created == record->created);
  CHECK(layers[1]->made_by == k_run);
}

TEST_CASE("A step whose layer equals one of the store has that one as its result") {
  MakerFixture build;
  build.add_layer("older", "sha256:made");
  build.table.traces[k_run].key = "sha256:key";
  build.local.ran.layer = build.makes("made", "sha256:made");
  build.maker.make(k_run, {});
  CHECK(build.table.result({k_run, 0}).layers.back()->id == "older");
  CHECK(build.store.find_record("sha256:key")->layers == std::vector<std::string>{"older"});
}

TEST_CASE("What another worker made stays there") {
  MakerFixture build;
  auto& far = build.add_worker();
  far.layers = {{.id = "base", .result_digest = "sha256:base"}};
  far.ran.layer = {.id = "far", .result_digest = "sha256:far"};
  build.table.traces[k_run].key = "sha256:key";
  build.maker.make(k_run, {});
  const auto& layer = *build.table.result({k_run, 0}).layers.back();
  CHECK(layer.id == "far");
  REQUIRE(layer.held != nullptr);
  CHECK(layer.held->at == &build.other);
  CHECK_FALSE(build.store.find_layer("far"));
}

TEST_CASE("A RUN that failed shows the end of its output and names its emulator, and leaves no record") {
  MakerFixture build;
  build.table.traces[k_run].key = "sha256:key";
  build.local.output = "no rule";
  build.local.ran.exit_code = 2;
  build.local.ran.emulator = "emulator 1";
  try {
    build.maker.make(k_run, {});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::step_failed);
    CHECK(error.excerpt == "------\n > [2/3] RUN make:\nno rule\n------\n");
    CHECK(error.advice == "Its programs for linux/arm64 were run by: emulator 1.");
  }
  CHECK_FALSE(build.store.find_record("sha256:key"));
  CHECK(build.table.results[k_run].empty());
}

TEST_CASE("What a RUN had written when it failed is kept, with what it was given, and is no step's result") {
  MakerFixture build;
  build.local.ran.exit_code = 2;
  build.local.ran.layer = build.makes("failed-1", "sha256:failed");
  CHECK_THROWS(build.maker.make(k_run, {}));
  const auto kept = build.maker.failed();
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].first == k_run);
  const auto step = read_failed_step(build.store, kept[0].second);
  REQUIRE(step);
  CHECK(step->written == "failed-1");
  CHECK(step->name == "[2/3] RUN make");
  CHECK(step->task.root == LayerIds{"base"});
  CHECK(step->task.argv == std::vector<std::string>{"/bin/sh", "-c", "make"});
  CHECK(build.store.find_layer("failed-1"));
  CHECK(build.table.results[k_run].empty());
}

TEST_CASE("Steps that lack isolation are told of once a build") {
  MakerFixture build;
  build.local.ran.layer = build.makes("made", "sha256:made");
  build.local.ran.shared_ids = true;
  build.maker.make(k_run, {});
  build.maker.make(k_run, {});
  CHECK(build.warnings == std::vector<std::string>{"steps run without a user namespace of its own: steps can look into "
                                                   "each other's processes (--allow-less-isolation)"});
}

TEST_CASE("A copy that was not looked up gets its key of what its worker probed, and the age of its newest file") {
  MakerFixture build;
  build.add_layer("made", "sha256:made");
  build.table.set_result(k_run, StepFixture::layer("made"));
  build.local.made.layer = build.makes("copied", "sha256:copied");
  build.local.made.probe = {.destination = "sha256:there", .complete = true, .copied = {"sha256:files"}};
  build.maker.make(k_copy, {});
  REQUIRE(build.local.applied.size() == 1);
  CHECK(build.local.applied[0].probe);
  CHECK(build.local.applied[0].list_contents);
  CHECK(build.local.applied[0].base == LayerIds{"base"});
  const auto& key = build.table.traces[k_copy].key;
  CHECK(key == files_key(build.graph.nodes[k_copy], "sha256:there", {{0, "sha256:files"}}, ""));
  REQUIRE(build.store.find_record(key));
  CHECK(build.store.find_record(key)->created == 5);
  CHECK(build.table.result({k_copy, 0}).layers.back()->result_digest ==
        file_result("sha256:copied", std::get<graph::FileOp>(build.graph.nodes[k_copy].op), key));
}
