#include "worker/host_checks.h"

#include <cstdlib>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

// The checks with features switched off; the directory is left empty.
std::vector<HostCheck> checks(const char* disable, bool less_isolation = false) {
  test::FileTree tree;
  ::setenv("MBUILD_TEST_DISABLE", disable, 1);
  auto out = check_host(tree.host_path(""), less_isolation);
  ::unsetenv("MBUILD_TEST_DISABLE");
  CHECK(tree.paths().empty());
  return out;
}

const HostCheck* find(const std::vector<HostCheck>& list, const std::string& name) {
  for (const auto& check : list) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

HostCheck of_whole_step(const std::vector<HostCheck>& list) {
  for (const auto& check : list) {
    if (check.title == "a whole step") return check;
  }
  return {};
}

}  // namespace

TEST_CASE("every check that fails has detail and remedy") {
  for (const auto& check : checks("")) {
    INFO(check.name << ": " << check.detail);
    CHECK_FALSE(check.detail.empty());
    CHECK(check.ok == check.remedy.empty());
  }
}

TEST_CASE("a feature that is switched off is reported") {
  for (const char* name : {"overlay", "lowerdir-plus", "proc-mount", "binfmt-ns", "userns-ranges", "step-userns"}) {
    const auto list = checks(name);
    NEEDS(list.size() > 2, "user namespaces");
    INFO(name);
    REQUIRE(find(list, name) != nullptr);
    CHECK_FALSE(find(list, name)->ok);
  }
}

TEST_CASE("what a RUN would refuse is missing, unless less isolation is allowed") {
  for (const char* name : {"proc-mount", "step-userns"}) {
    const auto list = checks(name);
    NEEDS(list.size() > 2, "user namespaces");
    INFO(name);
    CHECK(find(list, name)->required);
    CHECK_THAT(find(list, name)->remedy, Catch::Matchers::Contains("--allow-less-isolation"));
    CHECK_FALSE(of_whole_step(list).ok);
    const auto allowed = checks(name, true);
    CHECK_FALSE(find(allowed, name)->required);
    INFO(of_whole_step(allowed).detail);
    CHECK(of_whole_step(allowed).ok);
  }
}

TEST_CASE("without user namespaces nothing else is tried") {
  const auto list = checks("userns");
  CHECK_FALSE(find(list, "userns")->ok);
  CHECK(find(list, "overlay") == nullptr);
}

TEST_CASE("The checks say how the programs of both usual platforms run") {
  int native = 0;
  for (const auto& check : checks("")) {
    if (!check.title.starts_with("programs of linux/")) continue;
    CHECK(check.ok == check.remedy.empty());
    if (check.title == "programs of " + platforms::to_string(platforms::host_platform())) {
      ++native;
      CHECK(check.detail == "native");
    }
  }
  CHECK(native == 1);
}

}  // namespace mbuild::executor
