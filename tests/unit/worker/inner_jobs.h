#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/files/file_tree.h"
#include "worker/inner/inner.h"
#include "worker/sandbox/sandbox.h"

// Help for tests that need the inner process: the test program executes itself as it.
namespace mbuild::executor::test {

// A file-scope object of this type makes a job known in the inner process of the test program.
struct TestJob {
  TestJob(std::string name, std::function<std::string(std::string_view, std::vector<Fd>&)> job);
};

// One inner process with this user's id map, kept for the whole test program.
Inner& inner();
const IdMap& map_of_inner();
bool single_id();
// False on a host where no inner process can be started: tests that need one are left out.
bool have_inner();

// "path type mode uid:gid content-or-target" for everything in a mounted tree but the root, sorted.
std::string list_tree(int root);

// Makes a root file system with busybox, its applets, users and groups in tree/name; false when the host has no static
// busybox.
bool make_busybox(FileTree& tree, const std::string& name);

// A tree with busybox at base, where it can be had and run.
struct BusyboxTree : FileTree {
  bool ready = have_inner() && make_busybox(*this, "base");
};

struct Ran {
  SandboxResult result;
  std::string output;  // stdout and stderr
};
// Runs the spec in a sandbox, with upper, work and scratch directories tree/NAME-upper and so on (as the spec has them,
// if it has some). Throws what run_sandbox throws.
Ran run(FileTree& tree, SandboxSpec& spec, const std::string& name = "run", Inner* other = nullptr,
        std::stop_token stop = {});
Ran run(FileTree& tree, SandboxSpec&& spec, const std::string& name = "run", Inner* other = nullptr,
        std::stop_token stop = {});
// For the list of mounts of a spec.
std::vector<SandboxMount> mounts(std::same_as<SandboxMount> auto... mount) {
  std::vector<SandboxMount> out;
  (out.push_back(std::move(mount)), ...);
  return out;
}
// A spec that runs a shell command on the busybox root at tree/base.
SandboxSpec shell(const FileTree& tree, const std::string& command);
// Runs a shell command on busybox; what it prints.
std::string output_of(const std::string& command);

}  // namespace mbuild::executor::test
