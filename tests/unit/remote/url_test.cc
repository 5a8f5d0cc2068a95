#include "remote/url.h"

#include "base/percent_decode.h"
#include "tests/catch.h"

using namespace mbuild::remote;

TEST_CASE("a URL is cut into its parts and put together again") {
  const std::string text = "https://user:pw@Host.example:8443/a/b%20c?x=1&y#part";
  const auto url = parse_url(text);
  REQUIRE(url);
  CHECK(url->scheme == "https");
  CHECK(url->user_info == "user:pw");
  CHECK(url->host == "Host.example");
  CHECK(url->port == "8443");
  CHECK(url->path == "/a/b%20c");
  CHECK(url->query == "x=1&y");
  CHECK(url->fragment == "part");
  CHECK(to_string(*url) == text);
}

TEST_CASE("an IPv6 host keeps its brackets, with and without a port") {
  CHECK(parse_url("http://[::1]:5000/v2/")->host == "[::1]");
  CHECK(parse_url("http://[::1]:5000/v2/")->port == "5000");
  CHECK(parse_url("http://[::1]/")->authority() == "[::1]");
}

TEST_CASE("a host with a colon stands in brackets") {
  CHECK_FALSE(parse_url("https://host::"));
  CHECK_FALSE(parse_url("https://::1/path"));
}

TEST_CASE("what has no scheme is no URL") {
  CHECK_FALSE(parse_url("example.org/x"));
  CHECK_FALSE(parse_url("://x"));
  CHECK_FALSE(parse_url("a b://x"));
}

TEST_CASE("a Location is resolved against the URL of its response") {
  const std::string base = "https://r.example/v2/a/blobs/uploads/?mount=x";
  CHECK(resolve_url(base, "https://o.example/u") == "https://o.example/u");
  CHECK(resolve_url(base, "//o.example/u") == "https://o.example/u");
  CHECK(resolve_url(base, "/v2/u?state=1") == "https://r.example/v2/u?state=1");
  CHECK(resolve_url(base, "u1") == "https://r.example/v2/a/blobs/uploads/u1");
  CHECK(resolve_url("https://r.example", "u1") == "https://r.example/u1");
  CHECK(resolve_url(base, "?a=b") == "https://r.example/v2/a/blobs/uploads/?a=b");
}

TEST_CASE("a URL is shown without what may be secret") {
  CHECK(printable_url("https://me:pw@h.example/f?token=abc#x") == "https://h.example/f");
  CHECK(printable_url("no url") == "no url");
}

TEST_CASE("a query is encoded and extended") {
  CHECK(with_query("http://h/x", "digest", "sha256:a b") == "http://h/x?digest=sha256%3Aa%20b");
  CHECK(with_query("http://h/x?s=1", "k", "v") == "http://h/x?s=1&k=v");
}

TEST_CASE("malformed percent escapes are kept") {
  CHECK(percent_decode("%41%4") == "A%4");
  CHECK(percent_decode("%zz%") == "%zz%");
}

TEST_CASE("loopback hosts are known by name and address") {
  for (const char* host : {"localhost", "LOCALHOST:5000", "a.localhost", "127.0.0.1:80", "127.1.2.3", "[::1]:5000"}) {
    CHECK(is_loopback(host));
  }
  for (const char* host : {"127.evil.example", "example.org", "localhost.example", "10.0.0.1:5000"}) {
    CHECK_FALSE(is_loopback(host));
  }
}

TEST_CASE("base64 goes both ways") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(base64_decode(base64_encode(text)) == text);
  }
  CHECK(base64_encode("foob") == "Zm9vYg==");
  CHECK(base64_encode("fooba") == "Zm9vYmE=");
  CHECK(base64_decode("Zm9vYg") == "foob");
  CHECK_FALSE(base64_decode("Zm 9"));
  CHECK(base64_encode(std::string("\xff\xfe\x00", 3)) == "//4A");
}
