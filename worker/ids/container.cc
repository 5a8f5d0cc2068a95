#include "worker/ids/container.h"

#include <string_view>

#include "base/fd.h"
#include "base/host_variable.h"
#include "base/try_read_file.h"

// Marker files are Docker's and Podman's own; Kubernetes leaves none, nor do engines that imitate Docker. Control
// groups name the engine where the container shares the host's tree of them, and a seccomp filter, which no login
// session has, tells that there is a container of whatever kind.
namespace mbuild::executor {
namespace {

bool is_set(const char* name) { return !host_variable(name).value_or("").empty(); }

std::optional<ContainerKind> kind_of_engine(const std::string& root) {
  const std::string groups = try_read_file(root + "/proc/self/cgroup") + try_read_file(root + "/proc/1/cgroup");
  const auto named = [&](std::string_view word) { return groups.find(word) != std::string::npos; };
  const std::string told = host_variable("container").value_or("");
  if (is_set("KUBERNETES_SERVICE_HOST") || named("kubepods")) return ContainerKind::kubernetes;
  if (path_exists(root + "/run/.containerenv") || told == "podman" || named("libpod")) return ContainerKind::podman;
  if (path_exists(root + "/.dockerenv") || told == "docker" || named("/docker")) return ContainerKind::docker;
  if (!told.empty() || named("containerd") || named("crio") || named("lxc")) return ContainerKind::other;
  if (try_read_file(root + "/proc/self/status").find("\nSeccomp:\t2") != std::string::npos) return ContainerKind::other;
  return std::nullopt;
}

}  // namespace

std::optional<ContainerKind> find_container(const std::string& root) {
  const auto kind = kind_of_engine(root);
  if (kind == ContainerKind::docker && is_set("GITHUB_ACTIONS")) return ContainerKind::github;
  if (kind == ContainerKind::docker && is_set("GITLAB_CI")) return ContainerKind::gitlab;
  return kind;
}

std::string container_advice(ContainerKind kind) {
  switch (kind) {
    case ContainerKind::podman:
      return "start the container with: podman run --security-opt seccomp=unconfined --security-opt unmask=ALL "
             "--security-opt label=disable --cap-add=SETUID --cap-add=SETGID --cap-add=SETFCAP ...";
    case ContainerKind::kubernetes:
      return "in the pod's spec: hostUsers: false, and in the container's: securityContext: {procMount: Unmasked, "
             "seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}, capabilities: {add: [SETUID, "
             "SETGID, SETFCAP]}, allowPrivilegeEscalation: true}";
    case ContainerKind::github:
      return "in the workflow's job: container: {image: ..., options: --security-opt seccomp=unconfined --security-opt "
             "apparmor=unconfined --security-opt systempaths=unconfined}; or run the step without a container";
    case ContainerKind::gitlab:
      return "in the runner's config.toml: [runners.docker] security_opt = [\"seccomp=unconfined\", "
             "\"apparmor=unconfined\", \"systempaths=unconfined\"]";
    case ContainerKind::docker:
    case ContainerKind::other:
      break;
  }
  return "start the container with: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
         "--security-opt systempaths=unconfined ...";
}

}  // namespace mbuild::executor
