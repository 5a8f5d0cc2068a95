#include "remote/registry_auth.h"

#include <algorithm>

#include "base/percent_decode.h"
#include "base/strings.h"
#include "remote/registry.h"
#include "remote/url.h"
#include "tests/catch.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;

namespace {

const std::string k_manifest = R"({"schemaVersion": 2, "layers": []})";

// A registry with a token server of its own, which gives the token "T-<scope>".
struct TokenRegistry {
  std::string token_answer;  // "" is the usual one
  TestServer server{[this](const ServerRequest& request) { return handle(request); }};

  ServerResponse handle(const ServerRequest& request) {
    ServerResponse response;
    if (request.path() == "/token") {
      std::string scope;
      const auto text = request.method == "POST" ? request.body : request.target.substr(request.target.find('?') + 1);
      for (auto field : split(text, '&')) {
        std::ranges::replace(field, '+', ' ');
        if (field.starts_with("scope=")) scope = percent_decode(field.substr(6));
      }
      response.body = token_answer.empty() ? R"({"token": "T-)" + scope + R"("})" : token_answer;
      return response;
    }
    const auto it = request.headers.find("authorization");
    if (it == request.headers.end() || it->second != "Bearer T-repository:lib/a:pull") {
      response.status = 401;
      response.headers = {{"WWW-Authenticate", "Bearer realm=\"" + server.url("/token") + "\",service=\"reg\""}};
      return response;
    }
    response.headers = {{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}};
    response.body = k_manifest;
    return response;
  }

  std::unique_ptr<Registry> registry(const Credentials& credentials = {}) {
    RegistryOptions options;
    options.hosts.hosts[server.host()].plain_http = true;
    options.http.attempts = 1;
    options.credentials = [credentials](const std::string&, const std::string&, std::stop_token) {
      return credentials;
    };
    return make_http_registry(options);
  }

  std::vector<ServerRequest> token_requests() {
    std::vector<ServerRequest> found;
    for (const auto& request : server.requests()) {
      if (request.path() == "/token") found.push_back(request);
    }
    return found;
  }
};

}  // namespace

TEST_CASE("challenges are read, several in one header too") {
  const auto challenges = parse_challenges(
      R"(Bearer realm="https://a.example/t?x=1,2",service=reg, scope="a:b:pull,push", Basic realm="a\"b")");
  REQUIRE(challenges.size() == 2);
  CHECK(challenges[0].scheme == "bearer");
  CHECK(challenges[0].parameters.at("realm") == "https://a.example/t?x=1,2");
  CHECK(challenges[0].parameters.at("service") == "reg");
  CHECK(challenges[0].parameters.at("scope") == "a:b:pull,push");
  CHECK(challenges[1].scheme == "basic");
  CHECK(challenges[1].parameters.at("realm") == "a\"b");
}

TEST_CASE("malformed challenges do no harm") {
  CHECK(parse_challenges("").empty());
  CHECK(parse_challenges("\"\"\"").empty());
  CHECK(parse_challenges("Bearer realm=\"unterminated").at(0).parameters.at("realm") == "unterminated");
  CHECK(parse_challenges("=x, Basic").size() <= 1);
}

TEST_CASE("a token is fetched without credentials, once, and used again") {
  TokenRegistry tokens;
  const auto registry = tokens.registry();
  const Repository repository{tokens.server.host(), "lib/a"};
  for (int i = 0; i < 3; ++i) CHECK(registry->find_manifest(repository, "1", {})->bytes == k_manifest);
  const auto asked = tokens.token_requests();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].target.find("service=reg") != std::string::npos);
  CHECK_FALSE(asked[0].headers.contains("authorization"));
}

TEST_CASE("user and password go to the token server only") {
  TokenRegistry tokens;
  Credentials credentials;
  credentials.user = "me", credentials.password = "pw";
  tokens.registry(credentials)->find_manifest({tokens.server.host(), "lib/a"}, "1", {});
  const auto basic = "Basic " + base64_encode("me:pw");
  for (const auto& request : tokens.server.requests()) {
    const auto it = request.headers.find("authorization");
    const bool has_password = it != request.headers.end() && it->second == basic;
    CHECK(has_password == (request.path() == "/token"));
  }
}

TEST_CASE("an identity token is exchanged by POST") {
  TokenRegistry tokens;
  Credentials credentials;
  credentials.identity_token = "refresh";
  tokens.registry(credentials)->find_manifest({tokens.server.host(), "lib/a"}, "1", {});
  const auto asked = tokens.token_requests();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].method == "POST");
  CHECK(asked[0].body.find("grant_type=refresh_token") != std::string::npos);
  CHECK(asked[0].body.find("refresh_token=refresh") != std::string::npos);
}

TEST_CASE("a token that does not help is an error with advice to log in") {
  TokenRegistry tokens;
  const auto registry = tokens.registry();
  try {
    registry->find_manifest({tokens.server.host(), "lib/other"}, "1", {});
    FAIL();
  } catch (const HttpError& error) {
    CHECK(error.status == 401);
    CHECK(error.advice.find("docker login " + tokens.server.host()) != std::string::npos);
  }
}

TEST_CASE("a token server that sends no token is named as the culprit") {
  TokenRegistry tokens;
  tokens.token_answer = "{}";
  CHECK_THROWS_WITH(tokens.registry()->find_manifest({tokens.server.host(), "lib/a"}, "1", {}),
                    Catch::Contains("sent no token"));
}

TEST_CASE("a token server that refuses the repository to mount from does not keep from pushing") {
  TestServer* self = nullptr;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    if (request.path() == "/token") {
      response.status = request.target.find("secret") != std::string::npos ? 403 : 200;
      response.body = R"({"token":"T"})";
    } else if (!request.headers.contains("authorization")) {
      response.status = 401;
      response.headers = {{"WWW-Authenticate", "Bearer realm=\"" + self->url("/token") + "\""}};
    }
    return response;
  });
  self = &server;
  RegistryOptions options;
  options.http.attempts = 1;
  CHECK_FALSE(make_http_registry(options)->mount_blob({server.host(), "a"}, sha256("x"), "secret", {}));
}

TEST_CASE("a stream that outlives its token is sent again with a new one") {
  TestServer* self = nullptr;
  int tokens = 0, patches = 0;
  std::string stored;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    if (request.path() == "/token") {
      response.body = "{\"token\":\"T" + std::to_string(++tokens) + "\"}";
      return response;
    }
    const auto given = request.headers.find("authorization");
    const bool expired = request.method == "PATCH" && ++patches == 1;
    if (given == request.headers.end() || given->second != "Bearer T" + std::to_string(expired ? 2 : tokens)) {
      response.status = 401;
      response.headers = {{"WWW-Authenticate", "Bearer realm=\"" + self->url("/token") + "\""}};
      if (expired) tokens = 2;
      return response;
    }
    response.status = request.method == "PUT" ? 201 : 202;
    response.headers = {{"Location", "/v2/a/blobs/uploads/1"}};
    if (request.method == "PATCH") stored = request.body;
    return response;
  });
  self = &server;
  RegistryOptions options;
  options.hosts.hosts[server.host()].plain_http = true;
  options.http.first_backoff = std::chrono::milliseconds(5);
  const std::string content = "layer";
  make_http_registry(options)->push_stream({server.host(), "a"}, upload_from_string(content),
                                           [&] { return sha256(content); }, {});
  CHECK(stored == content);
}
