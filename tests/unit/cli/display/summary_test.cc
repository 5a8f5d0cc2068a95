#include "cli/display/summary.h"

#include "cli/build_flags.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::cli;
using std::chrono::seconds;

namespace {

const std::string k_digest = "sha256:" + std::string(64, 'a');

executor::BuildRequest request_with(std::initializer_list<const char*> outputs) {
  executor::BuildRequest request;
  request.context = ".";
  for (const auto* output : outputs) request.outputs.push_back(parse_output(output));
  return request;
}

executor::BuildResult result_for(std::initializer_list<const char*> names) {
  executor::BuildResult result;
  result.steps_run = 1;
  result.steps_cached = 2;
  result.descriptor.digest = k_digest;
  for (const auto* name : names) result.names.emplace_back(name);
  for (const auto* platform : {"linux/amd64", "linux/arm64"}) {
    result.images.push_back({platforms::parse_platform(platform), k_digest, k_digest, 12'300'000});
  }
  return result;
}

}  // namespace

TEST_CASE("A summary says what was made, where it went, what it took and what to do with it") {
  const auto request = request_with({"type=registry"});
  const auto result = result_for({"docker.io/library/app:1"});
  const Totals totals{
      .emulated_steps = 2, .emulated = seconds(3), .all_steps = seconds(4), .pulled = 1000, .pushed = 2000};
  CHECK(success_text({{{request, result}}, totals, seconds(65)}) ==
        "\n Built app:1 for linux/amd64, linux/arm64 in 1m 05s\n"
        "   linux/amd64   12.3MB  sha256:aaaaaaaaaaaa\n"
        "   linux/arm64   12.3MB  sha256:aaaaaaaaaaaa\n"
        "   " +
            k_digest +
            "\n"
            "   pushed as app:1\n"
            " 1 step run, 2 cached; 2 emulated, 3.0s of 4.0s; 1kB pulled; 2kB pushed\n"
            " Next: mbuild imagetools inspect app:1\n");
}

TEST_CASE("Each output is told, and the first that can be looked at has the command") {
  auto request = request_with({"type=cacheonly", "my dir", "type=oci,dest=o.tar"});
  request.cache_to.push_back(parse_cache("type=local,dest=cache", executor::CacheUse::write));
  executor::BuildResult result;
  CHECK(success_text({{{request, result}}, {}, seconds(1)}) ==
        "\n Built in 1.0s\n   files written to my dir\n   image written to o.tar\n   cache: cache\n"
        " 0 steps run, 0 cached\n Next: ls 'my dir'\n");
}

TEST_CASE("An image that is kept can be run, where need be emulated") {
  const auto request = request_with({"type=image"});
  auto result = result_for({"docker.io/library/app:1"});
  const auto ends_with = [&](const std::string& line) {
    return success_text({{{request, result}}, {}, seconds(1)}).ends_with(line);
  };
  CHECK(ends_with(" Next: mbuild run --rm app:1\n"));
  result.images = {{platforms::parse_platform("linux/s390x"), k_digest, k_digest, 1}};
  CHECK(ends_with(" Next: mbuild run --rm --platform linux/s390x app:1\n"));
}

TEST_CASE("Several targets are told one by one, and what they took together") {
  auto one = request_with({"type=image"}), two = request_with({"type=cacheonly"});
  two.name = "two";
  const auto first = result_for({"docker.io/library/app:1"});
  executor::BuildResult second;
  second.steps_run = 3;
  second.emulation = {.steps = 1, .programs = 20, .native = 15, .milliseconds = 1};
  const Totals totals{.emulated_steps = 1, .emulated = seconds(3), .all_steps = seconds(4)};
  const auto text = success_text({{{one, first}, {two, second}}, totals, seconds(5)});
  CHECK(text.find(" Built app:1 for linux/amd64, linux/arm64\n") != std::string::npos);
  CHECK(text.ends_with(
      " Built two\n 2 targets in 5.0s\n"
      " 4 steps run, 2 cached; 1 emulated, 3.0s of 4.0s, 15 of 20 programs native (saved at least 0.2s)\n"
      " Next: mbuild run --rm app:1\n"));
}

TEST_CASE("A failure says how far it came and how to look inside") {
  auto request = request_with({});
  request.context = "a dir";
  const auto result = result_for({});
  const Totals totals{.failed_platform = "linux/arm64", .step_failed = true, .failed_emulated = true};
  const auto error = Error(ExitClass::step_failed, "x")
                         .with_excerpt("Dockerfile:3\n--------------------\n   3 | >>> RUN x\n--------------------\n");
  CHECK(failure_text({{{request, result}}, totals, seconds(2)}, error) ==
        "\n Failed after 2.0s: 1 step run, 2 cached; the step ran linux/arm64 under emulation\n"
        " The files that this step found, in the directory inside:\n"
        "   head -n 2 'a dir/Dockerfile' | mbuild build -f - --platform linux/arm64 -o inside 'a dir'\n");
  request.context = "-";
  CHECK(failure_text({{{request, result}}, totals, seconds(2)}, error).find("head") == std::string::npos);
}

TEST_CASE("A duration is told in two units") {
  CHECK(duration_text(seconds(0)) == "0.0s");
  CHECK(duration_text(seconds(125)) == "2m 05s");
  CHECK(duration_text(seconds(3725)) == "1h 02m");
}
