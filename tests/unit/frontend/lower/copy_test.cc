#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

std::vector<graph::FileAction> actions(const std::string& lines) {
  return file(root_node(Build("FROM base\n" + lines).lower())).actions;
}

TEST_CASE("a copy does not depend on the epoch") {
  const auto id = [](const std::string& epoch) {
    Build build("FROM base\nCOPY f <<E /d/\nx\nE\nADD g /\n");
    build.request.build_args["SOURCE_DATE_EPOCH"] = epoch;
    const auto lowered = build.lower();
    return lowered.graph.ids.at(lowered.images.at(0).root->node);
  };
  CHECK(id("5") == id("6"));
}

TEST_CASE("a copy from the context") {
  const auto copy = actions("COPY ./a/../f /d\n").at(0);
  CHECK(copy.kind == graph::FileActionKind::copy);
  CHECK(copy.input == 0);
  CHECK(copy.secondary == 1);
  CHECK(copy.output == 0U);
  CHECK(copy.source == "/f");
  CHECK(copy.destination == "/d");
  CHECK(copy.make_parents);
  CHECK(copy.allow_wildcard);
  CHECK_FALSE(copy.unpack);
  CHECK_FALSE(copy.keep_owner);
}

TEST_CASE("several sources are one node with a chain of actions") {
  const auto chained = actions("COPY a b c /d/\n");
  REQUIRE(chained.size() == 3);
  CHECK(chained.at(0).input == 0);
  CHECK(chained.at(1).input == 2);
  CHECK(chained.at(2).input == 3);
  CHECK_FALSE(chained.at(1).output);
  CHECK(chained.at(2).output == 0U);
}

TEST_CASE("file nodes carry no platform") { CHECK_FALSE(root_node(Build("FROM base\nCOPY f /\n").lower()).platform); }

TEST_CASE("destinations") {
  const auto destination = [](const std::string& word) {
    return actions("WORKDIR /w\nCOPY f " + word + "\n").at(0).destination;
  };
  CHECK(destination("x") == "/w/x");
  CHECK(destination("x/") == "/w/x/");
  CHECK(destination("x/.") == "/w/x/");
  CHECK(destination(".") == "/w/");
  CHECK(destination("./") == "/w/");
  CHECK(destination("..") == "/");
  CHECK(destination("../../../y") == "/y");
  CHECK(destination("/") == "/");
  CHECK(destination("\"\"") == "/w/");
}

TEST_CASE("sources can't leave their root") { CHECK(actions("COPY ../../f /\n").at(0).source == "/f"); }

TEST_CASE("flags of a copy") {
  const auto copy = actions("ARG o=7:8\nCOPY --chown=$o --chmod=u+x,go-w --exclude=*.o --exclude=!k f /\n").at(0);
  CHECK(copy.owner == "7:8");
  CHECK(copy.mode == "u+x,go-w");
  CHECK(copy.exclude == Strings{"*.o", "!k"});
}

TEST_CASE("modes that are none") {
  for (const char* mode : {"64a", "8", "17777", "u+y", "u", "u+x,,"}) {
    INFO(mode);
    CHECK_THAT(Build(std::string("FROM base\nCOPY --chmod=") + mode + " f /\n").failure(),
               Contains("invalid chmod parameter: '" + std::string(mode) + "'") && Contains("Dockerfile:2"));
  }
  for (const char* mode : {"0", "755", "04755", "7777", "a=rX", "+x", "u=g", "g-w+x"}) {
    INFO(mode);
    CHECK(Build(std::string("FROM base\nCOPY --chmod=") + mode + " f /\n").failure().empty());
  }
}

TEST_CASE("stages and images keep their owners") {
  const auto lowered = Build("FROM base AS a\nRUN x\nFROM base\nCOPY --from=a f /\nCOPY --from=base g /\n").lower();
  CHECK(file(*chain(lowered).at(1)).actions.at(0).keep_owner);
  CHECK(file(*chain(lowered).at(2)).actions.at(0).keep_owner);
}

TEST_CASE("a linked copy is a layer of its own") {
  const auto lowered = Build("FROM base\nCOPY --link f /\n").lower();
  const auto& merge = root_node(lowered);
  REQUIRE(std::holds_alternative<graph::MergeOp>(merge.op));
  REQUIRE(merge.inputs.size() == 2);
  CHECK(file(lowered.graph.nodes.at(merge.inputs.at(1).node)).actions.at(0).input == -1);
  CHECK(file(lowered.graph.nodes.at(merge.inputs.at(1).node)).actions.at(0).link);
  CHECK(name_of(lowered, merge) == "[2/2] LINK COPY --link f /");
  CHECK(history(lowered) == Strings{"COPY f / # buildkit"});
  CHECK_FALSE(actions("COPY --link --chmod=644 f /\n").at(0).link);
  CHECK(file(root_node(Build("FROM scratch\nCOPY --link f /\n").lower())).actions.at(0).link);
}

TEST_CASE("parents keep the path below the pivot") {
  CHECK(actions("COPY --parents a/../b/c /\n").at(0).source == "/b/c");
  CHECK(actions("COPY --parents ./a/./b//c /\n").at(0).source == "/a/./b/c");
  CHECK(actions("COPY --parents /./a /\n").at(0).source == "/./a");
  CHECK(actions("COPY --parents a /\n").at(0).parents);
}

TEST_CASE("a heredoc is a file that is copied") {
  const auto lowered = Build("FROM base\nENV v=1\nCOPY a <<E <<'Q' /d/\n$v \\$v \"q\"\nE\n$v\nQ\n").lower();
  const auto& node = root_node(lowered);
  const auto& copies = file(node).actions;
  REQUIRE(copies.size() == 3);
  CHECK(copies.at(1).source == "/E");
  CHECK(copies.at(1).destination == "/d/");
  const auto body = [&](std::size_t index) {
    const auto input = static_cast<std::size_t>(copies.at(index).secondary);
    return file(lowered.graph.nodes.at(node.inputs.at(input).node)).actions.at(0);
  };
  CHECK(body(1).content == "1 $v \"q\"\n");
  CHECK(body(1).mode == "0644");
  CHECK(body(2).content == "$v\n");
  CHECK(history(lowered).back() == "COPY a <<E <<Q /d/ # buildkit");
}

TEST_CASE("ADD unpacks local archives") {
  CHECK(actions("ADD a.tar /\n").at(0).unpack);
  CHECK_FALSE(actions("ADD --unpack=false a.tar /\n").at(0).unpack);
}

TEST_CASE("ADD of a URL") {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto lowered = Build("FROM base\nADD --checksum=" + digest + " --unpack https://h/p/f.txt?x=1#y /d/\n").lower();
  const auto& node = root_node(lowered);
  const auto& copy = file(node).actions.at(0);
  CHECK(copy.source == "/f.txt");
  CHECK(copy.unpack);
  CHECK_FALSE(copy.allow_wildcard);
  const auto& download = source(lowered.graph.nodes.at(node.inputs.at(1).node));
  CHECK(download.identifier == "https://h/p/f.txt?x=1#y");
  CHECK(download.attributes == std::map<std::string, std::string>{{"checksum", digest}, {"filename", "f.txt"}});
  CHECK(actions("ADD http://h /d\n").at(0).source == "/__unnamed__");
  CHECK_FALSE(actions("ADD http://h/a.tar /d\n").at(0).unpack);
}

TEST_CASE("ADD of a git repository") {
  const auto lowered = Build("FROM base\nADD --keep-git-dir=true git@h:a.git#v1 /d\n").lower();
  const auto& node = root_node(lowered);
  CHECK(file(node).actions.at(0).source == "/");
  CHECK(source(lowered.graph.nodes.at(node.inputs.at(1).node)).attributes.at("keep-git-dir") == "true");
}

TEST_CASE("what COPY and ADD refuse") {
  const auto failure = [](const std::string& line) { return Build("FROM base\n" + line + "\n").failure(); };
  CHECK_THAT(failure("COPY http://h/f /"), Contains("source can't be a URL for COPY"));
  CHECK_THAT(failure("COPY https://h/a.git /"), Contains("source can't be a git ref for COPY"));
  CHECK_THAT(failure("ADD --checksum=sha256:x f /"), Contains("checksum requires HTTP(S) or Git sources"));
  CHECK_THAT(failure("ADD --checksum=x http://h/a http://h/b /"),
             Contains("checksum can't be specified for multiple sources"));
  CHECK_THAT(failure("ADD --checksum=md5:0 http://h/a /"), Contains("unsupported digest algorithm"));
  CHECK_THAT(failure("ADD --checksum=sha256:0 http://h/a /"), Contains("invalid checksum digest length"));
  CHECK_THAT(failure("ADD --checksum=sha256:" + std::string(64, 'x') + " http://h/a /"),
             Contains("invalid checksum digest format"));
  CHECK_THAT(failure("ADD --keep-git-dir=false https://h/a.git?keep-git-dir /"),
             Contains("inconsistent keep-git-dir configuration"));
}

TEST_CASE("history of copies") {
  Build build("FROM base\nENV d=/x\nCOPY --link --exclude=a --chown=1:1 --parents f $d\nADD --chmod=644 f .\n");
  CHECK(history(build.lower()) ==
        Strings{"*ENV d=/x", "COPY --parents --chown=1:1 f /x # buildkit", "ADD --chmod=644 f . # buildkit"});
}

}  // namespace
}  // namespace mbuild::frontend::testing
