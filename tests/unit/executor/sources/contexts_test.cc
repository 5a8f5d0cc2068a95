#include "executor/sources/contexts.h"

#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using mbuild::testing::TemporaryDirectory;

namespace {

struct Place {
  TemporaryDirectory directory;
  cache::Store store{directory / "store", "map"};
  FileTree tree;
};

graph::LocalSource context_source(const std::string& exclude = {}) {
  graph::LocalSource source{.name = "context", .exclude = {}};
  if (!exclude.empty()) source.exclude = {exclude};
  return source;
}

Digest selected(Place& place, const std::string& path, const std::string& exclude = {}) {
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("."));
  return contexts.select(context_source(exclude), copy_action(path, "/d/"))->digest;
}

Digest shown(Place& place, const std::string& selector, const std::string& exclude = {}) {
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("."));
  return contexts.shown(context_source(exclude), selector)->digest;
}

cache::FileStamp stamp_of(const FileTree& tree, const std::string& path) {
  struct stat status = {};
  ::stat(tree.host_path(path).c_str(), &status);
  const StatKey key = stat_key(status);
  return {key.dev, key.ino, key.size, key.mtime_ns, key.ctime_ns};
}

}  // namespace

TEST_CASE("A context that is no directory is a usage error that names it") {
  Place place;
  place.tree.file("f");
  Contexts contexts(place.store, {});
  CHECK(error_of([&] { contexts.add("context", place.tree.host_path("f")); }).find(place.tree.host_path("f")) !=
        std::string::npos);
  CHECK(error_of([&] { contexts.add("context", "/nonexistent"); }).find("/nonexistent") != std::string::npos);
}

TEST_CASE("A context that nothing names need not exist") {
  Place place;
  Contexts contexts(place.store, {});
  contexts.add_when_used("other", "/nonexistent");
  CHECK(error_of([&] { contexts.read_file("other", "f"); }).find("/nonexistent") != std::string::npos);
}

TEST_CASE("A file at the root of a context is read when it is there") {
  Place place;
  place.tree.file(".dockerignore", "*.o\n").directory("d");
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("."));
  CHECK(contexts.read_file("context", ".dockerignore") == "*.o\n");
  CHECK_FALSE(contexts.read_file("context", "Dockerfile"));
  CHECK_FALSE(contexts.read_file("no-such-context", ".dockerignore"));
}

TEST_CASE("A selection names what is copied, and its digest follows the content") {
  Place place;
  place.tree.file("d/a", "one").file("d/b", "two").file("other", "x");
  const auto before = selected(place, "d");
  CHECK(selected(place, "d") == before);
  place.tree.file("other", "changed");
  CHECK(selected(place, "d") == before);
  place.tree.file("d/a", "changed");
  CHECK(selected(place, "d") != before);
}

TEST_CASE("Files that .dockerignore excludes are not selected") {
  Place place;
  place.tree.file("d/a", "one");
  const auto without = selected(place, "d");
  place.tree.file("d/a.o", "object");
  CHECK(selected(place, "d") != without);
  CHECK(selected(place, "d", "**/*.o") == without);
}

TEST_CASE("A bind mount shows the same files as its digest says") {
  Place place;
  place.tree.file("d/a", "one");
  const auto without = shown(place, "d");
  place.tree.file("d/a.o", "object").file("other", "x");
  CHECK(shown(place, "d") != without);
  CHECK(shown(place, "d", "**/*.o") == without);
}

TEST_CASE("A source that is not in the context fails and names it") {
  Place place;
  CHECK(error_of([&] { selected(place, "missing"); }).find("missing") != std::string::npos);
}

TEST_CASE("Equal questions are answered once") {
  Place place;
  place.tree.file("a", "one").file("b", "two");
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("."));
  graph::FileAction action = copy_action("a", "/d/"), elsewhere = action;
  elsewhere.input = 7;
  elsewhere.output = 3;
  const auto first = contexts.select(context_source(), action);
  CHECK(contexts.select(context_source(), elsewhere) == first);
  CHECK(contexts.select(context_source(), copy_action("b", "/d/")) != first);
  CHECK(contexts.select(context_source("*.o"), action) != first);
}

TEST_CASE("A question that failed can be asked again") {
  Place place;
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("."));
  CHECK_FALSE(error_of([&] { contexts.select(context_source(), copy_action("late", "/d/")); }).empty());
  place.tree.file("late", "here now");
  CHECK(contexts.select(context_source(), copy_action("late", "/d/"))->selection.sources.size() == 1);
}

TEST_CASE("The content of a file that the store knows is not read again") {
  Place place, other;
  place.tree.file("a", "one");
  other.tree.file("a", "one");
  place.store.add_file_digests({{stamp_of(place.tree, "a"), sha256("what the store says")}});
  CHECK(selected(place, "a") != selected(other, "a"));
}

TEST_CASE("A context keeps its directory although another takes its place") {
  Place place;
  place.tree.file("context/f", "old").file("next/f", "new");
  Contexts contexts(place.store, {});
  contexts.add("context", place.tree.host_path("context"));
  REQUIRE(::rename(place.tree.host_path("context").c_str(), place.tree.host_path("aside").c_str()) == 0);
  REQUIRE(::rename(place.tree.host_path("next").c_str(), place.tree.host_path("context").c_str()) == 0);
  CHECK(contexts.read_file("context", "f") == "old");
}
