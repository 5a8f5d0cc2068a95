#pragma once

#include <optional>
#include <string>

namespace mbuild::executor {

enum class ContainerKind { docker, podman, kubernetes, github, gitlab, other };

// What a process can see of the container that it runs in. `root` is prepended to all paths: a directory in tests.
std::optional<ContainerKind> find_container(const std::string& root = "");

// The line or the YAML by which a container of this kind lets builds have namespaces.
std::string container_advice(ContainerKind kind);

}  // namespace mbuild::executor
