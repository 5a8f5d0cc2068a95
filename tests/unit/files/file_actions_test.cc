#include "files/file_actions.h"

#include <sys/stat.h>

#include "files/content_digest.h"
#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using graph::FileActionKind;
using Paths = std::vector<std::string>;

namespace {

graph::FileAction action_of(FileActionKind kind, const std::string& destination) {
  graph::FileAction action;
  action.kind = kind;
  action.input = 0;
  action.destination = destination;
  return action;
}

graph::FileAction mkdir_action(const std::string& path, const std::string& owner = "") {
  graph::FileAction action = action_of(FileActionKind::mkdir, path);
  action.mode = "0755";
  action.make_parents = true;
  action.owner = owner;
  return action;
}

}  // namespace

TEST_CASE("mkdir makes parents for the user, and leaves what exists alone") {
  FileTree root;
  root.file("etc/passwd", "app:x:1000:100::/:/bin/sh\n").directory("have", 0700).link("lnk", "have");
  CHECK(apply(root, mkdir_action("/w/deep", "app")) == Paths{"w", "w/deep"});
  CHECK(root.at("w") == "dir 0755 1000:100");
  CHECK(root.at("w/deep") == "dir 0755 1000:100");
  CHECK(root.inode("w/deep").mtime_sec == 0);
  CHECK(apply(root, mkdir_action("/have", "app")).empty());
  CHECK(apply(root, mkdir_action("/lnk/in", "77")) == Paths{"have/in"});
  CHECK(root.at("have/in") == "dir 0755 77:77");
}

TEST_CASE("mkdir for an unknown user falls back to root") {
  FileTree root;
  apply(root, mkdir_action("/w", "ghost:ghosts"));
  CHECK(root.at("w") == "dir 0755 0:0");
}

TEST_CASE("mkdir takes its timestamp, and does not replace a file") {
  FileTree root;
  graph::FileAction action = mkdir_action("/a/b");
  action.timestamp = 4711;
  apply(root, action);
  CHECK(root.inode("a").mtime_sec == 4711);
  CHECK(root.inode("a/b").mtime_sec == 4711);
  root.file("f");
  CHECK(error_of([&] { apply(root, mkdir_action("/f")); }) == "mkdir /f: not a directory");
  CHECK(error_of([&] { apply(root, mkdir_action("/f/g")); }).find("not a directory") != std::string::npos);
}

TEST_CASE("mkdir without parents needs them") {
  FileTree root;
  graph::FileAction action = action_of(FileActionKind::mkdir, "/no/d");
  CHECK_THROWS_AS(apply(root, action), Error);
  action.destination = "/d";
  action.mode = "0700";
  CHECK(apply(root, action) == Paths{"d"});
  CHECK(root.at("d") == "dir 0700 0:0");
}

TEST_CASE("mkfile makes a file, and keeps mode and owner of one that is there") {
  FileTree root;
  graph::FileAction action = action_of(FileActionKind::mkfile, "/EOF");
  action.content = "text";
  action.mode = "0644";
  CHECK(apply(root, action) == Paths{"EOF"});
  CHECK(root.at("EOF") == "file 0644 0:0 text");
  CHECK(root.inode("EOF").mtime_sec == 0);
  root.file("there", "long old text", 0700).link("lnk", "there");
  action.destination = "/lnk";
  CHECK(apply(root, action) == Paths{"there"});
  CHECK(root.at("there").starts_with("file 0700"));
  CHECK(root.content("there") == "text");
}

TEST_CASE("symlink makes a link, and does not replace anything") {
  FileTree root;
  graph::FileAction action = action_of(FileActionKind::symlink, "/l");
  action.source = "../anywhere";
  CHECK(apply(root, action) == Paths{"l"});
  CHECK(root.at("l") == "link ../anywhere");
  root.file("f");
  action.destination = "/f";
  CHECK_THROWS_AS(apply(root, action), Error);
}

TEST_CASE("rm removes trees, links themselves and wildcard hits") {
  FileTree root;
  root.file("d/e/f").file("keep/x").link("l", "keep").file("a.o").file("b.o").file("c");
  graph::FileAction action = action_of(FileActionKind::rm, "/d");
  CHECK(apply(root, action).empty());
  action.destination = "/l";
  apply(root, action);
  action.destination = "/*.o";
  apply(root, action);
  CHECK(root.paths() == Paths{"c", "keep", "keep/x"});
  action.destination = "/none";
  CHECK_THROWS_AS(apply(root, action), Error);
  action.allow_not_found = true;
  apply(root, action);
}

TEST_CASE("Actions follow one another: what is removed again is not reported") {
  FileTree source, root;
  source.file("d/f").file("d/g");
  graph::FileAction remove = action_of(FileActionKind::rm, "/t/f");
  const std::vector<graph::FileAction> actions{copy_action("d", "/t"), remove, mkdir_action("/t/new")};
  const std::vector<Selection> selections{select(context(source), actions[0]), {}, {}};
  const auto result =
      apply_file_actions(root.fd(), actions, selections, {.owners = owner_mode(), .threads = 2, .stop = {}});
  CHECK(list_of(result.paths) == Paths{"t", "t/g", "t/new"});
  CHECK(root.paths() == list_of(result.paths));
}

TEST_CASE("Several sources into one new directory leave it with one time, however often it was written to") {
  FileTree source, root;
  source.file("a").file("b");
  const std::vector<graph::FileAction> actions{copy_action("a", "/d/"), copy_action("b", "/d/")};
  const std::vector<Selection> selections{select(context(source), actions[0]), select(context(source), actions[1])};
  apply_file_actions(root.fd(), actions, selections, {.owners = owner_mode(), .threads = 2, .stop = {}});
  CHECK(root.inode("d").mtime_sec == 0);
  CHECK(root.inode("d").mtime_nsec == 0);
}

TEST_CASE("Files that wait to be written keep the owner and mode of their own action") {
  FileTree source, root;
  source.file("a").file("b");
  WriteRecord record;
  Copier copier({.root = root.fd()}, record, owner_mode(), 2, {});
  const auto first = select(context(source), copy_action("a", "/d/")),
             second = select(context(source), copy_action("b", "/d/"));
  copier.copy(first.tree, first.sources[0], "/d/", {.mode = parse_mode("0600")});
  copier.copy(second.tree, second.sources[0], "/d/", {.mode = parse_mode("0755")});
  copier.flush();
  CHECK((root.inode("d/a").mode & 0777U) == 0600);
  CHECK((root.inode("d/b").mode & 0777U) == 0755);
}

TEST_CASE("Files that come out as in an older layer of the step are links to it, others are copied") {
  FileTree source, first, second;
  source.file("d/same", "same").file("d/content", "old").file("d/mode", "mode").file("d/time", "time");
  const std::vector<graph::FileAction> actions{copy_action("d", "/t/")};
  const auto copy = [&](const FileTree& root, const OlderLayer* older) {
    std::vector<Selection> selections{select(context(source), actions[0])};
    selection_digest(selections[0], {}, 1);
    return apply_file_actions(root.fd(), actions, selections,
                              {.owners = owner_mode(), .threads = 1, .stop = {}, .upper = root.fd(), .older = older});
  };
  const auto before = copy(first, nullptr);
  CHECK(before.files.size() == 4);
  CHECK(before.files.at("t/content").content == sha256("old"));

  const auto old_time = source.inode("d/content");
  source.file("d/content", "new").time("d/time", 12345);
  REQUIRE(::chmod(source.host_path("d/mode").c_str(), 0600) == 0);
  source.time("d/content", old_time.mtime_sec, old_time.mtime_nsec);  // of one size and one time, but another content
  OlderLayer older{.directory = first.fd(), .contents = {}};
  for (const auto& [path, file] : before.files) older.contents.emplace_back(path, file.content);
  const auto after = copy(second, &older);
  CHECK(after.paths == before.paths);
  const auto linked = [&](const std::string& path) { return second.inode(path).inode == first.inode(path).inode; };
  CHECK(linked("t/same"));
  for (const char* path : {"t/content", "t/mode", "t/time"}) CHECK_FALSE(linked(path));
  CHECK(second.content("t/content") == "new");
  CHECK(first.content("t/content") == "old");
  CHECK((second.inode("t/mode").mode & 0777U) == 0600);
  CHECK((first.inode("t/mode").mode & 0777U) != 0600);
  CHECK(second.inode("t/time").mtime_sec == 12345);
}
