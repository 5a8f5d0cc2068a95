#include "oci/image_config.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::frontend {
namespace {

constexpr const char* k_full = R"({
  "architecture": "arm", "variant": "v7", "os": "linux", "os.version": "10", "os.features": ["f"],
  "created": "2020-01-01T00:00:00Z", "author": "me",
  "config": {
    "User": "app", "Env": ["B=2", "A=1"], "Entrypoint": ["/e"], "Cmd": null, "WorkingDir": "/w",
    "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/v": {}},
    "StopSignal": "SIGINT", "Shell": ["/bin/sh", "-ec"], "OnBuild": ["RUN x"], "ArgsEscaped": true,
    "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5000000000, "Retries": 3},
    "Hostname": "h", "StopTimeout": 9, "Image": null
  },
  "rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2"]},
  "history": [{"created_by": "a"}, {"created_by": "b", "empty_layer": true, "comment": "c"}],
  "docker_version": "x"
})";

std::string config_complaint(std::string_view json) {
  try {
    parse_image_config(json);
  } catch (const Error& error) {
    return error.message;
  }
  return "";
}

TEST_CASE("an image configuration is read whole") {
  const ImageConfig config = parse_image_config(k_full);
  CHECK(config.platform == platforms::Platform{"linux", "arm", "v7", "10"});
  CHECK(config.os_features == std::vector<std::string>{"f"});
  CHECK(config.env == std::vector<std::string>{"B=2", "A=1"});
  CHECK(config.entrypoint == std::vector<std::string>{"/e"});
  CHECK_FALSE(config.cmd);
  CHECK(config.exposed_ports == std::vector<std::string>{"53/udp", "80/tcp"});
  CHECK(config.health_check->interval_ns == 5'000'000'000);
  CHECK(config.health_check->retries == 3);
  CHECK(config.on_build == std::vector<std::string>{"RUN x"});
  CHECK(config.args_escaped);
  CHECK(config.diff_ids.size() == 2);
  CHECK(config.history.at(1).empty_layer);
}

TEST_CASE("members that mbuild does not know are kept") {
  const ImageConfig config = parse_image_config(k_full);
  CHECK(config.unknown == std::map<std::string, std::string>{{"Hostname", "\"h\""}, {"StopTimeout", "9"}});
  CHECK(serialise_image_config(config).find(R"("StopTimeout":9)") != std::string::npos);
}

TEST_CASE("serialising is a fixed point") {
  const std::string once = serialise_image_config(parse_image_config(k_full));
  CHECK(serialise_image_config(parse_image_config(once)) == once);
}

TEST_CASE("empty members are left out, diff_ids never") {
  ImageConfig config;
  config.platform = {"linux", "amd64", "", ""};
  config.cmd = std::vector<std::string>{};
  CHECK(serialise_image_config(config) ==
        R"({"architecture":"amd64","config":{},"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}})");
}

TEST_CASE("bytes that are no UTF-8 are replaced") {
  ImageConfig config;
  config.labels["k"] = "\xff";
  CHECK(serialise_image_config(config).find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("what is wrong with a configuration is named") {
  CHECK(config_complaint("{") == "invalid image configuration: it is not JSON");
  CHECK(config_complaint("[]") == "invalid image configuration: it is not a JSON object");
  CHECK(config_complaint(R"({"config": {"Env": "x"}})").find("\"Env\"") != std::string::npos);
  CHECK(config_complaint(R"({"config": {"Env": [1]}})").find("\"Env\"") != std::string::npos);
  CHECK(config_complaint(R"({"config": {"Labels": {"a": 1}}})").find("\"Labels\"") != std::string::npos);
  CHECK(config_complaint(R"({"config": []})").find("\"config\"") != std::string::npos);
  CHECK(config_complaint(R"({"history": [1]})").find("\"history\"") != std::string::npos);
  CHECK(config_complaint(R"({"rootfs": {"diff_ids": {}}})").find("\"diff_ids\"") != std::string::npos);
}

TEST_CASE("null stands for absent") {
  CHECK(config_complaint(R"({"config": null, "history": null, "rootfs": null})").empty());
}

}  // namespace
}  // namespace mbuild::frontend
