#include "graph/graph.h"

#include "graph/content_parameters.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::graph;

namespace {

Node image(const std::string& name, const std::string& layers = "sha256:a") {
  return {.op = SourceOp(ImageSource{.name = name, .layers = {layers}})};
}

ExecOp command(std::vector<std::string> argv = {"make"}) {
  ExecOp op;
  op.argv = std::move(argv);
  op.mounts = {Mount{.target = "/", .input = 0, .output = 0}};
  return op;
}

Node run(ExecOp op, NodeId base = 0) { return {.op = std::move(op), .inputs = {Ref{base, 0}}}; }

Node copy(FileAction action) { return {.op = FileOp{{std::move(action)}}, .inputs = {Ref{0, 0}, Ref{1, 0}}}; }

std::string parameters(ExecOp op) { return canonical_parameters(run(std::move(op))); }
Digest id_of(ExecOp op) { return step_id(run(std::move(op)), {"sha256:base"}); }

// The parameters of `make` after a change to them.
template <typename Change>
std::string changed(Change change) {
  ExecOp op = command();
  change(op);
  return parameters(op);
}

template <typename Change>
std::string changed_mount(Mount mount, Change change) {
  change(mount);
  ExecOp op = command();
  op.mounts.push_back(std::move(mount));
  return parameters(op);
}

}  // namespace

TEST_CASE("Equal nodes become one node that knows all who asked for it") {
  Graph graph;
  const auto base = graph.add(image("a"), {});
  const auto first = graph.add(run(command(), base), {.name = "[linux/amd64 1/1] RUN make"});
  const auto second = graph.add(run(command(), base), {.name = "[linux/arm64 1/1] RUN make"});
  CHECK(first == second);
  CHECK(graph.nodes.size() == 2);
  REQUIRE(graph.info[first].size() == 2);
  CHECK(graph.info[first][1].name == "[linux/arm64 1/1] RUN make");
}

TEST_CASE("What is said of a node is said for a target, where that asked for it") {
  Graph graph;
  const auto base = graph.add(image("a"), {.name = "of the first", .target = 0});
  graph.add(image("a"), {.name = "of the third", .target = 2});
  CHECK(info_for(graph, base, 2).name == "of the third");
  CHECK(info_for(graph, base, 1).name == "of the first");
}

TEST_CASE("A secret that is one target's own is in the key") {
  const Mount secret{.kind = MountKind::secret, .target = "/s", .id = "word"};
  const auto plain = changed_mount(secret, [](Mount&) {});
  CHECK(plain.find("lender") == std::string::npos);
  CHECK(plain != changed_mount(secret, [](Mount& mount) { mount.lender = "app"; }));
}

TEST_CASE("Nodes with other parameters or other inputs stay apart") {
  Graph graph;
  const auto a = graph.add(image("a", "sha256:a"), {}), b = graph.add(image("b", "sha256:b"), {});
  const auto on_a = graph.add(run(command(), a), {});
  CHECK(graph.add(run(command(), b), {}) != on_a);
  CHECK(graph.add(run(command({"make", "all"}), a), {}) != on_a);
}

TEST_CASE("Another output of the same input is another input") {
  Node first = run(command()), second = run(command());
  second.inputs[0].output = 1;
  CHECK(step_id(first, {"sha256:base"}) != step_id(second, {"sha256:base"}));
}

TEST_CASE("A graph's ids are the step ids of its nodes") {
  Graph graph;
  const auto base = graph.add(image("a"), {});
  const auto step = graph.add(run(command(), base), {});
  CHECK(graph.ids[base] == step_id(graph.nodes[base], {}));
  CHECK(graph.ids[step] == step_id(graph.nodes[step], {graph.ids[base]}));
  CHECK(graph.by_id.at(graph.ids[step]) == step);
}

TEST_CASE("A step that ignores the cache is not merged with one that may be cached") {
  Graph graph;
  const auto base = graph.add(image("a"), {});
  const auto cached = graph.add(run(command(), base), {});
  const auto fresh = graph.add(run(command(), base), {.ignore_cache = true});
  CHECK(fresh != cached);
  CHECK(graph.add(run(command(), base), {.ignore_cache = true}) == fresh);
  CHECK(graph.add(run(command(), base), {}) == cached);
}

TEST_CASE("What stands on a step that ignores the cache is not merged with what stands on the other") {
  Graph graph;
  const auto base = graph.add(image("a"), {});
  const auto cached = graph.add(run(command(), base), {});
  const auto fresh = graph.add(run(command(), base), {.ignore_cache = true});
  CHECK(graph.add(run(command({"test"}), cached), {}) != graph.add(run(command({"test"}), fresh), {}));
}

TEST_CASE("An image is its layers, whatever its name") {
  CHECK(canonical_parameters(image("a")) == canonical_parameters(image("b")));
  CHECK(canonical_parameters(image("a", "sha256:1")) != canonical_parameters(image("a", "sha256:2")));
}

TEST_CASE("Other sources are their identifier and all attributes") {
  const auto git = [](const std::string& place, const std::string& ref) {
    return canonical_parameters({.op = SourceOp(GitSource{.place = place, .remote = "https://" + place, .ref = ref})});
  };
  CHECK(git("a", "main") == git("a", "main"));
  CHECK(git("a", "main") != git("b", "main"));
  CHECK(git("a", "main") != git("a", "next"));
}

TEST_CASE("Only an image is an image source") {
  CHECK(is_image_source(image("a")));
  CHECK_FALSE(is_image_source({.op = SourceOp(LocalSource{.name = "context", .exclude = {}})}));
  CHECK_FALSE(is_image_source(run(command())));
}

TEST_CASE("A platform is part of the node that has one") {
  Node none = run(command()), amd64 = none, arm64 = none;
  amd64.platform = platforms::parse_platform("linux/amd64");
  arm64.platform = platforms::parse_platform("linux/arm64");
  CHECK(canonical_parameters(amd64) != canonical_parameters(arm64));
  CHECK(canonical_parameters(amd64) != canonical_parameters(none));
}

TEST_CASE("The encoding tells words apart that are cut elsewhere") {
  CHECK(parameters(command({"a", "b"})) != parameters(command({"a b"})));
  CHECK(parameters(command({"ab", "c"})) != parameters(command({"a", "bc"})));
  CHECK(parameters(command({"a", ""})) != parameters(command({"a"})));
}

TEST_CASE("The encoding tells an argument from a variable") {
  ExecOp as_argument = command({"a", "b"}), as_variable = command({"a"});
  as_variable.env = {"b"};
  CHECK(parameters(as_argument) != parameters(as_variable));
}

TEST_CASE("All that a command sees is in its key") {
  const auto plain = parameters(command());
  CHECK(changed([](ExecOp& op) { op.env = {"A=1"}; }) != plain);
  CHECK(changed([](ExecOp& op) { op.cwd = "/src"; }) != plain);
  CHECK(changed([](ExecOp& op) { op.user = "app"; }) != plain);
  CHECK(changed([](ExecOp& op) { op.network = NetworkMode::none; }) != plain);
  CHECK(changed([](ExecOp& op) { op.security = SecurityMode::insecure; }) != plain);
  CHECK(changed([](ExecOp& op) { op.hostname = "box"; }) != plain);
  CHECK(changed([](ExecOp& op) { op.ulimits = {{"nofile", 1, 2}}; }) != plain);
  CHECK(changed([](ExecOp& op) { op.shm_size = 1; }) != plain);
  CHECK(changed([](ExecOp& op) { op.devices = {"kvm"}; }) != plain);
  CHECK(changed([](ExecOp& op) { op.mounts[0].read_only = true; }) != plain);
}

TEST_CASE("Proxy settings are not in a key") {
  CHECK(changed([](ExecOp& op) { op.proxy_env = {"HTTP_PROXY=http://x"}; }) == parameters(command()));
}

TEST_CASE("The name of an extra host is in the key, its address is not") {
  const auto with = [](const char* name, const char* address) {
    return changed([&](ExecOp& op) { op.extra_hosts = {{name, address}}; });
  };
  CHECK(with("db", "10.0.0.1") == with("db", "10.0.0.2"));
  CHECK(with("db", "10.0.0.1") != with("web", "10.0.0.1"));
  CHECK(with("db", "10.0.0.1") != parameters(command()));
}

TEST_CASE("The id of a cache mount is not in the key, its place is") {
  const Mount mount{.kind = MountKind::cache, .target = "/cache", .id = "one"};
  const auto plain = changed_mount(mount, [](Mount&) {});
  CHECK(changed_mount(mount, [](Mount& m) { m.id = "two"; }) == plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.sharing = CacheSharing::locked; }) == plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.target = "/other"; }) != plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.mode = 0700; }) != plain);
}

TEST_CASE("The id of a secret and how it is shown are in the key") {
  const Mount mount{.kind = MountKind::secret, .target = "/run/secrets/a", .id = "a"};
  const auto plain = changed_mount(mount, [](Mount&) {});
  CHECK(changed_mount(mount, [](Mount& m) { m.id = "b"; }) != plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.env = "TOKEN"; }) != plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.as_file = false; }) != plain);
}

TEST_CASE("What a bind mount shows is in the key") {
  const Mount mount{.target = "/mnt", .input = 0};
  const auto plain = changed_mount(mount, [](Mount&) {});
  CHECK(changed_mount(mount, [](Mount& m) { m.selector = "sub"; }) != plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.input = 1; }) != plain);
  CHECK(changed_mount(mount, [](Mount& m) { m.input = -1; }) != plain);
}

TEST_CASE("Step ids tell cache ids and their sharing apart") {
  ExecOp op = command();
  op.mounts.push_back({.kind = MountKind::cache, .target = "/cache", .id = "one"});
  const auto one = id_of(op);
  op.mounts[1].id = "two";
  CHECK(id_of(op) != one);
  op.mounts[1].id = "one";
  CHECK(id_of(op) == one);
  op.mounts[1].sharing = CacheSharing::locked;
  CHECK(id_of(op) != one);
}

TEST_CASE("What is keyed by content has no place in the content parameters") {
  const auto bound = [](const std::string& selector, std::optional<std::uint32_t> output) {
    ExecOp op = command();
    op.mounts.push_back({.target = "/in", .input = 0, .selector = selector, .output = output});
    return content_parameters(run(op));
  };
  CHECK(bound("/a", std::nullopt) == bound("/b/c", std::nullopt));
  CHECK(bound("/a", 1) != bound("/b", 1));
  const auto copied = [](const std::string& source, bool parents) {
    return content_parameters(copy({.input = 0, .secondary = 1, .source = source, .parents = parents}));
  };
  CHECK(copied("/a/f", false) == copied("/b/f", false));
  CHECK(copied("/a/f", false) != copied("/a/g", false));
  CHECK(copied("/a/f", true) != copied("/b/f", true));
}

TEST_CASE("The id of a cache mount is in the key only when it is the default one") {
  const auto cache = [](const std::string& id, CacheSharing sharing = CacheSharing::shared) {
    return changed_mount({.kind = MountKind::cache, .target = "/c", .id = id, .sharing = sharing}, [](Mount&) {});
  };
  CHECK(cache("a") == cache("b"));
  CHECK(cache("a") == cache("b", CacheSharing::locked));
  CHECK(cache("/c") != cache("b"));
  CHECK(cache("/c") != cache("space//c"));
  CHECK(cache("/c", CacheSharing::locked) == cache("b"));
}

TEST_CASE("Every property of a copy is in its key") {
  const FileAction action{.input = 0, .secondary = 1, .output = 0, .source = "a", .destination = "/b"};
  const auto plain = canonical_parameters(copy(action));
  const auto with = [&](auto change) {
    FileAction other = action;
    change(other);
    return canonical_parameters(copy(other));
  };
  CHECK(with([](FileAction&) {}) == plain);
  CHECK(with([](FileAction& a) { a.source = "c"; }) != plain);
  CHECK(with([](FileAction& a) { a.destination = "/b/"; }) != plain);
  CHECK(with([](FileAction& a) { a.owner = "1:1"; }) != plain);
  CHECK(with([](FileAction& a) { a.mode = "0700"; }) != plain);
  CHECK(with([](FileAction& a) { a.unpack = true; }) != plain);
  CHECK(with([](FileAction& a) { a.follow_symlink = false; }) != plain);
  CHECK(with([](FileAction& a) { a.contents_only = false; }) != plain);
  CHECK(with([](FileAction& a) { a.keep_owner = true; }) != plain);
  CHECK(with([](FileAction& a) { a.parents = true; }) != plain);
  CHECK(with([](FileAction& a) { a.exclude = {"*.o"}; }) != plain);
  CHECK(with([](FileAction& a) { a.timestamp = 0; }) != plain);
  CHECK(with([](FileAction& a) { a.link = true; }) != plain);
  CHECK(with([](FileAction& a) { a.kind = FileActionKind::symlink; }) != plain);
}

TEST_CASE("Two actions are not one with the fields of both") {
  const FileAction first{.kind = FileActionKind::mkdir, .input = 0, .destination = "/a"},
      second{.kind = FileActionKind::mkdir, .input = 0, .destination = "/b"};
  const auto of = [](std::vector<FileAction> actions) {
    return canonical_parameters({.op = FileOp{std::move(actions)}, .inputs = {Ref{0, 0}}});
  };
  CHECK(of({first, second}) != of({second, first}));
  CHECK(of({first, second}) != of({first}));
}

TEST_CASE("Merge and diff of the same inputs differ") {
  CHECK(canonical_parameters({.op = MergeOp{}}) != canonical_parameters({.op = DiffOp{}}));
}

TEST_CASE("Names, lines and descriptions do not part equal nodes") {
  Graph graph;
  const auto a = graph.add(image("a"), {.name = "one", .file = "Dockerfile", .first_line = 1, .description = "x"});
  CHECK(graph.add(image("a"), {.name = "two", .file = "Other", .first_line = 9, .stage = "s"}) == a);
}
