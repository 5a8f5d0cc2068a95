#include "worker/ids/container.h"

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::ScopedVariable;
using mbuild::testing::TemporaryDirectory;

namespace {

// The variables by which this process may know that it is in a container itself.
struct NoVariables {
  ScopedVariable kubernetes{"KUBERNETES_SERVICE_HOST", ""}, container{"container", ""}, github{"GITHUB_ACTIONS", ""},
      gitlab{"GITLAB_CI", ""};
};

std::optional<ContainerKind> with_file(const std::string& path, const std::string& text) {
  const NoVariables none;
  const TemporaryDirectory root;
  make_directories(root / "proc/self");
  make_directories(root / "run");
  write_file_atomically(root.path() + path, text, 0644);
  return find_container(root.path());
}

}  // namespace

TEST_CASE("A container is known by its control group, its filter or a marker") {
  CHECK(with_file("/proc/self/cgroup", "0::/user.slice\n") == std::nullopt);
  CHECK(with_file("/proc/self/cgroup", "0::/kubepods/pod1\n") == ContainerKind::kubernetes);
  CHECK(with_file("/proc/self/cgroup", "0::/machine.slice/libpod-1.scope\n") == ContainerKind::podman);
  CHECK(with_file("/proc/self/cgroup", "4:cpu:/docker/0123\n") == ContainerKind::docker);
  CHECK(with_file("/proc/self/status", "Name:\ta\nSeccomp:\t2\n") == ContainerKind::other);
  CHECK(with_file("/proc/self/status", "Name:\ta\nSeccomp:\t0\n") == std::nullopt);
  CHECK(with_file("/.dockerenv", "") == ContainerKind::docker);
  CHECK(with_file("/run/.containerenv", "") == ContainerKind::podman);
}

TEST_CASE("Variables name the orchestrator and the continuous integration") {
  const NoVariables none;
  const TemporaryDirectory root;
  write_file_atomically(root / ".dockerenv", "", 0644);
  {
    const ScopedVariable variable("GITHUB_ACTIONS", "true");
    CHECK(find_container(root.path()) == ContainerKind::github);
  }
  {
    const ScopedVariable variable("GITLAB_CI", "true");
    CHECK(find_container(root.path()) == ContainerKind::gitlab);
  }
  const ScopedVariable variable("KUBERNETES_SERVICE_HOST", "10.0.0.1");
  CHECK(find_container(root.path()) == ContainerKind::kubernetes);
}

TEST_CASE("The advice is in the terms of who started the container") {
  CHECK(container_advice(ContainerKind::docker).find("docker run --security-opt") != std::string::npos);
  CHECK(container_advice(ContainerKind::podman).find("podman run --security-opt") != std::string::npos);
  CHECK(container_advice(ContainerKind::kubernetes).find("seccompProfile") != std::string::npos);
  CHECK(container_advice(ContainerKind::github).find("options:") != std::string::npos);
  CHECK(container_advice(ContainerKind::gitlab).find("security_opt") != std::string::npos);
}
