#include "executor/steps/run_tasks.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

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
