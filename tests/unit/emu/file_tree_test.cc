#include "emu/file_tree.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::emu;

namespace {

image::TarEntry entry(const std::string& path, char type = '0', const std::string& target = "") {
  image::TarEntry made;
  made.path = path;
  made.type = type;
  made.link_target = target;
  return made;
}

}  // namespace

TEST_CASE("links on the way to a file are followed, within the image") {
  FileTree tree;
  tree.add(entry("usr/bin/", '5'), 0);
  tree.add(entry("bin", '2', "usr/bin"), 0);
  tree.add(entry("abs", '2', "/usr/../../bin"), 0);
  tree.end_layer(0);
  CHECK(tree.add(entry("./bin/sh"), 1) == "usr/bin/sh");
  CHECK(tree.find("/bin/sh") != nullptr);
  CHECK(tree.find("/abs/sh") != nullptr);
  CHECK(tree.find("/bin/bash") == nullptr);
}

TEST_CASE("whiteouts concern the layers below only, wherever they stand") {
  FileTree tree;
  tree.add(entry("a/x"), 0);
  tree.add(entry("b/x"), 0);
  tree.add(entry("b/y/z"), 0);
  tree.end_layer(0);
  tree.add(entry("a/x"), 1);
  CHECK(!tree.add(entry("a/.wh.x"), 1));
  CHECK(!tree.add(entry("b/.wh..wh..opq"), 1));
  tree.add(entry("b/new"), 1);
  tree.end_layer(1);
  REQUIRE(tree.at("a/x") != nullptr);
  CHECK(tree.at("a/x")->layer == 1);
  CHECK(tree.at("b/x") == nullptr);
  CHECK(tree.at("b/y/z") == nullptr);
  CHECK(tree.at("b/new") != nullptr);
}

TEST_CASE("a file in the place of a directory takes away what was below") {
  FileTree tree;
  tree.add(entry("d/x"), 0);
  tree.end_layer(0);
  tree.add(entry("d"), 1);
  tree.end_layer(1);
  CHECK(tree.at("d/x") == nullptr);
  CHECK(tree.at("d") != nullptr);
}

TEST_CASE("loops end, and paths that lead out are refused") {
  FileTree tree;
  tree.add(entry("one", '2', "two"), 0);
  tree.add(entry("two", '2', "one"), 0);
  CHECK(tree.find("/one") == nullptr);
  CHECK_THROWS_AS(tree.add(entry("one/x"), 0), Error);
  CHECK_THROWS_AS(tree.add(entry("a/../../x"), 0), Error);
}
