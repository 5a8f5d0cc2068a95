#include "worker/snapshot/snapshot_mount.h"

#include <sys/stat.h>
#include <sys/xattr.h>

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

const TestJob k_snapshot("test-snapshot", [](std::string_view payload, std::vector<Fd>&) {
  auto stack = decode<Stack>(payload);
  const std::string scratch = stack.layers.back().path;
  stack.layers.pop_back();
  const Fd mount = mount_snapshot(stack, scratch);
  struct stat status;
  ::fstat(mount.get(), &status);
  return "root " + std::to_string(status.st_mode & 07777) + "\n" + test::list_tree(mount.get());
});

// Whiteouts can be made in a user namespace only by root of it.
const TestJob k_whiteout("test-whiteout", [](std::string_view path, std::vector<Fd>&) {
  if (::mknod(std::string(path).c_str(), S_IFCHR, 0) < 0) throw system_error(errno, "mknod");
  return std::string();
});

// What `stack` shows, mounted; layers are named relative to the tree.
std::string shown(FileTree& tree, std::vector<LayerDir> layers) {
  Stack stack;
  for (auto& layer : layers) stack.layers.push_back({tree.host_path(layer.path), layer.implied});
  tree.directory("scratch");
  stack.layers.push_back({tree.host_path("scratch"), {}});
  return inner().call("test-snapshot", encode(stack));
}

std::string line(const std::string& listing, const std::string& path) {
  const auto at = ("\n" + listing).find("\n" + path + " ");
  return at == std::string::npos ? "" : listing.substr(at, listing.find('\n', at) - at);
}

void whiteout(const FileTree& tree, const std::string& path) { inner().call("test-whiteout", tree.host_path(path)); }

}  // namespace

TEST_CASE("an implied directory keeps the mode of the layer below") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/tmp", 01777).file("2/tmp/x");
  CHECK(line(shown(tree, {{"1", {}}, {"2", {"tmp"}}}), "tmp") == "tmp dir 1777 0:0");
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}}), "tmp") == "tmp dir 755 0:0");
}

TEST_CASE("the effective metadata are those of the topmost layer with an entry") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/d", 0700).directory("2/d", 0750).directory("3/d", 0755).directory("4/d", 0755);
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}, {"3", {"d"}}, {"4", {"d"}}}), "d") == "d dir 750 0:0");
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}, {"3", {"d"}}, {"4", {}}}), "d") == "d dir 755 0:0");
}

TEST_CASE("what a whiteout hides does not count") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/d", 0700).directory("2").file("3/d/x");
  whiteout(tree, "2/d");
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}, {"3", {"d"}}}), "d") == "d dir 755 0:0");
}

TEST_CASE("what a whiteout of a parent or an opaque parent hides does not count") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/p/d", 0700).directory("2/p").file("3/p/d/x");
  REQUIRE(::setxattr(tree.host_path("2/p").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}, {"3", {"p", "p/d"}}}), "p/d") == "p/d dir 755 0:0");
}

TEST_CASE("what a file in a layer between hides does not count") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/d", 0700).file("2/d").directory("3/d");
  CHECK(line(shown(tree, {{"1", {}}, {"2", {}}, {"3", {"d"}}}), "d") == "d dir 755 0:0");
}

TEST_CASE("parents of a generated directory keep their own metadata") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.directory("1/a/b", 0711).directory("1/a", 0750).directory("2/a/b").directory("2/a", 0701);
  const auto listing = shown(tree, {{"1", {}}, {"2", {"a/b"}}});
  CHECK(line(listing, "a") == "a dir 701 0:0");
  CHECK(line(listing, "a/b") == "a/b dir 711 0:0");
}

TEST_CASE("the root directory can be implied") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.file("1/x").file("2/y");
  tree.directory("1", 0711);
  CHECK(shown(tree, {{"1", {}}, {"2", {""}}}).starts_with("root 457\n"));  // 0711
}

TEST_CASE("an empty snapshot and a single layer can be mounted") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  CHECK(shown(tree, {}) == "root 493\n");
  tree.file("1/x", "1").directory("1");
  whiteout(tree, "1/gone");
  CHECK(shown(tree, {{"1", {}}}) == "root 493\nx file 644 0:0 1\n");
}

TEST_CASE("a layer may occur twice") {
  NEEDS(have_inner(), "an inner process");
  FileTree tree;
  tree.file("1/x", "1").file("2/x", "2").file("2/y", "2");
  CHECK(shown(tree, {{"1", {}}, {"2", {}}, {"1", {}}}) == "root 493\nx file 644 0:0 1\ny file 644 0:0 2\n");
  CHECK(shown(tree, {{"1", {}}, {"1", {}}}) == "root 493\nx file 644 0:0 1\n");
}

TEST_CASE("nothing is generated where metadata agree") {
  FileTree tree;
  tree.directory("1/d").directory("2/d").directory("into");
  const Stack stack{{{tree.host_path("1"), {}}, {tree.host_path("2"), {"d"}}}};
  CHECK_FALSE(generate_directory(stack, {}, tree.host_path("into")));
  CHECK(tree.paths() == std::vector<std::string>{"1", "1/d", "2", "2/d", "into"});
}

TEST_CASE("stubs get missing parents, and existing ones with their metadata") {
  FileTree tree;
  tree.directory("1/etc", 0711).directory("into").time("1/etc", 1000);
  const Stack stack{{{tree.host_path("1"), {}}}};
  CHECK(generate_directory(stack, {{"etc/hosts", false}, {"a/b", true}}, tree.host_path("into")));
  CHECK_THAT(tree.at("into/etc"), Catch::StartsWith("dir 0711"));
  CHECK(tree.content("into/etc/hosts").empty());
  CHECK_THAT(tree.at("into/a/b"), Catch::StartsWith("dir 0755"));
  struct stat status;
  REQUIRE(::stat(tree.host_path("into/etc").c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 1000);
}

}  // namespace mbuild::executor
