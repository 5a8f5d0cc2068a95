#include "executor/steps/failed_step.h"

#include <string>
#include <vector>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

graph::Mount declared(graph::MountKind kind, const std::string& id, const std::string& target) {
  graph::Mount out;
  out.kind = kind;
  out.id = id;
  out.target = target;
  return out;
}

TaskMount given(graph::MountKind kind, const std::string& target) {
  TaskMount out;
  out.kind = kind;
  out.target = target;
  return out;
}

}  // namespace

TEST_CASE("What is kept of a task has no secret and no agent in it") {
  graph::ExecOp op;
  op.env = {"TOKEN=of the image"};
  op.mounts = {declared(graph::MountKind::bind, "", "/"), declared(graph::MountKind::secret, "token", "/token"),
               declared(graph::MountKind::secret, "other", "/other"), declared(graph::MountKind::ssh, "key", "/socket"),
               declared(graph::MountKind::tmpfs, "", "/memory")};
  op.mounts[1].env = "TOKEN";
  op.mounts[1].as_file = op.mounts[2].as_file = true;
  RunTask task;
  task.env = {"TOKEN=of the image", "TOKEN=/socket", "TOKEN=hidden", "SSH_AUTH_SOCK=/socket"};
  task.mounts = {given(graph::MountKind::secret, "/token"), given(graph::MountKind::ssh, "/socket"),
                 given(graph::MountKind::tmpfs, "/memory")};
  task.mounts[0].content = "hidden";
  task.mounts[1].agent = "agent of the build";
  const auto step = failed_step_of(op, task);
  CHECK(step.task.env == std::vector<std::string>{"TOKEN=of the image", "SSH_AUTH_SOCK=/socket"});
  REQUIRE(step.task.mounts.size() == 1);
  CHECK(step.task.mounts[0].target == "/memory");
  REQUIRE(step.secrets.size() == 2);
  CHECK(step.secrets[0].id == "token");
  CHECK(step.secrets[0].variable == "TOKEN");
  CHECK(step.secrets[0].was_given);
  REQUIRE(step.secrets[0].file);
  CHECK(step.secrets[0].file->content.empty());
  CHECK_FALSE(step.secrets[1].was_given);
  REQUIRE(step.agents.size() == 1);
  CHECK(step.agents[0].id == "key");
  CHECK(step.agents[0].socket.agent.empty());
}

TEST_CASE("The last five failed steps are kept, for a day") {
  testing::TemporaryDirectory place;
  cache::Store store(place / "store", "map");
  const auto keep = [&](const std::string& id, std::int64_t age) {
    FailedStep step;
    step.id = id;
    step.name = "[1/1] RUN false";
    step.failed = 1'000'000'000'000 - age;
    keep_failed_step(step, store, [](const std::string&) {});
  };
  keep("old", 25 * 3600 * 1000);
  for (int i = 6; i > 0; --i) keep("step" + std::to_string(i), i);
  const auto kept = failed_steps(store);
  REQUIRE(kept.size() == 5);
  CHECK(kept[0].id == "step1");
  CHECK(kept[4].id == "step5");
  CHECK(kept[0].name == "[1/1] RUN false");
  CHECK_FALSE(read_failed_step(store, "old"));
  CHECK_FALSE(read_failed_step(store, "../step1"));
  write_file_atomically(failed_steps_directory(store) + "/step1", "of another version", 0600);
  CHECK_FALSE(read_failed_step(store, "step1"));
  forget_failed_steps(store, 1'000'000'000'000 + 23 * 3600 * std::int64_t{1000}, [](const std::string&) {});
  CHECK(failed_steps(store).size() == 4);
  forget_failed_steps(store, 1'000'000'000'000 + 25 * 3600 * std::int64_t{1000}, [](const std::string&) {});
  CHECK(failed_steps(store).empty());
}
