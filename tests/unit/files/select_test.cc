#include "files/select.h"

#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using Paths = std::vector<std::string>;

namespace {

// Paths of the tree that a selection holds, all sources together.
Paths taken(const Selection& selection) {
  Paths paths;
  for (const auto& source : selection.sources) {
    for (const auto& entry : source.entries) {
      std::string path = source.path;
      if (!entry.path.empty()) path += (path.empty() ? "" : "/") + entry.path;
      paths.push_back(path);
    }
  }
  return paths;
}

Paths taken(const Tree& tree, const graph::FileAction& action) { return taken(select(tree, action)); }
Paths taken(const Tree& tree, const std::string& source) { return taken(tree, copy_action(source, "/d/")); }

graph::FileAction parents_action(const std::string& source) {
  graph::FileAction action = copy_action(source, "/out/");
  action.parents = true;
  return action;
}

graph::FileAction excluding(const std::string& source, std::vector<std::string> patterns) {
  graph::FileAction action = copy_action(source, "/d/");
  action.exclude = std::move(patterns);
  return action;
}

}  // namespace

TEST_CASE("many stars take no more time than a few") {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "a*";
  CHECK_FALSE(match_component(pattern + "b", std::string(250, 'a')));
  CHECK(match_component(pattern + "[a-c]", std::string(250, 'a')));
  CHECK(match_component("*a*bc*", "xaxbxbc"));
  CHECK_FALSE(match_component("*ab", "abx"));
  CHECK(match_component("[*]*", "*x"));
}

TEST_CASE("match_component knows stars, marks, classes and escapes") {
  CHECK(match_component("a*c", "abbc"));
  CHECK_FALSE(match_component("a*c", "abbcd"));
  CHECK(match_component("*", ""));
  CHECK(match_component("a?c",
                        "a\xc3\xbc"
                        "c"));
  CHECK(match_component("[a-c]x", "bx"));
  CHECK_FALSE(match_component("[^a-c]x", "bx"));
  CHECK(match_component("[!x]", "!"));
  CHECK(match_component("a\\*", "a*"));
  CHECK(match_component("[\\]]", "]"));
  CHECK_FALSE(match_component("abc", "ab"));
}

TEST_CASE("A malformed pattern is an error even where the name fails early") {
  CHECK_THROWS_AS(match_component("[a", "b"), Error);
  CHECK_THROWS_AS(match_component("x[]a]", "b"), Error);
  CHECK_THROWS_AS(match_component("a\\", "b"), Error);
}

TEST_CASE("A file and a directory are taken by name, in sorted order") {
  FileTree tree;
  tree.file("b/z").file("b/a/x").file("b/a.txt").file("f");
  CHECK(taken(context(tree), "f") == Paths{"f"});
  CHECK(taken(context(tree), "b") == Paths{"b", "b/a", "b/a/x", "b/a.txt", "b/z"});
}

TEST_CASE("A source is clamped at the root") {
  FileTree tree;
  tree.file("f").file("d/g");
  CHECK(taken(context(tree), "../../f") == Paths{"f"});
  CHECK(taken(context(tree), "/../d/./../d/g") == Paths{"d/g"});
  CHECK(taken(context(tree), "d/.") == Paths{"d", "d/g"});
  CHECK(taken(context(tree), "f/") == Paths{"f"});
}

TEST_CASE("Wildcards match by component and do not go through links") {
  FileTree tree;
  tree.file("d1/s/g").file("d2/s/g").file("d2/g").file("x").link("d3", "d1");
  CHECK(taken(context(tree), "d*/s/g") == Paths{"d1/s/g", "d2/s/g"});
  CHECK(taken(context(tree), "*/g") == Paths{"d2/g"});
  CHECK(taken(context(tree), "[w-y]") == Paths{"x"});
  CHECK(taken(context(tree), "nothing*").empty());
}

TEST_CASE("A wildcard below a link given literally is followed") {
  FileTree tree;
  tree.file("real/a").link("l", "/real");
  CHECK(taken(context(tree), "l/*") == Paths{"real/a"});
}

TEST_CASE("A wildcard without hits fails when it must have some, or when its directory is missing") {
  FileTree tree;
  graph::FileAction action = copy_action("x*", "/d/");
  action.allow_empty_wildcard = false;
  CHECK(error_of([&] { select(context(tree), action); }) == "/x* not found");
  CHECK(error_of([&] { taken(context(tree), "no/x*"); }) == "lstat /no: no such file or directory");
}

TEST_CASE("A literal source that is missing is named in the words of its kind of tree") {
  FileTree tree;
  tree.file("file");
  CHECK(error_of([&] { taken(context(tree), "a/b"); }) ==
        "failed to calculate checksum of ref context: \"/a/b\": not found");
  CHECK(error_of([&] { taken(snapshot(tree), "/a"); }) == "lstat /a: no such file or directory");
  CHECK(error_of([&] { taken(context(tree), "file/b"); }).find("\"/file/b\": not found") != std::string::npos);
}

TEST_CASE("A source that is a link is followed inside the root, and keeps its name") {
  FileTree tree;
  tree.file("t", "t").link("l1", "t").link("l2", "/l1").file("d/f").link("ld", "d").link("in/up", "../../../t");
  const Selection selection = select(context(tree), copy_action("l2", "/"));
  CHECK(selection.sources.at(0).name == "l2");
  CHECK(taken(selection) == Paths{"t"});
  CHECK(taken(context(tree), "ld") == Paths{"d", "d/f"});
  CHECK(taken(context(tree), "in/up") == Paths{"t"});
  CHECK(taken(context(tree), "in") == Paths{"in", "in/up"});
}

TEST_CASE("A link is taken itself when links of the source are not followed") {
  FileTree tree;
  tree.file("t").link("l", "t");
  graph::FileAction action = copy_action("l", "/");
  action.follow_symlink = false;
  CHECK(taken(context(tree), action) == Paths{"l"});
}

TEST_CASE("A dangling link given as a source or hit by a wildcard is not found") {
  FileTree tree;
  tree.link("loose", "nowhere");
  CHECK(error_of([&] { taken(context(tree), "loose"); }).find("\"/loose\": not found") != std::string::npos);
  CHECK(error_of([&] { taken(context(tree), "l*"); }).find("\"/loose\": not found") != std::string::npos);
}

TEST_CASE("What is ignored does not exist") {
  FileTree tree;
  tree.file("a.log").file("b").file("d/c.log").file("d/e").link("l", "a.log");
  const frontend::IgnoreMatcher ignore({"**/*.log"});
  Tree source = context(tree);
  source.ignore = &ignore;
  CHECK(taken(source, ".") == Paths{"", "b", "d", "d/e", "l"});
  CHECK(taken(source, "*.log").empty());
  CHECK(error_of([&] { taken(source, "a.log"); }).find("\"/a.log\": not found") != std::string::npos);
  CHECK(error_of([&] { taken(source, "l"); }).find("not found") != std::string::npos);
}

TEST_CASE("An ignored directory exists for the sake of what is taken back in") {
  FileTree tree;
  tree.file("d/keep/k").file("d/x").file("e/x");
  const frontend::IgnoreMatcher ignore({"*", "!d/keep"});
  Tree source = context(tree);
  source.ignore = &ignore;
  CHECK(taken(source, ".") == Paths{"", "d", "d/keep", "d/keep/k"});
  CHECK(taken(source, "d") == Paths{"d", "d/keep", "d/keep/k"});
  CHECK(taken(source, "*") == Paths{"d", "d/keep", "d/keep/k"});
  CHECK_THROWS_AS(taken(source, "e"), Error);
}

TEST_CASE("Exclude patterns are relative to the source and spare the source itself") {
  FileTree tree;
  tree.file("s/a.txt").file("s/b").file("s/t/a.txt").file("s/t/c");
  CHECK(taken(context(tree), excluding("s", {"*.txt"})) == Paths{"s", "s/b", "s/t", "s/t/a.txt", "s/t/c"});
  CHECK(taken(context(tree), excluding("s", {"**/a.txt", "t/c"})) == Paths{"s", "s/b", "s/t"});
  CHECK(taken(context(tree), excluding("s/a.txt", {"a.txt"})) == Paths{"s/a.txt"});
  CHECK(taken(context(tree), excluding("s", {"t"})) == Paths{"s", "s/a.txt", "s/b"});
}

TEST_CASE("An exception of the exclude patterns brings its parents along") {
  FileTree tree;
  tree.file("d/x").file("d/sub/y").file("e/z");
  const Selection selection = select(context(tree), excluding(".", {"d", "!d/sub"}));
  CHECK(taken(selection) == Paths{"", "d", "d/sub", "d/sub/y", "e", "e/z"});
  CHECK(selection.sources[0].entries[1].implied);
  CHECK_FALSE(selection.sources[0].entries[2].implied);
}

TEST_CASE("--parents takes a path with the directories on its way") {
  FileTree tree;
  tree.file("a/b/c").file("a/b/d").file("a/e");
  const Selection selection = select(context(tree), parents_action("a/b/c"));
  CHECK(taken(selection) == Paths{"", "a", "a/b", "a/b/c"});
  CHECK(selection.sources[0].entries[1].implied);
  CHECK(taken(context(tree), parents_action("./a/*/c")) == Paths{"", "a", "a/b", "a/b/c"});
  CHECK(taken(context(tree), parents_action("a/b")) == Paths{"", "a", "a/b", "a/b/c", "a/b/d"});
}

TEST_CASE("--parents drops what is before the first pivot") {
  FileTree tree;
  tree.file("a/b/c/f").file("a/x/c/f");
  CHECK(taken(context(tree), parents_action("a/b/./c")) == Paths{"a/b", "a/b/c", "a/b/c/f"});
  CHECK(taken(context(tree), parents_action("/a/./b/./c")) == Paths{"a", "a/b", "a/b/c", "a/b/c/f"});
  CHECK(taken(context(tree), parents_action("a/*/./c")) == Paths{"a/b", "a/b/c", "a/b/c/f", "a/x", "a/x/c", "a/x/c/f"});
}

TEST_CASE("--parents knows double stars") {
  FileTree tree;
  tree.file("t/a/foo").file("t/b/c/foo").file("t/b/bar").file("foo");
  CHECK(taken(context(tree), parents_action("t/**/foo")) ==
        Paths{"", "t", "t/a", "t/a/foo", "t/b", "t/b/c", "t/b/c/foo"});
}

TEST_CASE("--parents: a missing literal is not found in any tree, a wildcard may miss") {
  FileTree tree;
  tree.file("a/b").link("l", "a");
  CHECK(error_of([&] { taken(snapshot(tree), parents_action("/a/none")); }).find("\"/a/none\": not found") !=
        std::string::npos);
  CHECK(error_of([&] { taken(snapshot(tree), parents_action("/x/./y")); }).find("\"/x/y\": not found") !=
        std::string::npos);
  CHECK(error_of([&] { taken(context(tree), parents_action("l/b")); }).find("\"/l/b\": not found") !=
        std::string::npos);
  CHECK(taken(context(tree), parents_action("a/z*")) == Paths{""});
  CHECK(taken(context(tree), parents_action("l")) == Paths{"", "l"});
}

TEST_CASE("Files of a context belong to root, pipes in it are empty files") {
  FileTree tree;
  tree.file("f", "x", 04711).directory("d");
  ::mkfifo(tree.host_path("d/pipe").c_str(), 0600);
  const Selection selection = select(context(tree), copy_action(".", "/"));
  for (const auto& entry : selection.sources[0].entries) CHECK((entry.inode.uid == 0 && entry.inode.gid == 0));
  const auto& pipe = selection.sources[0].entries[2];
  CHECK(pipe.path == "d/pipe");
  CHECK(pipe.inode.type == image::FileType::regular);
  CHECK(pipe.inode.size == 0);
  CHECK(selection.sources[0].entries[3].inode.mode == 04711);
}
