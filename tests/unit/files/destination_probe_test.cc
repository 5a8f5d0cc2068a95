#include "files/destination_probe.h"

#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

DestinationProbe probe(const FileTree& root, const FileTree& source, const graph::FileAction& action) {
  const std::vector<graph::FileAction> actions{action};
  const std::vector<Selection> selections{select(context(source), action)};
  return destination_probe(root.fd(), actions, selections, owner_mode());
}

// True when two roots, one as it is and one changed, give one probe for COPY d DESTINATION.
template <typename Change>
bool same_after(const std::string& destination, Change change) {
  FileTree source, before, after;
  source.file("d/f").file("d/s/g");
  for (FileTree* root : {&before, &after}) root->directory("t").directory("other");
  change(after);
  const auto action = copy_action("d", destination);
  return probe(before, source, action).digest == probe(after, source, action).digest;
}

}  // namespace

TEST_CASE("What a copy does not touch is not in the probe") {
  CHECK(same_after("/t", [](FileTree& root) { root.file("etc/x").file("t/elsewhere").file("other/f"); }));
  CHECK(same_after("/t", [](FileTree& root) { root.directory("t", 0700).time("t", 5); }));
  CHECK(same_after("/new", [](FileTree& root) { root.file("news"); }));
}

TEST_CASE("What stands where a copy writes is in the probe") {
  CHECK_FALSE(same_after("/t", [](FileTree& root) { root.directory("t/s"); }));
  CHECK_FALSE(same_after("/t", [](FileTree& root) { root.file("t/f"); }));
  CHECK_FALSE(same_after("/t", [](FileTree& root) { root.file("t/s/g"); }));
  CHECK_FALSE(same_after("/new", [](FileTree& root) { root.directory("new"); }));
  CHECK_FALSE(same_after("/a/b", [](FileTree& root) { root.directory("a"); }));
  CHECK_FALSE(same_after("/new", [](FileTree& root) { root.link("new", "other"); }));
}

TEST_CASE("Links that lead to one place make no difference") {
  FileTree source, a, b;
  source.file("f");
  a.directory("real").link("l", "/real");
  b.directory("real").link("l", "real");
  CHECK(probe(a, source, copy_action("f", "/l/")).digest == probe(b, source, copy_action("f", "/l/")).digest);
}

TEST_CASE("Ids of owners are in the probe, and handed out") {
  FileTree source, a, b, c;
  source.file("f");
  a.file("etc/passwd", "app:x:5:6::/:\n");
  b.file("etc/passwd", "other:x:1:1::/:\napp:x:5:6::/:\n");
  c.file("etc/passwd", "app:x:5:7::/:\n");
  graph::FileAction action = copy_action("f", "/");
  action.owner = "app";
  const auto found = probe(a, source, action);
  CHECK(found.owners.at(0) == Owner{5, 6});
  CHECK(found.digest == probe(b, source, action).digest);
  CHECK(found.digest != probe(c, source, action).digest);
}

TEST_CASE("A probe says when it does not tell all") {
  FileTree source, root;
  source.file("f");
  CHECK(probe(root, source, copy_action("f", "/")).complete);
  graph::FileAction remove;
  remove.kind = graph::FileActionKind::rm;
  remove.destination = "/x";
  const std::vector<graph::FileAction> actions{remove};
  CHECK_FALSE(destination_probe(root.fd(), actions, {}, owner_mode()).complete);
}

TEST_CASE("An owner that is not there fails in the probe as it would in the copy") {
  FileTree source, root;
  source.file("f");
  graph::FileAction action = copy_action("f", "/");
  action.owner = "ghost";
  CHECK_THROWS_AS(probe(root, source, action), Error);
}
