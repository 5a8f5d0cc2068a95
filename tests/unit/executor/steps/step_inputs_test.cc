#include "executor/steps/step_inputs.h"

#include "files/content_digest.h"

#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

graph::Node exec_node(const std::vector<std::string>& argv, const std::vector<std::string>& env = {}) {
  graph::ExecOp op;
  op.argv = argv;
  op.env = env;
  op.mounts = {{.target = "/", .input = 0, .output = 0}};
  graph::Node node;
  node.op = op;
  return node;
}

StepInputs inputs_of(const graph::Node& node) { return {.settings = settings_of(node), .parts = {}}; }

StepInputs files_of(const FileTree& tree) {
  Selection selection = select(context(tree), copy_action(".", "/"));
  const Digest digest = selection_digest(selection, {}, 1);
  return {
      .settings = {},
      .parts = {{.id = "copy 0", .name = ".", .whole = digest, .content = digest, .files = file_states(selection)}}};
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Settings that differ are named as the user wrote them, the text first") {
  const auto before = inputs_of(exec_node({"sh", "-c", "one"}, {"A=1", "B=1"}));
  CHECK(differences(before, before).empty());
  CHECK(differences(before, inputs_of(exec_node({"sh", "-c", "two"}, {"A=2", "C=1"}))) ==
        Texts{"its text changed", "variable A changed", "variable C is new", "variable B is gone"});
  auto host = exec_node({"sh", "-c", "one"}, {"A=1", "B=1"});
  std::get<graph::ExecOp>(host.op).network = graph::NetworkMode::host;
  std::get<graph::ExecOp>(host.op).user = "app";
  std::get<graph::ExecOp>(host.op).mounts.push_back({.kind = graph::MountKind::tmpfs, .target = "/t"});
  CHECK(differences(before, inputs_of(host)) == Texts{"--mount at /t is new", "--network is new", "USER is new"});
}

TEST_CASE("No value of a variable is kept") {
  CHECK(pack_inputs(inputs_of(exec_node({"sh"}, {"TOKEN=hunter2"}))).find("hunter2") == std::string::npos);
}

TEST_CASE("Files that differ are named with what differs, changes first, and counted where there are many") {
  FileTree tree;
  tree.file("a", "1").file("b", "1").file("d/c", "1").link("l", "a").file("z", "1");
  const auto before = files_of(tree);
  tree.time("a", 5);
  CHECK(differences(before, files_of(tree)).empty());
  tree.file("a", "2").file("b", "1", 0755).file("new", "1");
  CHECK(differences(before, files_of(tree)) == Texts{"a changed, b has mode 0755, had 0644, new is new"});
  CHECK(differences(files_of(tree), before) == Texts{"a changed, b has mode 0644, had 0755, new is gone"});
  for (const char* name : {"n1", "n2", "n3", "n4"}) tree.file(name);
  CHECK(differences(before, files_of(tree)) == Texts{"a changed, b has mode 0755, had 0644, n1 is new, and 4 more"});
}

TEST_CASE("An input counts as changed by what is read of it, where that is known") {
  const auto with = [](const Digest& whole, const Digest& content) {
    return StepInputs{
        .settings = {},
        .parts = {{.id = "mount /", .name = "base image x", .whole = whole, .content = content, .files = {}}}};
  };
  CHECK(differences(with("a", "1"), with("b", "1")).empty());
  CHECK(differences(with("a", "1"), with("b", "2")) == Texts{"base image x changed"});
  CHECK(differences(with("a", ""), with("b", "2")) == Texts{"base image x changed"});
  CHECK(differences(with("a", ""), with("a", "2")).empty());
  CHECK(differences({}, with("a", "")) == Texts{"base image x is new"});
}

TEST_CASE("Inputs survive the store, and bytes that are none are no inputs") {
  FileTree tree;
  tree.file("dir/one", "1").file("dir/other", "2", 0755).link("l", "dir");
  auto inputs = files_of(tree);
  inputs.settings = settings_of(exec_node({"x"}, {"A=b"}));
  const std::string bytes = pack_inputs(inputs);
  const auto back = unpack_inputs(bytes);
  CHECK(back.settings == inputs.settings);
  REQUIRE(back.parts.size() == 1);
  CHECK(back.parts[0].whole == inputs.parts[0].whole);
  REQUIRE(back.parts[0].files.size() == inputs.parts[0].files.size());
  CHECK(differences(back, inputs).empty());
  CHECK(back.parts[0].files[2].path == inputs.parts[0].files[2].path);
  CHECK(pack_inputs(back) == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(unpack_inputs(bytes.substr(0, size)).parts.empty());
  }
  CHECK(unpack_inputs(std::string(20, '\xff')).parts.empty());
}
