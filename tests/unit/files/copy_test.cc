#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <functional>

#include "files/content_digest.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using Paths = std::vector<std::string>;

namespace {

// A context and a root that it is copied into.
struct Copying {
  FileTree context_tree, root;

  Paths copy(const std::string& source, const std::string& destination) {
    return apply(root, context(context_tree), copy_action(source, destination));
  }
  Paths copy(const graph::FileAction& action) { return apply(root, context(context_tree), action); }
  std::string error(const std::string& source, const std::string& destination) {
    return error_of([&] { copy(source, destination); });
  }
};

graph::FileAction with_mode(const std::string& source, const std::string& destination, const std::string& mode) {
  graph::FileAction action = copy_action(source, destination);
  action.mode = mode;
  return action;
}

graph::FileAction with_owner(const std::string& source, const std::string& destination, const std::string& owner) {
  graph::FileAction action = copy_action(source, destination);
  action.owner = owner;
  return action;
}

}  // namespace

TEST_CASE("A file goes to a new name, into a directory, or below made parents") {
  Copying test;
  test.context_tree.file("foo", "foo", 0640);
  test.root.directory("exists", 0711);
  CHECK(test.copy("foo", "/new") == Paths{"new"});
  CHECK(test.copy("foo", "/dir/") == Paths{"dir", "dir/foo"});
  CHECK(test.copy("foo", "/exists") == Paths{"exists/foo"});
  CHECK(test.copy("foo", "/a/b/c") == Paths{"a", "a/b", "a/b/c"});
  CHECK(test.copy("foo", "/dot/.") == Paths{"dot", "dot/foo"});
  CHECK(test.copy("foo", "/") == Paths{"foo"});
  CHECK(test.root.at("a/b/c") == "file 0640 0:0 foo");
  CHECK(test.root.at("a/b") == "dir 0755 0:0");
  CHECK(test.root.at("exists").starts_with("dir 0711"));
}

TEST_CASE("Of a directory the contents are copied") {
  Copying test;
  test.context_tree.file("d/f", "f").file("d/s/g", "g", 0600).directory("d/s", 0701).directory("d", 0750);
  test.context_tree.time("d/s", 1111111111).time("d", 1000000000);
  CHECK(test.copy("d", "/new/deep") == Paths{"new", "new/deep", "new/deep/f", "new/deep/s", "new/deep/s/g"});
  CHECK(test.root.at("new/deep") == "dir 0755 0:0");
  CHECK(test.root.at("new/deep/s") == "dir 0701 0:0");
  CHECK(test.root.inode("new/deep/s").mtime_sec == 1111111111);
  CHECK(test.root.inode("new/deep").mtime_sec == 1000000000);
  CHECK(test.root.inode("new").mtime_sec == 0);
}

TEST_CASE("A whole tree goes to the root itself") {
  Copying test;
  test.context_tree.file("d/f").file("g");
  test.root.directory("d").file("other");
  CHECK(test.copy(".", "/") == Paths{"d", "d/f", "g"});
  CHECK(test.root.exists("other"));
}

TEST_CASE("An existing top directory is left alone, existing directories inside are not") {
  Copying test;
  test.context_tree.file("d/s/g").directory("d/s", 0750);
  test.root.directory("t", 0711).directory("t/s", 0700).file("t/s/old", "old");
  CHECK(test.copy("d", "/t") == Paths{"t/s", "t/s/g"});
  CHECK(test.root.at("t").starts_with("dir 0711"));
  CHECK(test.root.at("t/s") == "dir 0750 0:0");
  CHECK(test.root.content("t/s/old") == "old");
}

TEST_CASE("A directory goes in whole when not only its contents are asked for") {
  Copying test;
  test.context_tree.file("d/f").directory("d", 0700);
  test.root.directory("t");
  graph::FileAction action = copy_action("d", "/t");
  action.contents_only = false;
  CHECK(test.copy(action) == Paths{"t/d", "t/d/f"});
  CHECK(test.root.at("t/d") == "dir 0700 0:0");
}

TEST_CASE("Links in the destination are followed inside the root") {
  Copying test;
  test.context_tree.file("t", "t");
  test.root.directory("real/x").directory("far").link("lnk", "/real").link("real/rel", "../../../far");
  test.root.link("dang", "nested/none").file("f", "old").link("l", "f").link("loose", "/made");
  CHECK(test.copy("t", "/lnk/") == Paths{"real/t"});
  CHECK(test.copy("t", "/lnk/x/") == Paths{"real/x/t"});
  CHECK(test.copy("t", "/lnk/rel/u") == Paths{"far/u"});
  CHECK(test.copy("t", "/dang/") == Paths{"nested", "nested/none", "nested/none/t"});
  CHECK(test.copy("t", "/l") == Paths{"f"});
  CHECK(test.copy("t", "/loose") == Paths{"made"});
  CHECK(test.root.at("l") == "link f");
  CHECK(test.root.content("f") == "t");
}

TEST_CASE("Links inside a tree are copied as links, and replaced when in the way") {
  Copying test;
  test.context_tree.file("d/f", "new").link("d/l", "../up").time("d/l", 5);
  test.root.file("keep", "keep").link("t/f", "../keep");
  test.copy("d", "/t");
  CHECK(test.root.at("t/l") == "link ../up");
  CHECK(test.root.inode("t/l").mtime_sec == 5);
  CHECK(test.root.at("t/f") == "file 0644 0:0 new");
  CHECK(test.root.content("keep") == "keep");
}

TEST_CASE("Files and directories do not replace each other inside a tree") {
  Copying test;
  test.context_tree.file("d/sub/f").file("e/sub");
  test.root.file("file/sub").directory("dir/sub").directory("other").link("link/sub", "../other");
  CHECK(test.error("d", "/file") == "cannot copy to non-directory: /file/sub");
  CHECK(test.error("d", "/link") == "cannot copy to non-directory: /link/sub");
  CHECK(test.error("d", "/file/sub").find("cannot copy to non-directory: /file/sub") != std::string::npos);
  CHECK(test.error("e", "/dir") == "cannot replace to directory /dir/sub with file");
  CHECK(test.error("e/sub", "/dir") == "cannot replace to directory /dir/sub with file");
}

TEST_CASE("A file in the place of a parent is an error") {
  Copying test;
  test.context_tree.file("f");
  test.root.file("file");
  CHECK(test.error("f", "/file/x").find("not a directory") != std::string::npos);
  CHECK(test.error("f", "/file/").find("not a directory") != std::string::npos);
}

TEST_CASE("Modes and times of files are kept, special bits included") {
  Copying test;
  test.context_tree.file("a", "a", 06711).file("b", "b", 01777).time("a", 1234567890, 123456789);
  test.copy("a", "/");
  test.copy("b", "/");
  CHECK(test.root.at("a") == "file 6711 0:0 a");
  CHECK(test.root.at("b") == "file 1777 0:0 b");
  CHECK(test.root.inode("a").mtime_sec == 1234567890);
  CHECK(test.root.inode("a").mtime_nsec == 123456789);
}

TEST_CASE("Octal --chmod reaches parents and all that is copied, made directories without special bits") {
  Copying test;
  test.context_tree.file("d/e/f").link("d/l", "f");
  test.copy(with_mode("d", "/p/t", "1711"));
  CHECK(test.root.at("p") == "dir 0711 0:0");
  CHECK(test.root.at("p/t") == "dir 0711 0:0");
  CHECK(test.root.at("p/t/e") == "dir 1711 0:0");
  CHECK(test.root.at("p/t/e/f") == "file 1711 0:0 x");
  CHECK(test.root.at("p/t/l") == "link f");
}

TEST_CASE("Symbolic --chmod leaves parents at 0755") {
  Copying test;
  test.context_tree.file("d/e/f", "x", 0600).directory("d/e", 0700);
  test.copy(with_mode("d", "/p/t", "go=rX"));
  CHECK(test.root.at("p/t") == "dir 0755 0:0");
  CHECK(test.root.at("p/t/e") == "dir 0755 0:0");
  CHECK(test.root.at("p/t/e/f") == "file 0644 0:0 x");
}

TEST_CASE("--chown reaches parents and all that is copied, names come from the root") {
  Copying test;
  test.context_tree.file("d/s/f");
  test.root.file("etc/passwd", "app:x:1000:100::/:/bin/sh\n").directory("have");
  test.copy(with_owner("d", "/p/t", "app"));
  test.copy(with_owner("d", "/have", "3:4"));
  CHECK(test.root.at("p") == "dir 0755 1000:100");
  CHECK(test.root.at("p/t/s") == "dir 0755 1000:100");
  CHECK(test.root.at("p/t/s/f") == "file 0644 1000:100 x");
  CHECK(test.root.at("have").starts_with("dir 0755 0:0"));
  CHECK(test.root.at("have/s") == "dir 0755 3:4");
}

TEST_CASE("A name of an owner fails when it is unknown, with --link and on scratch") {
  Copying test;
  test.context_tree.file("f");
  graph::FileAction action = with_owner("f", "/", "ghost");
  CHECK(error_of([&] { test.copy(action); }).starts_with("unable to find user ghost"));
  action.link = true;
  CHECK(error_of([&] { test.copy(action); }) == "invalid user index: -1");
  action.link = false;
  action.input = -1;
  CHECK(error_of([&] { test.copy(action); }) == "invalid user index: -1");
  action.owner = "root:5";
  test.copy(action);
  CHECK(test.root.at("f") == "file 0644 0:5 x");
}

TEST_CASE("Hard links stay within one copied tree") {
  Copying test;
  test.context_tree.file("h/a", "a").hard_link("h/b", "h/a").hard_link("h/s/c", "h/a").file("h/lone");
  test.copy("h", "/k");
  CHECK(test.root.inode("k/a").inode == test.root.inode("k/s/c").inode);
  CHECK(test.root.inode("k/a").link_count == 3);
  CHECK(test.root.inode("k/lone").link_count == 1);
  test.copy("h/*", "/w/");
  CHECK(test.root.inode("w/a").link_count == 1);
}

TEST_CASE("Wildcard hits that land on one name: the last wins") {
  Copying test;
  test.context_tree.file("d1/g", "1").file("d2/g", "2").file("e1/x", "1").file("e2/x/y", "2");
  test.copy("d*/g", "/u/");
  CHECK(test.root.content("u/g") == "2");
  CHECK(test.error("e*/x", "/v") == "cannot copy to non-directory: /v");
}

TEST_CASE("A wildcard that hits nothing changes nothing") {
  Copying test;
  test.context_tree.file("f");
  CHECK(test.copy("zz*", "/y/").empty());
  CHECK(test.root.paths().empty());
}

TEST_CASE("Sparse files stay sparse") {
  Copying test;
  test.context_tree.file("s", "head");
  REQUIRE(::truncate(test.context_tree.host_path("s").c_str(), 8 << 20) == 0);
  test.copy("s", "/");
  struct stat status;
  REQUIRE(::stat(test.root.host_path("s").c_str(), &status) == 0);
  CHECK(status.st_size == 8 << 20);
  CHECK(status.st_blocks * 512 < 1 << 20);
  CHECK(test.root.content("s") == test.context_tree.content("s"));
}

TEST_CASE("Large files are copied whole") {
  Copying test;
  std::string content(3 << 20, 'a');
  for (std::size_t i = 0; i < content.size(); i += 97) content[i] = static_cast<char>(i);
  test.context_tree.file("big", content);
  test.copy("big", "/");
  CHECK(test.root.content("big") == content);
}

TEST_CASE("Many files in many directories arrive") {
  Copying test;
  for (int i = 0; i < 300; ++i) {
    test.context_tree.file("d/" + std::to_string(i % 7) + "/f" + std::to_string(i), std::to_string(i));
  }
  CHECK(test.copy("d", "/t").size() == 308);
  CHECK(test.root.content("t/3/f3") == "3");
  CHECK(test.root.content("t/5/f299") == "299");
}

TEST_CASE("Names of 255 bytes and paths beyond PATH_MAX arrive") {
  Copying test;
  const std::string name(250, 'n');
  std::string path;
  Fd at = duplicate(test.context_tree.fd());
  for (int i = 0; i < 20; ++i) {
    REQUIRE(::mkdirat(at.get(), name.c_str(), 0755) == 0);
    at = open_at(at.get(), name, O_RDONLY | O_DIRECTORY);
    path = join_resolved(path, name);
  }
  write_all(open_at(at.get(), "f", O_WRONLY | O_CREAT).get(), "deep");
  const auto paths = test.copy(".", "/t");
  CHECK(paths.back() == "t/" + path + "/f");
  CHECK(read_all(open_resolved(test.root.fd(), paths.back(), O_RDONLY).get()) == "deep");
  remove_tree(test.context_tree.fd(), name);
  remove_tree(test.root.fd(), "t");
}

TEST_CASE("--parents: made parents look like their sources, existing ones take the mode alone") {
  Copying test;
  test.context_tree.file("a/b/f").directory("a", 0700).directory("a/b", 0711);
  test.root.directory("have/a", 0755);
  graph::FileAction action = copy_action("a/b/f", "/new/");
  action.parents = true;
  CHECK(test.copy(action) == Paths{"new", "new/a", "new/a/b", "new/a/b/f"});
  CHECK(test.root.at("new") == "dir 0755 0:0");
  CHECK(test.root.at("new/a") == "dir 0700 0:0");
  action.destination = "/have";
  action.owner = "5:6";
  CHECK(test.copy(action) == Paths{"have/a", "have/a/b", "have/a/b/f"});
  CHECK(test.root.at("have/a").starts_with("dir 0700"));
  CHECK(test.root.at("have/a/b") == "dir 0711 5:6");
}

TEST_CASE("A timestamp goes to what the action makes itself, copied files keep their time") {
  Copying test;
  test.context_tree.file("d/s/f").time("d/s/f", 77).time("d/s", 78).time("d", 79);
  graph::FileAction action = copy_action("d", "/p/t");
  action.timestamp = 1000;
  test.copy(action);
  CHECK(test.root.inode("p").mtime_sec == 1000);
  CHECK(test.root.inode("p/t").mtime_sec == 1000);
  CHECK(test.root.inode("p/t/s").mtime_sec == 78);
  CHECK(test.root.inode("p/t/s/f").mtime_sec == 77);
}

namespace {

// Selects and hashes "d", lets `change` do something to it, and copies what was selected.
ApplyResult copy_after(Copying& test, const std::function<void()>& change, Selection& selection) {
  const std::vector<graph::FileAction> actions{copy_action("d", "/to")};
  std::vector<Selection> selections{select(context(test.context_tree), actions[0])};
  selection_digest(selections[0], {}, 1);
  change();
  auto result =
      apply_file_actions(test.root.fd(), actions, selections, {.owners = owner_mode(), .threads = 2, .stop = {}});
  selection = std::move(selections[0]);  // what the result points to stays where it is
  return result;
}

}  // namespace

TEST_CASE("A file that changed since it was selected is copied as it is, and reported with its content") {
  Copying test;
  test.context_tree.file("d/f", "one").file("d/same", "x");
  Selection selection;
  const auto result =
      copy_after(test, [&] { test.context_tree.file("d/f", "other", 0600).time("d/same", 77); }, selection);
  CHECK(test.root.at("to/f").starts_with("file 0600"));
  CHECK(test.root.content("to/f") == "other");
  REQUIRE(result.read_anew.size() == 1);
  CHECK(result.read_anew[0].entry->path == "f");
  CHECK(result.read_anew[0].now->content == sha256("other"));
  CHECK_FALSE(result.files.contains("to/f"));
}

TEST_CASE("What is gone since it was selected is left out, what became a link is one") {
  Copying test;
  test.context_tree.file("d/f", "one").file("d/gone", "two").file("d/s/x", "three").file("d/now-a-directory", "four");
  Selection selection;
  const auto result = copy_after(
      test,
      [&] {
        for (const auto* name : {"d/f", "d/gone", "d/s/x", "d/now-a-directory"}) {
          ::unlink(test.context_tree.host_path(name).c_str());
        }
        ::rmdir(test.context_tree.host_path("d/s").c_str());
        test.context_tree.link("d/f", "/nowhere").directory("d/now-a-directory");
      },
      selection);
  CHECK(test.root.at("to/f") == "link /nowhere");
  CHECK(test.root.paths() == std::vector<std::string>{"to", "to/f", "to/s"});
  CHECK(result.read_anew.size() == 4);
  CHECK(list_of(result.paths) == std::vector<std::string>{"to", "to/f", "to/s"});
}

TEST_CASE("Names of one file stay together unless the first was replaced") {
  Copying test;
  test.context_tree.file("d/a", "old").hard_link("d/b", "d/a").hard_link("d/c", "d/a");
  Selection selection;
  const auto replaced = [&] {
    ::unlink(test.context_tree.host_path("d/a").c_str());
    test.context_tree.file("d/a", "new");
  };
  const auto result = copy_after(test, replaced, selection);
  CHECK(test.root.content("to/a") == "new");
  CHECK(test.root.content("to/b") == "old");
  CHECK(test.root.inode("to/b").inode == test.root.inode("to/c").inode);
  CHECK(test.root.inode("to/a").link_count == 1);
}

TEST_CASE("From a snapshot owners, pipes and capabilities are kept, other attributes are not") {
  NEEDS(::geteuid() == 0, "root");
  FileTree stage, root;
  const char capability[20] = {1, 0, 0, 2, 0, 4};
  stage.file("d/f").owner("d/f", 100, 200).directory("d/s", 02751).owner("d/s", 0, 300).owner("d", 9, 9);
  ::mkfifo(stage.host_path("d/pipe").c_str(), 0600);
  REQUIRE(::setxattr(stage.host_path("d/f").c_str(), "security.capability", capability, 20, 0) == 0);
  ::setxattr(stage.host_path("d/f").c_str(), "user.note", "x", 1, 0);
  graph::FileAction action = copy_action("/d", "/new");
  action.keep_owner = true;
  apply(root, snapshot(stage), action);
  CHECK(root.at("new") == "dir 0755 0:0");
  CHECK(root.at("new/f") == "file 0644 100:200 x");
  CHECK(root.at("new/s") == "dir 2751 0:300");
  CHECK(root.at("new/pipe").starts_with("fifo"));
  CHECK(root.inode("new/f").xattrs.size() == 1);
  CHECK(root.inode("new/f").xattrs.contains("security.capability"));
}

TEST_CASE("From a context capabilities are dropped") {
  NEEDS(::geteuid() == 0, "root");
  Copying test;
  const char capability[20] = {1, 0, 0, 2, 0, 4};
  test.context_tree.file("f");
  REQUIRE(::setxattr(test.context_tree.host_path("f").c_str(), "security.capability", capability, 20, 0) == 0);
  test.copy("f", "/");
  CHECK(test.root.inode("f").xattrs.empty());
}

TEST_CASE("Device nodes are copied, also where they are stand-ins") {
  FileTree stage, root;
  image::Inode node;
  node.type = image::FileType::character;
  node.mode = 0600;
  node.rdev_major = 1;
  node.rdev_minor = 3;
  image::make_special(stage.fd(), "null", node);
  image::apply_inode(stage.fd(), "null", node, owner_mode());
  apply(root, snapshot(stage), copy_action(".", "/dev2"));
  CHECK(root.at("dev2/null") == "char 0600 0:0 1:3");
}

TEST_CASE("A destination may exclude the making of its parent") {
  Copying test;
  test.context_tree.file("f");
  graph::FileAction action = copy_action("f", "/no/f");
  action.make_parents = false;
  CHECK(error_of([&] { test.copy(action); }) == "failed to stat /no/f: No such file or directory");
}

TEST_CASE("A stop request ends a copy") {
  Copying test;
  test.context_tree.file("f");
  std::stop_source stop;
  stop.request_stop();
  const std::vector<graph::FileAction> actions{copy_action("f", "/")};
  const std::vector<Selection> selections{select(context(test.context_tree), actions[0])};
  CHECK_THROWS_AS(apply_file_actions(test.root.fd(), actions, selections,
                                     {.owners = owner_mode(), .threads = 1, .stop = stop.get_token()}),
                  Cancelled);
}
