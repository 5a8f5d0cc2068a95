#include "containers/process.h"

#include <sys/capability.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "base/error.h"
#include "containers/volumes.h"
#include "tests/catch.h"

namespace mbuild::containers {
namespace {

using Words = std::vector<std::string>;

frontend::ImageConfig image() {
  frontend::ImageConfig out;
  out.entrypoint = Words{"/entry", "-x"};
  out.cmd = Words{"command"};
  out.env = {"A=1", "PATH=/bin"};
  out.user = "app";
  out.working_dir = "/work";
  return out;
}

Options options(Words arguments = {}) {
  Options out;
  out.image = "app";
  out.arguments = std::move(arguments);
  return out;
}

}  // namespace

TEST_CASE("arguments stand in the place of the image's command, an entry point in that of both", "[containers]") {
  CHECK(process_of(image(), options()).argv == Words{"/entry", "-x", "command"});
  CHECK(process_of(image(), options({"a", "b"})).argv == Words{"/entry", "-x", "a", "b"});
  auto other = options();
  other.entrypoint = "/other";
  CHECK(process_of(image(), other).argv == Words{"/other"});
  other.arguments = {"a"};
  CHECK(process_of(image(), other).argv == Words{"/other", "a"});
  other.entrypoint = "";
  CHECK(process_of(image(), other).argv == Words{"a"});
  other.arguments.clear();
  CHECK_THROWS_AS(process_of(image(), other), Error);
}

TEST_CASE("a container has the image's user, directory and variables, and those of the user before them",
          "[containers]") {
  auto asked = options();
  asked.env = {"A=2", "PATH", "B="};
  asked.hostname = "host";
  const auto process = process_of(image(), asked);
  CHECK(process.env == Words{"HOSTNAME=host", "A=2", "B="});
  CHECK(process.user == "app");
  CHECK(process.cwd == "/work");
  asked.user = "0";
  asked.working_directory = "/a/../b";
  CHECK(process_of(image(), asked).user == "0");
  CHECK(process_of(image(), asked).cwd == "/b");
  asked.working_directory = "b";
  CHECK_THROWS_AS(process_of(image(), asked), Error);
}

TEST_CASE("capabilities are the usual ones, more or less", "[containers]") {
  const auto has = [](const std::vector<int>& held, int one) { return std::ranges::find(held, one) != held.end(); };
  CHECK(has(capabilities_of({}, {}), CAP_NET_RAW));
  CHECK(!has(capabilities_of({}, {}), CAP_SYS_ADMIN));
  CHECK(!has(capabilities_of({}, {"NET_RAW"}), CAP_NET_RAW));
  CHECK(capabilities_of({"cap_sys_nice"}, {"all"}) == std::vector<int>{CAP_SYS_NICE});
  CHECK(has(capabilities_of({"ALL"}, {"CHOWN"}), CAP_SYS_ADMIN));
  CHECK(!has(capabilities_of({"ALL"}, {"CHOWN"}), CAP_CHOWN));
  CHECK_THROWS_AS(capabilities_of({"FLY"}, {}), Error);
}

TEST_CASE("signals have names and numbers", "[containers]") {
  CHECK(signal_number("TERM") == SIGTERM);
  CHECK(signal_number("sigkill") == SIGKILL);
  CHECK(signal_number("15") == SIGTERM);
  CHECK_THROWS_AS(signal_number("0"), Error);
  CHECK_THROWS_AS(signal_number("SIGNONE"), Error);
}

TEST_CASE("a VOLUME of the image is one of a new name, where the user has nothing else", "[containers]") {
  auto config = image();
  config.volumes = {"/a/", "/b", "/c", "/"};
  auto asked = options();
  asked.binds = {{.source = "/host", .target = "/b"}};
  asked.memory = {{.target = "/c"}};
  const auto volumes = volumes_of(config, asked);
  REQUIRE(volumes.size() == 1);
  CHECK(volumes[0].target == "/a");
  CHECK(volumes[0].anonymous);
  CHECK(is_anonymous_volume(volumes[0].volume));
  CHECK(volumes_of(config, asked)[0].volume != volumes[0].volume);
}

TEST_CASE("labels, exposed ports and the stop signal of the user are before the image's", "[containers]") {
  auto config = image();
  config.labels = {{"a", "1"}, {"b", "1"}};
  config.exposed_ports = {"80/tcp"};
  config.stop_signal = "INT";
  auto asked = options();
  asked.labels = {{"b", "2"}, {"c", "3"}};
  asked.exposed = {"53/udp", "80/tcp"};
  CHECK(config_of(config, asked).stop_signal == "INT");
  asked.ending.signal = "QUIT";
  const auto out = config_of(config, asked);
  CHECK(out.labels == std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  CHECK(out.exposed_ports == Words{"53/udp", "80/tcp"});
  CHECK(out.stop_signal == "QUIT");
}

}  // namespace mbuild::containers
