#include "executor/sources/inputs.h"

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

TEST_CASE("a Dockerfile or a context for \"-\" is read from the request's standard input") {
  const testing::TemporaryDirectory directory;
  const Scratch scratch = [&] { return directory.path(); };
  BuildRequest request;
  request.context = directory.path();
  request.dockerfile = "-";
  CHECK_THROWS_WITH(read_inputs(request, request, scratch, {}), Catch::Contains("there is no standard input"));
  request.surroundings.read_input = [] { return std::string("FROM scratch\n"); };
  CHECK(read_inputs(request, request, scratch, {}).dockerfile_text == "FROM scratch\n");
  request.context = "-";
  request.dockerfile = "";
  CHECK(read_inputs(request, request, scratch, {}).dockerfile_text == "FROM scratch\n");
}
