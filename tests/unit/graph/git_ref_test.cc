#include "graph/git_ref.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::frontend {
namespace {

std::string complaint(std::string_view text) {
  try {
    parse_git_ref(text);
  } catch (const Error& error) {
    return error.message;
  }
  return "";
}

TEST_CASE("what is a git address") {
  for (const char* text :
       {"https://h/a.git", "http://h/a.git#x", "git://h/a", "ssh://git@h/a", "git@h:a/b.git", "github.com/a/b"}) {
    INFO(text);
    CHECK(parse_git_ref(text));
  }
  for (const char* text : {"https://h/a", "./a.git", "../git@h:a", "a/b.git", "ftp://h/a.git", "host:path", "f@", ""}) {
    INFO(text);
    CHECK_FALSE(parse_git_ref(text));
  }
}

TEST_CASE("a fragment holds ref and directory") {
  const auto ref = parse_git_ref("https://h/a.git#v1:/sub/../dir/");
  CHECK(ref->remote == "https://h/a.git");
  CHECK(ref->ref == "v1");
  CHECK(ref->subdir == "dir");
}

TEST_CASE("a query says the same by name") {
  const auto ref = parse_git_ref("git@h:a.git?branch=main&subdir=x%2Fy&keep-git-dir&submodules=false&commit=abc");
  CHECK(ref->remote == "git@h:a.git");
  CHECK(ref->ref == "refs/heads/main");
  CHECK(ref->subdir == "x/y");
  CHECK(ref->keep_git_dir == true);
  CHECK(ref->submodules == false);
  CHECK(ref->checksum == "abc");
}

TEST_CASE("queries that contradict") {
  CHECK(complaint("https://h/a.git?ref=a#b").find("ref conflicts") == 0);
  CHECK(complaint("https://h/a.git?tag=a&branch=b") == "branch conflicts with tag");
  CHECK(complaint("https://h/a.git?ref=") == "query \"ref\" has no value");
  CHECK(complaint("https://h/a.git?nope=1") == "unexpected query \"nope\"");
  CHECK(complaint("https://h/a.git?ref=a&ref=b") == "query \"ref\" has multiple values");
  CHECK(complaint("https://h/a.git?submodules=maybe").find("invalid submodules value") == 0);
}

TEST_CASE("the source node of a git address") {
  const graph::SourceOp source = git_source(*parse_git_ref("https://h/a.git#v1:d"));
  CHECK(graph::identifier_of(source) == "git://h/a.git");
  CHECK(graph::source_attributes(source) ==
        graph::SourceAttributes{{"ref", "v1"}, {"remote", "https://h/a.git"}, {"subdir", "d"}});
}

}  // namespace
}  // namespace mbuild::frontend
