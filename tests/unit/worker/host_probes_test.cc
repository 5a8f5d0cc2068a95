#include "worker/host_probes.h"

#include <cstdlib>

#include "tests/catch.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

// The probes with features switched off; the directory is left empty.
std::vector<Probe> probes(const char* disable, bool less_isolation = false) {
  test::FileTree tree;
  ::setenv("MBUILD_TEST_DISABLE", disable, 1);
  auto out = run_probes(tree.host_path(""), less_isolation);
  ::unsetenv("MBUILD_TEST_DISABLE");
  CHECK(tree.paths().empty());
  return out;
}

const Probe* find(const std::vector<Probe>& list, const std::string& name) {
  for (const auto& probe : list) {
    if (probe.name == name) return &probe;
  }
  return nullptr;
}

Probe of_whole_step(const std::vector<Probe>& list) {
  for (const auto& probe : list) {
    if (probe.title == "a whole step") return probe;
  }
  return {};
}

}  // namespace

TEST_CASE("every probe that fails has detail and remedy") {
  for (const auto& probe : probes("")) {
    INFO(probe.name << ": " << probe.detail);
    CHECK_FALSE(probe.detail.empty());
    CHECK(probe.ok == probe.remedy.empty());
  }
}

TEST_CASE("a feature that is switched off is reported") {
  for (const char* name : {"overlay", "lowerdir-plus", "proc-mount", "binfmt-ns", "userns-ranges", "step-userns"}) {
    const auto list = probes(name);
    if (list.size() == 2) return;  // no user namespaces here
    INFO(name);
    REQUIRE(find(list, name) != nullptr);
    CHECK_FALSE(find(list, name)->ok);
  }
}

TEST_CASE("what a RUN would refuse is missing, unless less isolation is allowed") {
  for (const char* name : {"proc-mount", "step-userns"}) {
    const auto list = probes(name);
    if (list.size() == 2) return;  // no user namespaces here
    INFO(name);
    CHECK(find(list, name)->required);
    CHECK_THAT(find(list, name)->remedy, Catch::Matchers::Contains("--allow-less-isolation"));
    CHECK_FALSE(of_whole_step(list).ok);
    const auto allowed = probes(name, true);
    CHECK_FALSE(find(allowed, name)->required);
    INFO(of_whole_step(allowed).detail);
    CHECK(of_whole_step(allowed).ok);
  }
}

TEST_CASE("without user namespaces nothing else is tried") {
  const auto list = probes("userns");
  CHECK_FALSE(find(list, "userns")->ok);
  CHECK(find(list, "overlay") == nullptr);
}

TEST_CASE("The probes say how the programs of both usual platforms run") {
  int native = 0;
  for (const auto& probe : probes("")) {
    if (!probe.title.starts_with("programs of linux/")) continue;
    CHECK(probe.ok == probe.remedy.empty());
    if (probe.title == "programs of " + platforms::to_string(platforms::host_platform())) {
      ++native;
      CHECK(probe.detail == "native");
    }
  }
  CHECK(native == 1);
}

}  // namespace mbuild::executor
