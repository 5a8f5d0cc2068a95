#include "executor/api/secrets.h"

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

TEST_CASE("a secret is what came with the request, or what its file holds") {
  const testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/token";
  write_file_atomically(file, "of the file");
  BuildRequest request;
  request.secrets = {{.id = "file", .file = file, .value = {}},
                     {.id = "value", .file = {}, .value = "of the request"},
                     {.id = "unset", .file = {}, .value = ""}};
  check_secrets(request);
  CHECK(read_secret(request, "file") == "of the file");
  CHECK(read_secret(request, "value") == "of the request");
  CHECK(read_secret(request, "unset") == "");
  CHECK_FALSE(read_credential(request, "unset"));
  CHECK_FALSE(read_secret(request, "other"));
  request.secrets.push_back({.id = "lost", .file = file + ".lost", .value = {}});
  CHECK_THROWS_WITH(check_secrets(request), Catch::Contains("secret lost: open"));
}
