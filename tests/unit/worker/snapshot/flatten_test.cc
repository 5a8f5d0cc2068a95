#include "worker/snapshot/flatten.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

#include "base/codec.h"
#include "base/error.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

// Bundles are judged by what overlay shows: a stack with some of its layers merged looks like the stack.
namespace mbuild::executor {
namespace {

using test::FileTree;
using test::have_inner;
using test::inner;
using test::TestJob;

const TestJob k_flatten("test-flatten", [](std::string_view payload, std::vector<Fd>&) {
  const auto stacks = decode<std::vector<Stack>>(payload);
  return encode(flatten(stacks[0], stacks[1], stacks[0].layers.front().path + "-merged").implied);
});

const TestJob k_show("test-show", [](std::string_view payload, std::vector<Fd>&) {
  auto stack = decode<Stack>(payload);
  const std::string scratch = stack.layers.back().path;
  stack.layers.pop_back();
  const Fd mount = mount_snapshot(stack, scratch);
  return test::list_tree(mount.get());
});

const TestJob k_nodes("test-nodes", [](std::string_view path, std::vector<Fd>&) {
  if (::mknod(std::string(path).c_str(), S_IFCHR, 0) < 0) throw system_error(errno, "mknod");
  return std::string();
});

class Layers {
 public:
  FileTree tree;

  void whiteout(const std::string& path) const { inner().call("test-nodes", tree.host_path(path)); }
  void opaque(const std::string& path) const {
    REQUIRE(::setxattr(tree.host_path(path).c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  }
  void imply(const std::string& layer, std::vector<std::string> paths) { implied_[layer] = std::move(paths); }

  // What the layers show, by the names of their directories.
  std::string shown(const std::vector<std::string>& names) {
    Stack stack = stack_of(names);
    const std::string scratch = "scratch-" + std::to_string(next_++);
    tree.directory(scratch);
    stack.layers.push_back({tree.host_path(scratch), {}});
    return inner().call("test-show", encode(stack));
  }

  // Merges layers that lie on others; the name of the result.
  std::string merge(const std::vector<std::string>& names, const std::vector<std::string>& below = {}) {
    const std::string name = names.front() + "-merged";
    tree.directory(name);
    const std::vector<Stack> stacks = {stack_of(names), stack_of(below)};
    implied_[name] = decode<std::vector<std::string>>(inner().call("test-flatten", encode(stacks)));
    return name;
  }

 private:
  Stack stack_of(const std::vector<std::string>& names) {
    Stack stack;
    for (const auto& name : names) stack.layers.push_back({tree.host_path(name), implied_[name]});
    return stack;
  }

  std::map<std::string, std::vector<std::string>> implied_;
  int next_ = 0;
};

// Merges parts of a stack of four layers.
void check_parts(Layers& layers) {
  const std::string wanted = layers.shown({"1", "2", "3", "4"});
  CHECK_FALSE(wanted.empty());
  CHECK(layers.shown({"1", layers.merge({"2", "3"}, {"1"}), "4"}) == wanted);
  CHECK(layers.shown({"1", "2", layers.merge({"3", "4"}, {"1", "2"})}) == wanted);
  const std::string lower = layers.merge({"1", "2"});
  CHECK(layers.shown({lower, "3", "4"}) == wanted);
  CHECK(layers.shown({lower, "3-merged"}) == wanted);
  CHECK(layers.shown({layers.merge({lower, "3-merged"})}) == wanted);
}

}  // namespace

TEST_CASE("a bundle shows files, directories and links of the topmost layer that has them") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.file("1/a", "1").file("1/d/x", "1").file("2/a", "2").file("2/d/y", "2").link("3/d/x", "y");
  layers.tree.directory("3/d", 0711).file("4/e", "4").directory("4/d", 0700).file("3/f", "3", 04755);
  check_parts(layers);
}

TEST_CASE("whiteouts of a bundle hide what is below it, and what is made anew above them is there") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.file("1/gone").file("1/back", "1").file("1/dir/old").file("1/dir2/old").file("2/own").directory("2/dir2");
  layers.whiteout("2/gone");
  layers.whiteout("2/back");
  layers.whiteout("2/dir");
  layers.whiteout("2/dir2/old");
  layers.tree.file("3/back", "3").file("3/dir/new", "3").file("4/dir2/top");
  layers.whiteout("3/own");
  check_parts(layers);
}

TEST_CASE("a whiteout of a bundle is no file where nothing below has its directory") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.file("1/other").file("2/new/kept").file("2/new/gone").directory("3/new").file("4/x");
  layers.whiteout("3/new/gone");
  check_parts(layers);
  CHECK(layers.shown({"1", "2-merged", "4"}).find("gone") == std::string::npos);
}

TEST_CASE("an opaque directory stays opaque, and one that hides a file in the bundle becomes so") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.file("1/o/below").file("1/f/below").file("2/o/two").file("2/f", "a file").file("3/o/three");
  layers.tree.file("3/f/three").file("4/o/four");
  layers.opaque("2/o");
  layers.opaque("3/o");
  check_parts(layers);
}

TEST_CASE("an implied directory of a bundle has the metadata of the layer that has an entry for it") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.directory("1/tmp", 01777).file("2/tmp/2").file("3/tmp/3").directory("4");
  layers.tree.file("2/opt/2").directory("2/opt", 0750).file("3/opt/3").directory("1/opt", 0700);
  layers.imply("2", {"tmp"});
  layers.imply("3", {"tmp", "opt"});
  check_parts(layers);
  CHECK(layers.shown({"1", "2-merged", "4"}).find("tmp dir 1777") != std::string::npos);
}

TEST_CASE("files of a bundle are those of the layers, linked: groups and attributes are kept") {
  NEEDS(have_inner(), "an inner process");
  Layers layers;
  layers.tree.file("1/a").hard_link("1/b", "1/a").file("2/c").directory("2/d").time("2/d", 1000);
  REQUIRE(::setxattr(layers.tree.host_path("2/c").c_str(), "user.test", "v", 1, 0) == 0);
  REQUIRE(::setxattr(layers.tree.host_path("2/d").c_str(), "user.overlay.overlay.opaque", "v", 1, 0) == 0);
  const std::string bundle = layers.merge({"1", "2"});
  const auto a = layers.tree.inode(bundle + "/a");
  CHECK(a.inode == layers.tree.inode("1/a").inode);
  CHECK(layers.tree.inode(bundle + "/b").inode == a.inode);
  CHECK(layers.tree.inode(bundle + "/c").xattrs.contains("user.test"));
  CHECK(layers.tree.inode(bundle + "/d").xattrs.contains("user.overlay.opaque"));
  CHECK(layers.tree.inode(bundle + "/d").mtime_sec == 1000);
}

TEST_CASE("a short stack is mounted as it is, a long one in few parts") {
  CHECK(bundles_of(0).empty());
  CHECK(bundles_of(3) == std::vector<Bundle>{{0, 1}, {1, 1}, {2, 1}});
  CHECK(bundles_of(k_flatten_above).size() == k_flatten_above);
  CHECK(bundles_of(66) == std::vector<Bundle>{{0, 32}, {32, 32}, {64, 1}, {65, 1}});
  CHECK(bundles_of(1024 + 33) == std::vector<Bundle>{{0, 1024}, {1024, 32}, {1056, 1}});
}

TEST_CASE("every length is covered without gaps by fewer parts than overlay takes") {
  for (std::size_t count = 1; count < 5000; ++count) {
    const auto bundles = bundles_of(count);
    std::size_t next = 0;
    for (const auto& bundle : bundles) {
      REQUIRE(bundle.first == next);
      next += bundle.count;
    }
    REQUIRE(next == count);
    REQUIRE(bundles.size() < 95);
  }
}

TEST_CASE("one more layer leaves the bundles below as they are") {
  for (std::size_t count = k_flatten_above + 1; count < 3000; ++count) {
    const auto before = bundles_of(count), after = bundles_of(count + 1);
    for (const auto& bundle : after) {
      const bool known = bundle.count == 1 || std::find(before.begin(), before.end(), bundle) != before.end();
      // What is new is made of parts that were there.
      REQUIRE((known || bundle.first + bundle.count == count + 1));
    }
  }
}

}  // namespace mbuild::executor
