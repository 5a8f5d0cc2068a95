#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

graph::ExecOp run(const std::string& lines) { return exec(root_node(Build("FROM base\n" + lines).lower())); }

graph::Mount mount(const std::string& value, const std::string& before = "") {
  return run(before + "RUN --mount=" + value + " x\n").mounts.at(1);
}

TEST_CASE("the shell form goes to the shell, the exec form as it is") {
  CHECK(run("RUN echo  $x\n").argv == Strings{"/bin/sh", "-c", "echo  $x"});
  CHECK(run("SHELL [\"/bin/bash\", \"-ec\"]\nRUN x\n").argv == Strings{"/bin/bash", "-ec", "x"});
  CHECK(run("RUN [\"a\", \"b c\"]\n").argv == Strings{"a", "b c"});
}

TEST_CASE("a step has the state of its stage") {
  const auto exec = run("ENV e=1\nARG a=2\nARG none\nUSER u:g\nWORKDIR /w\nWORKDIR x\nRUN y\n");
  CHECK(exec.env == Strings{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "e=1", "a=2"});
  CHECK(exec.user == "u:g");
  CHECK(exec.cwd == "/w/x");
  CHECK(exec.mounts.at(0).target == "/");
  CHECK(exec.mounts.at(0).input == 0);
  CHECK(exec.mounts.at(0).output == 0U);
}

TEST_CASE("the platform of a step is its stage's") {
  Build build("FROM --platform=linux/arm64 base AS a\nRUN x\n");
  CHECK(root_node(build.lower()).platform == platforms::Platform{"linux", "arm64", "", ""});
}

TEST_CASE("on scratch the root has no input") {
  const auto lowered = Build("FROM scratch\nRUN [\"/x\"]\n").lower();
  CHECK(exec(root_node(lowered)).mounts.at(0).input == -1);
  CHECK(root_node(lowered).inputs.empty());
}

TEST_CASE("what the request says of every step") {
  Build build("FROM base\nRUN x\n");
  build.request.build_args["BUILDKIT_SANDBOX_HOSTNAME"] = "h";
  build.request.extra_hosts = {{"a", "1.2.3.4"}};
  build.request.ulimits = {{"nofile", 1, 2}};
  build.request.shm_size = 9;
  build.request.cgroup_parent = "cg";
  const auto lowered = build.lower();
  const auto& op = exec(root_node(lowered));
  CHECK(op.hostname == "h");
  CHECK(op.extra_hosts.size() == 1);
  CHECK(op.ulimits.at(0).hard == 2);
  CHECK(op.shm_size == 9);
  CHECK(op.cgroup_parent == "cg");
}

TEST_CASE("network and security need leave") {
  CHECK(run("RUN --network=none x\n").network == graph::NetworkMode::none);
  Build host("FROM base\nRUN --network=host x\n");
  CHECK_THAT(host.failure(), Contains("entitlement network.host is not allowed") && Contains(">>> RUN --network=host"));
  host.request.allow_network_host = true;
  CHECK(exec(root_node(host.lower())).network == graph::NetworkMode::host);
  Build insecure("FROM base\nRUN --security=insecure x\n");
  CHECK_THAT(insecure.failure(), Contains("entitlement security.insecure is not allowed"));
  Build global("FROM base\nRUN x\nRUN --network=default y\n");
  global.request.network = graph::NetworkMode::none;
  CHECK(exec(root_node(global.lower())).network == graph::NetworkMode::none);
}

TEST_CASE("history names arguments in the order of their declaration") {
  Build build("FROM base\nARG b=2 a=\"1 x\"\nARG un\nARG b=3\nRUN one \\\n  two\n");
  CHECK(history(build.lower()).back() == "RUN |3 b=3 a=1 x un= /bin/sh -c one   two # buildkit");
}

TEST_CASE("a heredoc body is the shell's command") {
  const auto lowered = Build("FROM base\nRUN <<EOF\na $b\nc\nEOF\n").lower();
  CHECK(exec(root_node(lowered)).argv == Strings{"/bin/sh", "-c", "a $b\nc\n"});
  CHECK(history(lowered) == Strings{"RUN /bin/sh -c a $b\nc\n # buildkit"});
  CHECK(name_of(lowered, root_node(lowered)) == "[2/2] RUN <<EOF (a $b...)");
}

TEST_CASE("a heredoc with #! is a file") {
  const auto lowered = Build("FROM base\nRUN <<-'E'\n\t#!/bin/awk -f\n\tx\nE\n").lower();
  const auto& node = root_node(lowered);
  CHECK(exec(node).argv == Strings{"/bin/sh", "-c", "/dev/pipes/E"});
  const graph::Mount& pipes = exec(node).mounts.at(1);
  CHECK(pipes.target == "/dev/pipes");
  CHECK(pipes.read_only);
  const auto& action = file(lowered.graph.nodes.at(node.inputs.at(1).node)).actions.at(0);
  CHECK(action.destination == "/E");
  CHECK(action.content == "#!/bin/awk -f\nx\n");
  CHECK(action.mode == "0755");
}

TEST_CASE("heredocs among other words are left to the shell") {
  CHECK(run("RUN cat <<A >x <<B\n1\nA\n2\nB\n").argv.back() == "cat <<A >x <<B\n1\nA\n2\nB");
  CHECK(run("RUN cat <<A\n#!x\nA\n").argv.back() == "cat <<A\n#!x\nA");
  CHECK(run("RUN cat <<-A\n\t1\n\tA\n").argv.back() == "cat <<-A\n\t1\nA");  // the shell strips the tabs
  CHECK(run("RUN <<\"A B\"\nx\nA B\n").argv.back() == "x\n");
}

TEST_CASE("step names keep the quotes of RUN and what they protect") {
  const auto lowered = Build("FROM base\nENV V=\"q r\"\nRUN echo \"$V\" '$V' \\$V ${U:-x}\n").lower();
  CHECK(name_of(lowered, root_node(lowered)) == "[2/2] RUN echo \"q r\" '$V' $V ${U:-x}");
}

TEST_CASE("bind mounts") {
  const auto context = mount("target=rel,source=./d", "WORKDIR /w\n");
  CHECK(context.kind == graph::MountKind::bind);
  CHECK(context.target == "/w/rel");
  CHECK(context.selector == "/d");
  CHECK(context.read_only);
  CHECK_FALSE(context.output);
  CHECK(mount("target=/x").selector.empty());
  CHECK_FALSE(mount("target=/x,rw").read_only);
  CHECK(mount("type=bind", "WORKDIR /w\n").target == "/w");
  CHECK_THAT(Build("FROM base\nRUN --mount=target=/ x\n").failure(), Contains("invalid mount target \"/\""));
}

TEST_CASE("mounts read stages and images") {
  Build build("FROM base AS s\nRUN one\nFROM base\nRUN --mount=from=S,target=/m --mount=from=base,target=/n x\n");
  const auto lowered = build.lower();
  const auto& node = root_node(lowered);
  const auto input = [&](std::size_t index) -> const graph::Node& {
    const auto number = static_cast<std::size_t>(exec(node).mounts.at(index).input);
    return lowered.graph.nodes.at(node.inputs.at(number).node);
  };
  CHECK(exec(input(1)).argv.back() == "one");
  CHECK(&input(2) == &input(0));
}

TEST_CASE("the order of mounts in the instruction does not matter") {
  const auto built = [](const std::string& mounts) {
    return Build("FROM base AS s\nRUN one\nFROM base\nRUN " + mounts + " x\n").lower();
  };
  const std::string inside = "--mount=from=s,target=/m/n", outside = "--mount=target=/m";
  const std::string secret = "--mount=type=secret,id=k,target=/a", cache = "--mount=type=cache,target=/c";
  const auto one = built(inside + " " + secret + " " + outside + " " + cache);
  const auto other = built(cache + " " + outside + " " + inside + " " + secret);
  Strings targets;
  for (const graph::Mount& mount : exec(root_node(one)).mounts) targets.push_back(mount.target);
  CHECK(targets == Strings{"/", "/c", "/m", "/m/n", "/a"});
  CHECK(one.graph.ids.at(one.images.at(0).root->node) == other.graph.ids.at(other.images.at(0).root->node));
}

TEST_CASE("a mount of a later stage") {
  Build build("FROM base AS a\nRUN --mount=from=b,target=/m x\nFROM base AS b\n");
  build.request.target = "a";
  CHECK_THAT(build.failure(),
             Contains("cannot mount from stage \"b\" to \"/m\", stage needs to be defined before current command"));
}

TEST_CASE("cache mounts") {
  CHECK(mount("type=cache,target=x/../y/", "WORKDIR /w\n").id == "y");
  CHECK(mount("type=cache,target=x", "WORKDIR /w\n").target == "/w/x");
  const auto cache = mount("type=cache,target=/x,id=$n,sharing=locked,uid=5,mode=0700", "ARG n=name\n");
  CHECK(cache.id == "name");
  CHECK(cache.sharing == graph::CacheSharing::locked);
  CHECK(cache.uid == 5U);
  CHECK(cache.mode == 0700U);
  CHECK(cache.input == -1);
  CHECK_FALSE(cache.read_only);
  CHECK_FALSE(mount("type=cache,target=/x,source=sub,uid=5").uid);
  Build build("FROM base\nRUN --mount=type=cache,target=/x,from=base,source=/d x\n");
  build.request.build_args["BUILDKIT_CACHE_MOUNT_NS"] = "ns";
  const auto lowered = build.lower();
  CHECK(exec(root_node(lowered)).mounts.at(1).id == "ns//x");
  CHECK(exec(root_node(lowered)).mounts.at(1).input == 0);
  CHECK(exec(root_node(lowered)).mounts.at(1).selector == "/d");
}

TEST_CASE("secret mounts") {
  const auto plain = mount("type=secret,id=a/b");
  CHECK(plain.target == "/run/secrets/b");
  CHECK(plain.id == "a/b");
  CHECK(plain.as_file);
  CHECK(mount("type=secret,target=/x/key").id == "key");
  const auto variable = mount("type=secret,id=s,env=TOKEN");
  CHECK(variable.env == "TOKEN");
  CHECK_FALSE(variable.as_file);
  const auto both = mount("type=secret,id=s,env=TOKEN,target=/f,required");
  CHECK(both.as_file);
  CHECK(both.required);
}

TEST_CASE("a secret variable is masked in the step's name") {
  const auto lowered = Build("FROM base\nENV T=shown\nRUN --mount=type=secret,id=s,env=T x $T $unset\n").lower();
  CHECK_THAT(name_of(lowered, root_node(lowered)), Contains("x **** $unset"));
}

TEST_CASE("ssh mounts") {
  const auto op = run("RUN --mount=type=ssh --mount=type=ssh,id=k,target=/s x\n");
  CHECK(op.mounts.at(1).id == "default");
  CHECK(op.mounts.at(1).target == "/run/buildkit/ssh_agent.0");
  CHECK(op.mounts.at(2).target == "/s");
  CHECK(op.env.back() == "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0");
  CHECK(run("ENV SSH_AUTH_SOCK=mine\nRUN --mount=type=ssh x\n").env.back() == "SSH_AUTH_SOCK=mine");
  CHECK_THAT(Build("FROM base\nRUN --mount=type=ssh,source=x y\n").failure(), Contains("ssh does not support source"));
}

TEST_CASE("tmpfs mounts") {
  const auto memory = mount("type=tmpfs,target=/t,size=8m");
  CHECK(memory.kind == graph::MountKind::tmpfs);
  CHECK(memory.size == 8U << 20);
  CHECK(memory.input == -1);
}

}  // namespace
}  // namespace mbuild::frontend::testing
