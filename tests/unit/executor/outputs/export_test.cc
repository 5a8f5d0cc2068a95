#include "executor/outputs/export.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

std::string problem(const BuildRequest& request) {
  try {
    check_outputs(request.surroundings, target_of(request));
    return "";
  } catch (const Error& error) {
    return error.message;
  }
}

BuildRequest asking_for(Output output, Surroundings surroundings) {
  BuildRequest request;
  request.outputs = {std::move(output)};
  request.surroundings = std::move(surroundings);
  return request;
}

}  // namespace

TEST_CASE("an archive for the standard output needs one that is no terminal") {
  const Output archive = parse_output({{"type", "oci"}, {"dest", "-"}});
  CHECK(problem(asking_for(archive, {.output = "/dev/stdout"})).empty());
  CHECK(problem(asking_for(archive, {.output = "/dev/stdout", .output_is_terminal = true})) ==
        "dest file is required for oci exporter. refusing to write to console");
  CHECK(problem(asking_for(archive, {})) == "dest file is required for oci exporter. there is no standard output");
}

TEST_CASE("mode=delete is for directories below the one that the user works in") {
  const testing::TemporaryDirectory directory;
  const auto wanted = [&](const std::string& destination, const std::string& here) {
    return problem(
        asking_for(parse_output({{"type", "local"}, {"dest", destination}, {"mode", "delete"}}), {.directory = here}));
  };
  CHECK(wanted(directory.path() + "/out", directory.path()).empty());
  CHECK(wanted(directory.path(), directory.path()).starts_with("mode=delete would remove files"));
  CHECK(wanted(directory.path() + "/out", directory.path() + "/elsewhere").starts_with("mode=delete"));
  CHECK(wanted(directory.path() + "/out", "").starts_with("mode=delete"));
}
