#include "graph/source.h"

#include "graph/graph.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::graph;

namespace {

std::string encoded(const SourceOp& source) { return canonical_parameters({.op = source}); }

const ImageSource k_image{.name = "h/a@sha256:9", .layers = {"sha256:1", "sha256:2"}};
const LocalSource k_local{.name = "context", .exclude = {"a", "!b"}};
const HttpSource k_http{.url = "https://h/f", .checksum = "sha256:1", .filename = "f", .mode = "644"};
const GitSource k_git{.place = "h/a.git",
                      .remote = "https://h/a.git",
                      .ref = "main",
                      .subdir = "d",
                      .checksum = "abc",
                      .mtime = "commit",
                      .keep_git_dir = true,
                      .submodules = false,
                      .fetch_by_commit = true};

}  // namespace

// Stores have keys that are made of these bytes.
TEST_CASE("the encoding of sources is what it was") {
  CHECK(encoded(k_image) == "4:kind6:source6:layers17:sha256:1,sha256:2");
  CHECK(encoded(k_local) == "4:kind6:source10:identifier15:local://context7:exclude4:a\n!b");
  CHECK(encoded(LocalSource{.name = "src", .exclude = {}}) == "4:kind6:source10:identifier11:local://src");
  CHECK(encoded(k_http) == "4:kind6:source10:identifier11:https://h/f8:checksum8:sha256:18:filename1:f4:mode3:644");
  CHECK(encoded(k_git) ==
        "4:kind6:source10:identifier13:git://h/a.git8:checksum3:abc15:fetch-by-commit4:true12:keep-git-dir4:true"
        "5:mtime6:commit3:ref4:main6:remote15:https://h/a.git6:subdir1:d10:submodules5:false");
  CHECK(encoded(GitSource{.place = "git@h:a.git", .remote = "git@h:a.git"}) ==
        "4:kind6:source10:identifier17:git://git@h:a.git6:remote11:git@h:a.git");
}

TEST_CASE("a source is had back from its words") {
  for (const SourceOp& source : {SourceOp(k_image), SourceOp(k_local), SourceOp(k_http), SourceOp(k_git)}) {
    const auto back = source_of(identifier_of(source), source_attributes(source));
    CHECK(back.index() == source.index());
    CHECK(identifier_of(back) == identifier_of(source));
    CHECK(source_attributes(back) == source_attributes(source));
  }
  CHECK_THROWS_WITH(source_of("ftp://h/f", {}), Catch::Contains("is no source"));
}

TEST_CASE("directories that are known by their place are one where place and ignore rules are equal") {
  const auto node = [](const std::string& name, const std::string& directory, std::vector<std::string> exclude = {}) {
    return Node{.op = LocalSource{.name = name, .exclude = std::move(exclude), .directory = directory}};
  };
  const auto id = [](const Node& of) { return step_id(of, {}); };
  CHECK(id(node("context", "/a")) == id(node("other", "/a")));
  CHECK(id(node("context", "/a")) != id(node("context", "/b")));
  CHECK(id(node("context", "/a")) != id(node("context", "/a", {"x"})));
  CHECK(id(node("context", "")) != id(node("other", "")));
  CHECK(canonical_parameters(node("context", "/a")) == canonical_parameters(node("context", "")));
}
