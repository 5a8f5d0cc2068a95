#include "worker/local_worker.h"

#include <fcntl.h>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::error_of;
using mbuild::testing::mentions;
using mbuild::testing::TemporaryDirectory;

namespace {

struct LocalSteps {
  TemporaryDirectory place;
  cache::Store store{place / "store", "map"};
  LazyInner inner{IdMap()};
  WorkDirectories work{place / "work"};
  LayerDirectories layers{store, inner, work, [](const std::string&) {}};
  BuildNetwork network{[this]() -> Inner& { return inner.get(); }, [](const std::string&) {}, {}};
  LocalWorker worker{{.inner = inner,
                      .network = network,
                      .store = store,
                      .work = work,
                      .layers = layers,
                      .user_files = {},
                      .agent_socket = {}}};
};

}  // namespace

TEST_CASE("The worker on this machine has the layers of the store") {
  LocalSteps steps;
  make_directories(steps.store.layer_path("a"));
  steps.layers.add({.id = "a", .result_digest = "sha256:a"});
  CHECK(steps.worker.missing({"a", "b"}) == LayerIds{"b"});
  CHECK(steps.worker.find("a")->result_digest == "sha256:a");
  CHECK_FALSE(steps.worker.find("b"));
  CHECK_FALSE(steps.inner.started());
}

TEST_CASE("A layer that vanished is named to whoever wants its tar") {
  LocalSteps steps;
  CHECK(mentions(error_of([&] { steps.worker.get("gone", [](std::string_view) {}, {}); }), "layer gone has vanished"));
}

TEST_CASE("A worker lends files of the user only where it knows what their ids mean") {
  LocalSteps steps;
  CHECK_FALSE(steps.worker.lends());
}

TEST_CASE("A tar is given whole and in order, and a file that can't be read is no end of it") {
  const TemporaryDirectory place;
  std::string content;
  for (int i = 0; content.size() < 200'000; ++i) content += std::to_string(i);
  const Fd file = memory_file(content);
  std::string told;
  give_all(file.get(), [&](std::string_view bytes) { told += bytes; });
  CHECK(told == content);
  const Fd unreadable = open_file(place.path(), O_RDONLY | O_DIRECTORY);
  CHECK_FALSE(error_of([&] { give_all(unreadable.get(), [](std::string_view) {}); }).empty());
}
