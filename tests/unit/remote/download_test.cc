#include "remote/download.h"

#include <unistd.h>

#include <atomic>
#include <map>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;

namespace {

constexpr const char* k_digest = "sha256:89094db0444968d4206f07a87de9765bb1e363c89f4dbe636e554c9604b3d399";  // k_text
constexpr const char* k_text = "remote foo\n";

struct Fixture {
  Fd file = memory_file("what was there before, which is longer than the download");
  DownloadRequest request;

  explicit Fixture(const std::string& url) {
    request.url = url;
    request.output = file.get();
    request.options.first_backoff = std::chrono::milliseconds(5);
  }
  std::string content() const {
    ::lseek(file.get(), 0, SEEK_SET);
    return read_all(file.get());
  }
};

TestServer::Handler text_file(std::vector<std::pair<std::string, std::string>> headers = {}) {
  return [headers](const ServerRequest& request) {
    auto response = serve_file(request, k_text, "\"tag\"");
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    return response;
  };
}

}  // namespace

TEST_CASE("a download fills the file and tells digest, ETag, time and name") {
  TestServer server(text_file({{"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}}));
  Fixture fixture(server.url("/sub/foo.txt?x=1"));
  std::uint64_t done = 0, total = 0;
  fixture.request.progress = [&](std::uint64_t d, std::uint64_t t) { done = d, total = t; };
  const auto result = download(fixture.request);
  CHECK(fixture.content() == k_text);
  CHECK(result.digest == k_digest);
  CHECK(result.size == 11);
  CHECK(result.etag == "\"tag\"");
  CHECK(result.mtime == 1445412480);
  CHECK(result.file_name == "foo.txt");
  CHECK_FALSE(result.not_modified);
  CHECK(done == 11);
  CHECK(total == 11);
}

TEST_CASE("a known ETag that still holds gives not-modified") {
  TestServer server(text_file());
  Fixture fixture(server.url("/f"));
  fixture.request.etags = {"\"old\"", "\"tag\""};
  const auto result = download(fixture.request);
  CHECK(result.not_modified);
  CHECK(result.etag == "\"tag\"");
  CHECK(fixture.content().empty());
  CHECK(server.requests().at(0).headers.at("if-none-match") == "\"old\", \"tag\"");
}

TEST_CASE("a checksum is verified") {
  TestServer server(text_file());
  Fixture fixture(server.url("/f"));
  fixture.request.checksum = k_digest;
  CHECK(download(fixture.request).digest == k_digest);

  const std::string wrong = "sha256:" + std::string(64, '0');
  fixture.request.checksum = wrong;
  CHECK_THROWS_WITH(download(fixture.request),
                    Catch::Contains("digest mismatch " + std::string(k_digest) + ": " + wrong));
}

TEST_CASE("a checksum that cannot be verified is refused before any request") {
  TestServer server(text_file());
  Fixture fixture(server.url("/f"));
  fixture.request.checksum = "sha1:0123";
  CHECK_THROWS_WITH(download(fixture.request), Catch::Contains("unsupported digest algorithm"));
  fixture.request.checksum = "sha256:0123";
  CHECK_THROWS_WITH(download(fixture.request), Catch::Contains("invalid checksum digest format"));
  CHECK(server.requests().empty());
}

TEST_CASE("an interrupted download has the right digest in the end, resumed or started over") {
  const std::string content(300'000, 'q');
  for (const bool with_etag : {true, false}) {
    std::atomic<int> count = 0;
    TestServer server([&](const ServerRequest& request) {
      auto response = serve_file(request, content, with_etag ? "\"e\"" : "W/\"weak\"");
      if (count++ == 0) response.cut_after = 120'000;
      return response;
    });
    Fixture fixture(server.url("/big"));
    const auto result = download(fixture.request);
    CHECK(result.digest == sha256(content));
    CHECK(fixture.content() == content);
    CHECK(server.requests().at(1).headers.contains("range") == with_etag);
  }
}

TEST_CASE("authorization is sent as given") {
  TestServer server(text_file());
  Fixture fixture(server.url("/f"));
  fixture.request.authorization = "Bearer abc";
  download(fixture.request);
  CHECK(server.requests().at(0).headers.at("authorization") == "Bearer abc");
}

TEST_CASE("a missing file fails with its status") {
  TestServer server([](const ServerRequest&) {
    ServerResponse response;
    response.status = 404;
    return response;
  });
  Fixture fixture(server.url("/absent"));
  CHECK_THROWS_WITH(download(fixture.request), Catch::Contains("404"));
}

TEST_CASE("file names come from URL paths") {
  CHECK(url_file_name("http://h/a/b.txt?q#f") == "b.txt");
  CHECK(url_file_name("http://h/a%20b") == "a b");
  CHECK(url_file_name("http://h/dir/") == "dir");
  CHECK(url_file_name("http://h/") == "");
  CHECK(url_file_name("http://h") == "");
  CHECK(url_file_name("http://h/x/%2e%2e") == "");
  CHECK(url_file_name("http://h/x/..%2fpasswd") == "passwd");
}

TEST_CASE("file names come from Content-Disposition first") {
  CHECK(content_disposition_file_name("attachment; filename=a.txt") == "a.txt");
  CHECK(content_disposition_file_name("attachment; filename=\"a; \\\"b\\\".txt\"; x=y") == "a; \"b\".txt");
  CHECK(content_disposition_file_name("attachment; filename=plain; filename*=UTF-8''na%20me") == "na me");
  CHECK(content_disposition_file_name("attachment; filename=\"../../etc/passwd\"") == "passwd");
  CHECK(content_disposition_file_name("attachment; filename=\"dir/\"") == "");
  CHECK(content_disposition_file_name("inline") == "");
}

TEST_CASE("authorization comes from the secrets named after the host") {
  std::map<std::string, std::string> secrets;
  const auto secret = [&](const std::string& name) {
    const auto it = secrets.find(name);
    return it != secrets.end() ? std::optional(it->second) : std::nullopt;
  };
  CHECK(http_authorization("http://h.example/x", secret) == "");
  secrets["HTTP_AUTH_TOKEN_h.example"] = "tok\n";
  CHECK(http_authorization("http://h.example/x", secret) == "Bearer tok");
  CHECK(http_authorization("http://h.example:8080/x", secret) == "Bearer tok");
  CHECK(http_authorization("http://other.example/x", secret) == "");
  secrets["HTTP_AUTH_HEADER_h.example"] = "Basic Zm9v";
  CHECK(http_authorization("http://h.example/x", secret) == "Basic Zm9v");
}
