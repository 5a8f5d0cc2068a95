#include "worker/snapshot/overlay.h"

#include <fcntl.h>

#include <cstdlib>

#include "base/codec.h"
#include "base/error.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

using test::FileTree;
using test::have_inner;
using test::inner;
using test::TestJob;

struct OverlayRequest {
  std::vector<std::string> lower;
  std::string upper, work, disable, write;
};

// Mounts, writes a file when asked to, and lists what is there.
const TestJob k_overlay("test-overlay", [](std::string_view payload, std::vector<Fd>&) {
  const auto request = decode<OverlayRequest>(payload);
  ::setenv("MBUILD_TEST_DISABLE", request.disable.c_str(), 1);
  const Fd mount = mount_overlay(request.lower, request.upper, request.work, request.upper.empty());
  if (!request.write.empty()) write_all(open_at(mount.get(), request.write, O_WRONLY | O_CREAT, 0644).get(), "new");
  return test::list_tree(mount.get());
});

std::string mounted(const OverlayRequest& request) { return inner().call("test-overlay", encode(request)); }

}  // namespace

TEST_CASE("an overlay shows the topmost layer first, by either way of mounting") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.file("a/x", "from a").file("a/only-a", "a").file("b/x", "from b").file("c/x", "from c").file("c/only-c", "c");
  for (const char* disable : {"", "lowerdir-plus"}) {
    INFO(disable);
    const OverlayRequest request{{tree.host_path("a"), tree.host_path("b"), tree.host_path("c")}, "", "", disable, ""};
    CHECK(mounted(request) == "only-a file 644 0:0 a\nonly-c file 644 0:0 c\nx file 644 0:0 from a\n");
  }
}

TEST_CASE("writes go to the upper directory, by either way of mounting") {
  NEEDS(have_inner(), "an inner process");
  for (const char* disable : {"", "lowerdir-plus"}) {
    INFO(disable);
    FileTree tree;
    tree.file("a/x", "old").directory("upper").directory("work");
    const OverlayRequest request{{tree.host_path("a")}, tree.host_path("upper"), tree.host_path("work"), disable, "x"};
    CHECK(mounted(request) == "x file 644 0:0 new\n");
    CHECK(tree.content("upper/x") == "new");
    CHECK(tree.content("a/x") == "old");
  }
}

TEST_CASE("one layer alone is mounted read-only") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.file("a/x", "1");
  CHECK(mounted({{tree.host_path("a")}, "", "", "", ""}) == "x file 644 0:0 1\n");
  CHECK_THROWS_WITH(mounted({{tree.host_path("a")}, "", "", "", "x"}), Catch::Contains("Read-only"));
}

TEST_CASE("a hundred layers with long paths are mounted, by either way") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  const std::string deep = std::string(100, 'd') + "/" + std::string(200, 'e') + "/";
  std::vector<std::string> lower;
  for (int i = 0; i < 100; ++i) {
    tree.file(deep + std::to_string(i) + "/f", std::to_string(i));
    lower.push_back(tree.host_path(deep + std::to_string(i)));
  }
  for (const char* disable : {"", "lowerdir-plus"})
    CHECK(mounted({lower, "", "", disable, ""}) == "f file 644 0:0 0\n");
  lower.push_back(lower.front());
  CHECK_THROWS_AS(mounted({lower, "", "", "", ""}), Error);
}

TEST_CASE("a file system that can't hold the upper directory is an error with advice") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("a").directory("upper").directory("work");
  try {
    mounted({{tree.host_path("a")}, tree.host_path("upper"), tree.host_path("work"), "overlay", ""});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::host);
    CHECK_THAT(error.advice, Catch::Contains("--root"));
  }
}

}  // namespace mbuild::executor
