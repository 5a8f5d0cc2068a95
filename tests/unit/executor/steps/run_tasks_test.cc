#include "executor/steps/run_tasks.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

graph::Mount cache_mount(const std::string& id, std::int32_t input = -1) {
  graph::Mount mount;
  mount.kind = graph::MountKind::cache;
  mount.id = id;
  mount.input = input;
  return mount;
}

graph::ExecOp make() {
  graph::ExecOp op;
  op.argv = {"/bin/sh", "-c", "make"};
  return op;
}

ChangeRun with_mount(const graph::Mount& mount) {
  return [mount](graph::ExecOp& run) { run.mounts.push_back(mount); };
}

RunTask completed(StepFixture& build) {
  auto task = build.tasks.begin(k_run, "new");
  build.tasks.complete(task, k_run, {});
  return task;
}

Error error_of_completion(StepFixture& build) {
  try {
    completed(build);
  } catch (Error& error) {
    return std::move(error);
  }
  return Error(ExitClass::internal, "no error");
}

}  // namespace

TEST_CASE("A cache mount is named by its id and by what it starts from") {
  CHECK(cache_mount_name(cache_mount("go"), {}) == "go");
  auto owned = cache_mount("go");
  owned.uid = 1000;
  CHECK(cache_mount_name(owned, {}) == "go [owner 1000:0, mode 0755]");
  const std::string one = cache_mount_name(cache_mount("go", 1), "sha256:1111"),
                    two = cache_mount_name(cache_mount("go", 1), "sha256:2");
  CHECK(one != "go");
  CHECK(one != two);
  CHECK(one == cache_mount_name(cache_mount("go", 0), "sha256:1111"));
}

TEST_CASE("A proxy on the host's loopback is told, whatever its spelling, and no other") {
  CHECK(loopback_proxy({"PATH=/bin", "http_proxy=http://127.0.0.1:3128"}) == "http_proxy");
  CHECK(loopback_proxy({"HTTPS_PROXY=user:word@localhost:3128"}) == "HTTPS_PROXY");
  CHECK(loopback_proxy({"ALL_PROXY=socks5://[::1]:9050"}) == "ALL_PROXY");
  CHECK(loopback_proxy({"http_proxy=http://proxy.example:3128", "NO_PROXY=localhost"}).empty());
}

TEST_CASE("A program that failed is told by its status or its signal") {
  RunResult result;
  result.exit_code = 3;
  CHECK(std::string(run_failure(make(), result, {}).what()) ==
        "process \"/bin/sh -c make\" did not complete successfully: exit code: 3");
  result.exit_code = 137;
  result.signal = 9;
  const Error killed = run_failure(make(), result, {});
  CHECK(std::string(killed.what()).ends_with("signal 9 (exit code: 137)"));
  CHECK(killed.advice.find("memory") != std::string::npos);
}

TEST_CASE("An unreachable proxy is advice only where the step was in a network of its own") {
  RunResult result;
  result.exit_code = 1;
  const std::vector<std::string> env = {"http_proxy=http://localhost:3128"};
  CHECK(run_failure(make(), result, env).advice.empty());
  result.own_network = true;
  CHECK(run_failure(make(), result, env).advice.starts_with("http_proxy names a proxy"));
}

TEST_CASE("Of several agents with one id the last is taken") {
  BuildRequest request;
  request.ssh = {{.id = "default", .paths = {"/one"}}, {.id = "default", .paths = {"/two"}}};
  CHECK(agent_socket(request, "default") == "/two");
  CHECK(agent_socket(request, "other").empty());
}

TEST_CASE("A task has its root and its bind mounts as layers, and the proxies after the other variables") {
  StepFixture build(false, [](graph::ExecOp& run) {
    run.env = {"PATH=/bin"};
    run.proxy_env = {"http_proxy=http://proxy.example"};
    run.user = "app";
  });
  build.session.allow_less_isolation = true;
  const auto task = completed(build);
  CHECK(task.layer == "new");
  CHECK(task.argv == std::vector<std::string>{"/bin/sh", "-c", "make"});
  CHECK(task.env == std::vector<std::string>{"PATH=/bin", "http_proxy=http://proxy.example"});
  CHECK(task.user == "app");
  CHECK(task.less_isolation);
  CHECK(task.root == LayerIds{"base"});
  REQUIRE(task.mounts.size() == 1);
  CHECK(task.mounts[0].target == "/src");
  CHECK(task.mounts[0].selector == "/etc");
  CHECK(task.mounts[0].layers == LayerIds{"base"});
}

TEST_CASE("A cache mount that starts from an image is named by the image's digest, and fresh without the cache") {
  StepFixture build(false, with_mount(cache_mount("go", 0))), ignoring(true, with_mount(cache_mount("go")));
  const auto& base = build.table.result({k_base, 0}).digest;
  const auto of_image = completed(build).mounts.at(1), empty = completed(ignoring).mounts.at(1);
  CHECK(of_image.cache == "go [from " + std::string(digest_hex(base).substr(0, 16)) + "]");
  CHECK_FALSE(of_image.fresh);
  CHECK(of_image.layers.empty());  // it is not new
  CHECK(empty.cache == "go");
  CHECK(empty.fresh);
}

TEST_CASE("A secret is a file, a variable or both") {
  graph::Mount secret{.kind = graph::MountKind::secret, .target = "/run/secrets/key", .id = "key", .env = "KEY"};
  StepFixture both(false, with_mount(secret));
  secret.as_file = false;
  StepFixture variable(false, with_mount(secret));
  both.request.secrets = variable.request.secrets = {{.id = "key", .file = "", .value = "word"}};
  const auto one = completed(both), two = completed(variable);
  CHECK(one.env == std::vector<std::string>{"KEY=word"});
  REQUIRE(one.mounts.size() == 2);
  CHECK(one.mounts[1].target == "/run/secrets/key");
  CHECK(one.mounts[1].content == "word");
  CHECK(two.env == std::vector<std::string>{"KEY=word"});
  CHECK(two.mounts.size() == 1);
}

TEST_CASE("A secret that is not given is an error only where it is required") {
  graph::Mount secret{.kind = graph::MountKind::secret, .target = "/run/secrets/key", .id = "key"};
  StepFixture optional(false, with_mount(secret));
  CHECK(completed(optional).mounts.size() == 1);
  secret.required = true;
  StepFixture required(false, with_mount(secret));
  const Error error = error_of_completion(required);
  CHECK(error.exit_class == ExitClass::usage);
  CHECK(std::string(error.what()) == "secret key: not found");
  CHECK(error.advice == "Give it with --secret id=key,src=FILE or --secret id=key,env=NAME.");
}

TEST_CASE("An agent is named by its target and id, and told to the program unless it has another") {
  const graph::Mount agent{.kind = graph::MountKind::ssh, .target = "/run/agent", .id = "default"};
  StepFixture build(false, with_mount(agent)), own(false, [&](graph::ExecOp& run) {
    run.mounts.push_back(agent);
    run.env = {"SSH_AUTH_SOCK=/own"};
  });
  build.request.ssh = own.request.ssh = {{.id = "default", .paths = {"/socket"}}};
  const auto task = completed(build);
  CHECK(task.env == std::vector<std::string>{"SSH_AUTH_SOCK=/run/agent"});
  CHECK(task.mounts.at(1).agent == "0 default");
  CHECK(completed(own).env == std::vector<std::string>{"SSH_AUTH_SOCK=/own"});
}

TEST_CASE("An agent that is not given is an error only where it is required") {
  graph::Mount agent{.kind = graph::MountKind::ssh, .target = "/run/agent", .id = "default"};
  StepFixture optional(false, with_mount(agent));
  CHECK(completed(optional).mounts.size() == 1);
  agent.required = true;
  StepFixture required(false, with_mount(agent));
  const Error error = error_of_completion(required);
  CHECK(std::string(error.what()) == "unset ssh forward key default");
  CHECK(error.advice == "Give an agent with --ssh default.");
}
