#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

ImageConfig config(const std::string& lines) { return Build("FROM base\n" + lines).lower().images.at(0).config; }
Strings entries(const std::string& lines) { return history(Build("FROM base\n" + lines).lower()); }
std::string failure(const std::string& line) { return Build("FROM base\n" + line + "\n").failure(); }

TEST_CASE("a base's configuration and history are inherited whole") {
  Build build("FROM base\nLABEL b=2\n");
  ImageConfig& base = build.images["docker.io/library/base:latest"];
  base.labels = {{"a", "1"}};
  base.user = "u";
  base.unknown = {{"StopTimeout", "9"}};
  base.volumes = {"/v"};
  base.health_check = HealthCheck{{"CMD", "x"}};
  const ImageConfig result = build.lower().images.at(0).config;
  CHECK(result.labels == std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}});
  CHECK(result.user == "u");
  CHECK(result.unknown.size() == 1);
  CHECK(result.volumes == Strings{"/v"});
  CHECK(result.health_check);
  CHECK(result.history.front().created_by == "base rootfs");
}

TEST_CASE("FROM scratch alone") {
  const auto lowered = Build("FROM scratch\n").lower();
  CHECK_FALSE(lowered.images.at(0).root);
  CHECK(lowered.graph.nodes.empty());
  CHECK(lowered.images.at(0).config.env.size() == 1);
  CHECK(lowered.images.at(0).config.working_dir == "/");
}

TEST_CASE("WORKDIR keeps an absolute path as it is written, what is made and run in is clean") {
  const auto lowered = Build("FROM base\nWORKDIR /a/../b/\n").lower();
  CHECK(history(lowered) == Strings{"WORKDIR /a/../b/"});
  CHECK(lowered.images.at(0).config.working_dir == "/a/../b/");
  CHECK(file(root_node(lowered)).actions.at(0).destination == "/b");
  const auto below = Build("FROM base\nWORKDIR /a/../b/\nRUN x\nWORKDIR ./c//d/\n").lower();
  CHECK(history(below).back() == "WORKDIR /b/c/d");
  CHECK(exec(*chain(below).at(2)).cwd == "/b");
}

TEST_CASE("an image without layers is an empty root") {
  Build build("FROM base\n");
  build.images["docker.io/library/base:latest"].diff_ids.clear();
  CHECK_FALSE(build.lower().images.at(0).root);
}

TEST_CASE("the image says the platform asked for") {
  Build build("FROM base\n");
  CHECK(build.platforms({"linux/arm/v7"}).lower().images.at(0).config.platform ==
        platforms::Platform{"linux", "arm", "v7", ""});
  Build foreign("FROM --platform=linux/arm64 base\n");
  CHECK(foreign.lower().images.at(0).config.platform.arch == "amd64");
  foreign.request.implicit_platform = true;
  CHECK(foreign.lower().images.at(0).config.platform.arch == "arm64");
  CHECK(foreign.lower().images.at(0).platform.arch == "arm64");
}

TEST_CASE("ENV sees the environment before its line and keeps places") {
  CHECK(config("ENV a=1 c=x\nENV a=2 b=$a\n").env ==
        Strings{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "a=2", "c=x", "b=1"});
  CHECK(entries("ENV a=\"x y\" b=z\n") == Strings{"*ENV a=x y b=z"});
}

TEST_CASE("LABEL expands keys, and those of the command line come last") {
  Build build("FROM base\nENV k=key\nLABEL $k=v l=file\n");
  build.request.labels = {{"l", "$cli"}};
  CHECK(build.lower().images.at(0).config.labels == std::map<std::string, std::string>{{"key", "v"}, {"l", "$cli"}});
}

TEST_CASE("WORKDIR makes a directory owned by USER, but for the root") {
  const auto lowered = Build("FROM base\nUSER u\nWORKDIR /a/b\nWORKDIR ../c\nWORKDIR /\n").lower();
  const auto& make = file(root_node(lowered)).actions.at(0);
  CHECK(make.kind == graph::FileActionKind::mkdir);
  CHECK(make.destination == "/a/c");
  CHECK(make.owner == "u");
  CHECK(make.mode == "0755");
  CHECK(make.make_parents);
  CHECK(history(lowered) == Strings{"*USER u", "WORKDIR /a/b", "WORKDIR /a/c", "*WORKDIR /"});
  CHECK(lowered.images.at(0).config.working_dir == "/");
}

TEST_CASE("CMD and ENTRYPOINT") {
  const auto both = config("CMD echo  \"x\"\nENTRYPOINT [\"e\"]\n");
  CHECK(both.cmd == Strings{"/bin/sh", "-c", "echo  \"x\""});
  CHECK(both.entrypoint == Strings{"e"});
  CHECK(both.args_escaped);
  CHECK_FALSE(config("ENTRYPOINT [\"e\"]\n").cmd);
  CHECK(config("ENTRYPOINT []\n").entrypoint == Strings{});
  CHECK(entries("CMD [\"a\", \"b\\n\"]\n") == Strings{"*CMD [\"a\" \"b\\n\"]"});
  CHECK(entries("SHELL [\"/s\", \"-c\"]\nENTRYPOINT e f\n") ==
        Strings{"*SHELL [/s -c]", "*ENTRYPOINT [\"/s\" \"-c\" \"e f\"]"});
}

TEST_CASE("HEALTHCHECK") {
  const auto check = config("HEALTHCHECK --interval=5s --retries=2 CMD test $x\n").health_check.value();
  CHECK(check.test == Strings{"CMD-SHELL", "test $x"});
  CHECK(check.interval_ns == 5'000'000'000);
  CHECK(config("HEALTHCHECK CMD [\"a\", \"b\"]\n").health_check->test == Strings{"CMD", "a", "b"});
  CHECK(entries("HEALTHCHECK NONE\n") ==
        Strings{"*HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"});
}

TEST_CASE("EXPOSE") {
  CHECK(config("EXPOSE 90/udp 80\nEXPOSE 8000-8002\nEXPOSE 127.0.0.1:81:70/TCP\n").exposed_ports ==
        Strings{"70/tcp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp", "90/udp"});
  CHECK(entries("EXPOSE 90/udp 80\n") == Strings{"*EXPOSE [80/tcp 90/udp]"});
  CHECK(entries("ENV p=\"1 2\"\nEXPOSE $p\n").back() == "*EXPOSE [1/tcp 2/tcp]");
  CHECK(config("EXPOSE 80${X:-90} ${A:-1000}-${B:-1002}/udp ${R:-53/udp} +70\n").exposed_ports ==
        config("EXPOSE 90 1002/udp 53/udp 70\n").exposed_ports);
  CHECK_THAT(failure("EXPOSE 80/foo"), Contains("invalid proto: foo"));
  CHECK_THAT(failure("EXPOSE 99999"), Contains("invalid containerPort: 99999"));
  CHECK_THAT(failure("EXPOSE 9-8"), Contains("invalid containerPort: 9-8"));
  CHECK_THAT(failure("EXPOSE /tcp"), Contains("no port specified"));
  CHECK_THAT(failure("EXPOSE x:80"), Contains("invalid hostPort: x"));
  CHECK_THAT(failure("EXPOSE 1.2.3:1:80"), Contains("invalid IP address: 1.2.3"));
  CHECK_THAT(failure("EXPOSE 1-2:1-3"), Contains("invalid ranges specified"));
  CHECK(failure("EXPOSE [::1]:1:80").empty());
}

TEST_CASE("VOLUME") {
  CHECK(config("ENV v=/b\nVOLUME /a $v\n").volumes == Strings{"/a", "/b"});
  CHECK(entries("VOLUME [\"/a b\", \"/c\"]\n") == Strings{"*VOLUME [/a b /c]"});
  CHECK_THAT(failure("VOLUME $none"), Contains("VOLUME specified can not be an empty string"));
}

TEST_CASE("STOPSIGNAL") {
  for (const char* signal : {"SIGTERM", "term", "SIGRTMIN+3", "RTMAX-14", "9", "37", "99999999999"}) {
    INFO(signal);
    CHECK(config(std::string("STOPSIGNAL ") + signal + "\n").stop_signal == signal);
  }
  for (const char* signal : {"SIGFOO", "0", "RTMIN+16", "RTMAX-15", "SIGSIGTERM", "EMT"}) {
    INFO(signal);
    CHECK_THAT(failure(std::string("STOPSIGNAL ") + signal), Contains(std::string("invalid signal: ") + signal));
  }
}

TEST_CASE("MAINTAINER and USER") {
  CHECK(config("MAINTAINER me <a@b>\n").author == "me <a@b>");
  CHECK(entries("ENV u=x\nUSER ${u}:y\n").back() == "*USER x:y");
}

TEST_CASE("sibling stages do not see each other's changes") {
  const auto lowered =
      Build("FROM base AS a\nLABEL l=a\nFROM a AS b\nLABEL b=1\nVOLUME /b\nRUN b\nFROM a\nCOPY --from=b / /\n").lower();
  CHECK(lowered.images.at(0).config.labels == std::map<std::string, std::string>{{"l", "a"}});
  CHECK(lowered.images.at(0).config.volumes.empty());
  CHECK(history(lowered) == Strings{"*LABEL l=a", "COPY / / # buildkit"});
}

TEST_CASE("layers and non-empty history entries are as many") {
  const auto lowered = Build("FROM base\nRUN x\nCOPY f /\nCOPY --link f /\nWORKDIR /w\nWORKDIR /\nENV a=b\n").lower();
  std::size_t layers = 0;
  for (const auto& entry : lowered.images.at(0).config.history) layers += entry.empty_layer ? 0 : 1;
  CHECK(layers == 5);
}

}  // namespace
}  // namespace mbuild::frontend::testing
