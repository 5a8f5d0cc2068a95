#include "worker/sandbox/node_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/codec.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

// What a step left in its upper directory "up", over the snapshot "low".
namespace mbuild::executor {
namespace {

using test::FileTree;
using test::owner_mode;
using test::TestJob;

constexpr const char* k_attribute = "user.mbuild.node";

struct Step : FileTree {
  Step() { directory("low").directory("up"); }

  // A stand-in for a device node.
  Step& node(const std::string& path, const std::string& value, unsigned mode = 0600) {
    file(path, "", mode);
    if (::setxattr(host_path(path).c_str(), k_attribute, value.data(), value.size(), 0) != 0) std::abort();
    return *this;
  }
  bool is_node(const std::string& path) const {
    return ::getxattr(host_path(path).c_str(), k_attribute, nullptr, 0) >= 0;
  }
  FileBirth birth(const std::string& path) const { return birth_of(open_file(host_path(path), O_RDONLY).get()); }
  // Paths are relative to "up".
  bool remove_forged(const std::vector<std::string>& paths, const std::vector<MadeNode>& made = {},
                     const std::vector<Stack>& binds = {}) const {
    const Fd upper = open_file(host_path("up"), O_RDONLY | O_DIRECTORY);
    const Fd snapshot = open_file(host_path("low"), O_RDONLY | O_DIRECTORY);
    return remove_forged_nodes(upper.get(), paths, made, snapshot.get(), binds, host_path("scratch"), owner_mode());
  }
};

// The last layer is the test's directory; the other ones are a bind mount's. Mounts are a job's to make.
const TestJob k_with_bind("test-forged-nodes", [](std::string_view payload, std::vector<Fd>&) {
  auto stack = decode<Stack>(payload);
  const std::string top = stack.layers.back().path;
  stack.layers.pop_back();
  const Fd upper = open_file(top + "/up", O_RDONLY | O_DIRECTORY);
  const Fd snapshot = open_file(top + "/low", O_RDONLY | O_DIRECTORY);
  const auto owners = test::single_id() ? image::OwnerMode::attributes : image::OwnerMode::real;
  const std::vector<Stack> binds = {stack};
  const bool removed =
      remove_forged_nodes(upper.get(), {"copy", "other"}, {}, snapshot.get(), binds, top + "/scratch", owners);
  return std::string(removed ? "removed" : "nothing removed");
});

}  // namespace

TEST_CASE("an attribute that a program has set makes no device node") {
  Step step;
  step.node("up/d/forged", "b 8 0");
  CHECK(step.remove_forged({"d/forged"}));
  CHECK_FALSE(step.is_node("up/d/forged"));
  CHECK(step.exists("up/d/forged"));
}

TEST_CASE("a node that was made for the step stays one, whatever became of its name, mode and owner") {
  Step step;
  step.node("up/made", "c 1 3");
  const std::vector<MadeNode> made = {{step.birth("up/made"), "c 1 3"}};
  REQUIRE(::rename(step.host_path("up/made").c_str(), step.host_path("up/moved").c_str()) == 0);
  REQUIRE(::chmod(step.host_path("up/moved").c_str(), 0666) == 0);
  CHECK_FALSE(step.remove_forged({"moved"}, made));
  CHECK(step.is_node("up/moved"));
}

TEST_CASE("a node that was made for the step is not made another device, nor another file that one") {
  Step step;
  step.node("up/changed", "c 1 3").node("up/other", "c 1 3");
  const std::vector<MadeNode> made = {{step.birth("up/changed"), "c 1 3"}};
  step.node("up/changed", "b 8 0");  // the same file
  REQUIRE(step.birth("up/changed") == made[0].birth);
  CHECK(step.remove_forged({"changed", "other"}, made));
  CHECK_FALSE(step.is_node("up/changed"));
  CHECK_FALSE(step.is_node("up/other"));
}

TEST_CASE("an equal copy of a node that the step found is one") {
  Step step;
  step.node("low/dev/known", "c 1 5", 0640);
  step.node("up/equal", "c 1 5", 0640).node("up/mode", "c 1 5", 0666);
  step.node("up/device", "c 1 1", 0640).node("up/kind", "b 1 5", 0640);
  CHECK(step.remove_forged({"equal", "mode", "device", "kind"}));
  CHECK(step.is_node("up/equal"));
  for (const char* path : {"up/mode", "up/device", "up/kind"}) {
    INFO(path);
    CHECK_FALSE(step.is_node(path));
  }
}

TEST_CASE("a node may be changed where it is if nobody but root can put another file there") {
  struct Place {
    unsigned low, up;  // modes of the directory
    bool stays;
  };
  for (const auto& [low, up, stays] :
       {Place{0755, 0755, true}, {0700, 0711, true}, {01777, 0755, false}, {0755, 01777, false}, {0775, 0755, false}}) {
    INFO(low << " " << up);
    Step step;
    step.node("low/d/node", "c 1 5", 0600).node("up/d/node", "c 1 5", 0666);
    step.directory("low/d", low).directory("up/d", up);
    CHECK(step.remove_forged({"d/node"}) == !stays);
    CHECK(step.is_node("up/d/node") == stays);
  }
}

TEST_CASE("of a node that is changed where it is the device is the same") {
  Step step;
  step.node("low/node", "c 1 5").node("up/node", "c 1 1", 0666);
  CHECK(step.remove_forged({"node"}));
  CHECK_FALSE(step.is_node("up/node"));
}

TEST_CASE("a directory of another owner keeps no node") {
  NEEDS(::geteuid() == 0, "root");
  Step step;
  step.node("low/d/node", "c 1 5").node("up/d/node", "c 1 5", 0666).owner("low/d", 7, 7);
  CHECK(step.remove_forged({"d/node"}));
}

TEST_CASE("other kinds of files are left alone") {
  Step step;
  step.link("up/link", "plain");
  REQUIRE(::mkfifo(step.host_path("up/fifo").c_str(), 0600) == 0);
  CHECK_FALSE(step.remove_forged({"link", "fifo"}));
}

TEST_CASE("nodes of a bind mount may be copied") {
  NEEDS(test::have_inner(), "an inner process");
  Step step;
  step.node("bound/node", "c 1 7", 0644).directory("scratch");
  step.node("up/copy", "c 1 7", 0644).node("up/other", "c 1 8", 0644);
  Stack stack;
  for (const char* name : {"bound", ""}) stack.layers.push_back({step.host_path(name), {}});
  CHECK(test::inner().call("test-forged-nodes", encode(stack)) == "removed");
  CHECK(step.is_node("up/copy"));
  CHECK_FALSE(step.is_node("up/other"));
}

}  // namespace mbuild::executor
