#include "executor/steps/source_fetcher.h"

#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/unit/executor/steps/step_fixture.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using remote::testing::ServerRequest;
using remote::testing::TestServer;

namespace {

constexpr const char* k_digest = "sha256:89094db0444968d4206f07a87de9765bb1e363c89f4dbe636e554c9604b3d399";

struct FetcherFixture : StepFixture {
  TestServer server{[](const ServerRequest& request) {
    auto response = remote::testing::serve_file(request, "remote foo\n", "\"tag\"");
    response.headers.emplace_back("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT");
    return response;
  }};
  SourceFetcher fetcher{{.store = store, .work = work, .layers = layers, .lent = lent, .worker = local}};

  // What the worker makes of the next file.
  void makes(const std::string& id) {
    make_directories(store.layer_path(id));
    local.made.layer = {.id = id, .result_digest = "sha256:" + id};
  }
  graph::HttpSource file(const std::string& checksum = "") const {
    return {.url = server.url("/f"), .checksum = checksum, .filename = "f"};
  }
};

}  // namespace

TEST_CASE("A file that was had from a server is a layer of its own, copied with the mode of a download") {
  FetcherFixture build;
  build.makes("file");
  CHECK(build.fetcher.fetch(build.request, build.file(), {}).id == "file");
  REQUIRE(build.local.applied.size() == 1);
  const auto& task = build.local.applied[0];
  REQUIRE(task.actions.size() == 1);
  CHECK(task.actions[0].source == "/");
  CHECK(task.actions[0].destination == "/");
  CHECK(task.actions[0].mode == "0600");
  CHECK_FALSE(task.sources.at(0).layers);
  CHECK_FALSE(task.sources.at(0).user_files.empty());
  const auto row = build.store.find_download(build.server.url("/f") + " f");
  REQUIRE(row);
  CHECK(row->etag == "\"tag\"");
  CHECK(row->last_modified == "Wed, 21 Oct 2015 07:28:00 GMT");
  CHECK(row->mtime == 1445412480);
  CHECK(row->digest == k_digest);
  CHECK(row->layer_id == "file");
}

TEST_CASE("A file that the server still has as it was is not made again") {
  FetcherFixture build;
  build.makes("file");
  build.fetcher.fetch(build.request, build.file(), {});
  CHECK(build.fetcher.fetch(build.request, build.file(), {}).id == "file");
  CHECK(build.local.applied.size() == 1);
  REQUIRE(build.server.requests().size() == 2);
  CHECK(build.server.requests()[1].headers.at("if-none-match") == "\"tag\"");
}

TEST_CASE("A server is not asked for a file with the checksum of the one that is there") {
  FetcherFixture build;
  build.makes("file");
  build.fetcher.fetch(build.request, build.file(), {});
  CHECK(build.fetcher.fetch(build.request, build.file(k_digest), {}).id == "file");
  CHECK(build.server.requests().size() == 1);
}

TEST_CASE("A file whose layer is gone is had again, whole") {
  FetcherFixture build;
  build.makes("file");
  build.fetcher.fetch(build.request, build.file(), {});
  std::filesystem::remove_all(build.store.layer_path("file"));
  build.layers.forget_lost();
  build.makes("again");
  CHECK(build.fetcher.fetch(build.request, build.file(), {}).id == "again");
  CHECK(build.server.requests().at(1).headers.count("if-none-match") == 0);
}

TEST_CASE("A server gets the credentials that are among the secrets of the request") {
  FetcherFixture build;
  build.makes("file");
  build.request.secrets = {{.id = "HTTP_AUTH_TOKEN_127.0.0.1", .file = "", .value = "word"}};
  build.fetcher.fetch(build.request, build.file(), {});
  CHECK(build.server.requests().at(0).headers.at("authorization") == "Bearer word");
}
