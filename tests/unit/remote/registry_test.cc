#include "remote/registry.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/percent_decode.h"
#include "base/subprocess.h"
#include "remote/registry_endpoint.h"
#include "remote/url.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/remote/test_process.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;

namespace {

constexpr const char* k_oci_manifest = "application/vnd.oci.image.manifest.v1+json";

RegistryOptions quick_options() {
  RegistryOptions options;
  options.http.first_backoff = std::chrono::milliseconds(5);
  return options;
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 % 251);
  return text;
}

std::string pull(Registry& registry, const Repository& repository, const Blob& blob, int* restarts = nullptr) {
  std::string got;
  BlobSink sink{[&](std::string_view bytes) { got += bytes; },
                [&] {
                  got.clear();
                  if (restarts != nullptr) ++*restarts;
                }};
  registry.pull_blob(repository, blob, sink, {});
  return got;
}

// Debian's docker-registry on a free port. With `authenticated`, user "me" with password "secret" only.
struct DockerRegistry {
  TestDirectory directory;
  int port = free_port();
  std::string host = fmt::format("127.0.0.1:{}", port);
  std::optional<TestProcess> process;

  explicit DockerRegistry(bool authenticated = false) {
    std::string config = fmt::format(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}/data}}}}\n"
        "http: {{addr: \"{}\"}}\n",
        directory.path, host);
    if (authenticated) {
      write_file_atomically(directory.path + "/htpasswd",
                            "me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
      config += fmt::format("auth: {{htpasswd: {{realm: test, path: {}/htpasswd}}}}\n", directory.path);
    }
    write_file_atomically(directory.path + "/config.yml", config);
    process.emplace(std::vector<std::string>{"docker-registry", "serve", directory.path + "/config.yml"}, port,
                    directory.path + "/log");
  }

  static bool installed() {
    if (!find_program("docker-registry").empty()) return true;
    WARN("docker-registry is not installed: not tested against it");
    return false;
  }
};

void push_as_stream(Registry& registry, const Repository& repository, const std::string& content) {
  registry.push_stream(repository, upload_from_string(content), [&] { return sha256(content); }, {});
}

// Pushes config, layer and manifest, and reads everything back.
void round_trip(Registry& registry, const Repository& repository) {
  const std::string layer = pattern(3'000'000), config = "{}";
  const Blob layer_blob{sha256(layer), layer.size()}, config_blob{sha256(config), config.size()};
  CHECK_FALSE(registry.has_blob(repository, layer_blob.digest, {}));
  registry.push_blob(repository, layer_blob, upload_from_string(layer), {});
  push_as_stream(registry, repository, config);
  CHECK(registry.has_blob(repository, layer_blob.digest, {}));

  const std::string manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",)"
      R"("digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}",)"
      R"("size":{}}}]}})",
      k_oci_manifest, config_blob.digest, config_blob.size, layer_blob.digest, layer_blob.size);
  const auto digest = registry.push_manifest(repository, "v1", k_oci_manifest, manifest, {}).digest;

  for (const std::string& reference : {std::string("v1"), digest}) {
    const auto found = require_manifest(registry, repository, reference, {});
    CHECK(found.bytes == manifest);
    CHECK(found.digest == digest);
    CHECK(found.media_type == k_oci_manifest);
  }
  const auto info = registry.find_manifest_info(repository, "v1", {});
  REQUIRE(info);
  CHECK(info->digest == digest);
  CHECK(info->size == manifest.size());
  CHECK(info->media_type == k_oci_manifest);
  CHECK(pull(registry, repository, layer_blob) == layer);
}

}  // namespace

TEST_CASE("push and pull round trip against docker-registry, anonymous") {
  NEEDS(DockerRegistry::installed(), "docker-registry");
  const DockerRegistry server;
  const auto registry = make_http_registry(quick_options());
  const Repository repository{server.host, "team/app"};
  round_trip(*registry, repository);

  SECTION("what is not there is no error") {
    CHECK_FALSE(registry->find_manifest(repository, "v2", {}));
    CHECK_FALSE(registry->find_manifest_info(repository, "v2", {}));
    CHECK_FALSE(registry->find_manifest({server.host, "no/such"}, "v1", {}));
    CHECK_THROWS_WITH(require_manifest(*registry, repository, "v2", {}), server.host + "/team/app:v2: not found");
  }
  SECTION("a blob is mounted from another repository") {
    const std::string content = "to be mounted";
    const Blob blob{sha256(content), content.size()};
    registry->push_blob(repository, blob, upload_from_string(content), {});
    const Repository other{server.host, "team/other"};
    CHECK(registry->mount_blob(other, blob.digest, "team/app", {}));
    CHECK(pull(*registry, other, blob) == content);
    CHECK_FALSE(registry->mount_blob(other, sha256("unknown"), "team/app", {}));
  }
  SECTION("streams go in chunks when configured so") {
    auto options = quick_options();
    options.hosts.hosts[server.host].chunk_size = 1000;
    const auto chunked = make_http_registry(options);
    const auto content = pattern(4567);
    push_as_stream(*chunked, repository, content);
    CHECK(pull(*chunked, repository, {sha256(content), content.size()}) == content);
  }
  SECTION("an empty blob can be pushed and pulled") {
    const Blob blob{sha256(""), 0};
    registry->push_blob(repository, blob, upload_from_string(""), {});
    push_as_stream(*registry, repository, "");
    CHECK(pull(*registry, repository, blob).empty());
  }
  SECTION("bytes that are not those of the digest are refused") {
    CHECK_THROWS_WITH(registry->push_blob(repository, {sha256("a"), 1}, upload_from_string("b"), {}),
                      Catch::Contains("DIGEST_INVALID"));
  }
  SECTION("many threads push and pull at once") {
    std::atomic<int> right = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        const auto content = pattern(100'000 + static_cast<std::size_t>(t));
        push_as_stream(*registry, repository, content);
        if (pull(*registry, repository, {sha256(content), content.size()}) == content) ++right;
      });
    }
    threads.clear();
    CHECK(right == 6);
  }
}

TEST_CASE("push and pull round trip against docker-registry with basic authentication") {
  NEEDS(DockerRegistry::installed(), "docker-registry");
  const DockerRegistry server(true);
  auto options = quick_options();
  const TestDirectory docker;
  options.credentials = stored_credentials(docker.path, {});
  const Repository repository{server.host, "private/app"};

  const auto anonymous = make_http_registry(options);
  CHECK_THROWS_WITH(anonymous->find_manifest(repository, "v1", {}), Catch::Contains("401"));
  write_file_atomically(docker.path + "/config.json", fmt::format(R"({{"auths": {{"{}": {{"auth": "{}"}}}}}})",
                                                                  server.host, base64_encode("me:wrong")));
  CHECK_THROWS_WITH(make_http_registry(options)->find_manifest(repository, "v1", {}), Catch::Contains("401"));
  write_file_atomically(docker.path + "/config.json", fmt::format(R"({{"auths": {{"{}": {{"auth": "{}"}}}}}})",
                                                                  server.host, base64_encode("me:secret")));
  round_trip(*make_http_registry(options), repository);
}

TEST_CASE("an interrupted blob goes on where it stopped") {
  const auto content = pattern(400'000);
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest& request) {
    if (request.path() == "/v2/") return ServerResponse{};
    auto response = serve_file(request, content, "W/\"weak\"");
    if (count++ < 2) response.cut_after = 150'000;
    return response;
  });
  const auto registry = make_http_registry(quick_options());
  int restarts = 0;
  CHECK(pull(*registry, {server.host(), "a"}, {sha256(content), content.size()}, &restarts) == content);
  CHECK(restarts == 0);
  CHECK(server.requests().back().headers.contains("range"));
}

TEST_CASE("wrong bytes are never accepted") {
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    response.headers = {{"Content-Type", k_oci_manifest}};
    response.body = request.path().find("manifests") != std::string::npos ? R"({"layers":[]})" : "evil";
    return response;
  });
  const auto registry = make_http_registry(quick_options());
  const Repository repository{server.host(), "a"};
  CHECK_THROWS_WITH(pull(*registry, repository, {sha256("good"), 4}), Catch::Contains("digest mismatch"));
  CHECK_THROWS_WITH(pull(*registry, repository, {sha256("evil"), 3}), Catch::Contains("longer than"));
  CHECK_THROWS_WITH(pull(*registry, repository, {sha256("evil"), 5}), Catch::Contains("instead of 5"));
  CHECK_THROWS_WITH(registry->find_manifest(repository, sha256("good"), {}), Catch::Contains("digest mismatch"));
}

TEST_CASE("a digest that the registry announces must be that of the manifest") {
  TestServer server([&](const ServerRequest&) {
    ServerResponse response;
    response.headers = {{"Content-Type", k_oci_manifest}, {"Docker-Content-Digest", sha256("something else")}};
    response.body = R"({"layers":[]})";
    return response;
  });
  CHECK_THROWS_WITH(make_http_registry(quick_options())->find_manifest({server.host(), "a"}, "tag", {}),
                    Catch::Contains("digest mismatch"));
}

TEST_CASE("a manifest without a media type header tells it itself, an ambiguous one is refused") {
  std::string body = R"({"manifests":[]})";
  TestServer server([&](const ServerRequest&) {
    ServerResponse response;
    response.headers = {{"Content-Type", "application/json"}};
    response.body = body;
    return response;
  });
  const auto registry = make_http_registry(quick_options());
  const Repository repository{server.host(), "a"};
  CHECK(registry->find_manifest(repository, "t", {})->media_type == "application/vnd.oci.image.index.v1+json");
  body = R"({"mediaType":"x/y","layers":[]})";
  CHECK(registry->find_manifest(repository, "t", {})->media_type == "x/y");
  body = R"({"manifests":[],"layers":[]})";
  CHECK_THROWS_WITH(registry->find_manifest(repository, "t", {}), Catch::Contains("both an image index"));
}

TEST_CASE("mirrors are asked first, and the registry when they fail or send wrong bytes") {
  const std::string content = "blob content";
  const auto good = [&](const ServerRequest& request) {
    auto response = serve_file(request, content, "\"e\"");
    response.headers.emplace_back("Content-Type", k_oci_manifest);
    return response;
  };
  TestServer origin(good), good_mirror(good);
  TestServer bad_mirror([&](const ServerRequest&) {
    ServerResponse response;
    response.body = "evil content";
    return response;
  });
  const Repository repository{origin.host(), "a"};
  const Blob blob{sha256(content), content.size()};

  auto options = quick_options();
  options.hosts.hosts[origin.host()].mirrors = {good_mirror.url("/cache")};
  CHECK(pull(*make_http_registry(options), repository, blob) == content);
  CHECK(good_mirror.requests().at(0).target == "/v2/cache/a/blobs/" + blob.digest);

  options.hosts.hosts[origin.host()].mirrors = {bad_mirror.url()};
  int restarts = 0;
  CHECK(pull(*make_http_registry(options), repository, blob, &restarts) == content);
  CHECK(restarts == 2);  // the mirror has two attempts
}

TEST_CASE("a mirror's path stands before the names of repositories, unless it says where v2 is") {
  const auto place = [](const char* address) {
    const auto found = mirror_place(address);
    return found.base + " " + found.prefix;
  };
  CHECK(place("https://h") == "https://h ");
  CHECK(place("https://h:5000/") == "https://h:5000 ");
  CHECK(place("https://h/hub") == "https://h hub/");
  CHECK(place("https://h/team//hub/") == "https://h team/hub/");
  CHECK(place("https://h/v2/hub") == "https://h hub/");
  CHECK(place("https://h/artifactory/api/docker/hub/v2/") == "https://h/artifactory/api/docker/hub ");
}

TEST_CASE("a mirror with a path is asked for tokens of its own names") {
  std::string scope;
  TestServer* self = nullptr;
  TestServer mirror([&](const ServerRequest& request) {
    ServerResponse response;
    if (request.path() == "/token") {
      scope = percent_decode(request.target);
      response.body = R"({"token":"T"})";
    } else if (!request.headers.contains("authorization")) {
      response.status = 401;
      response.headers = {{"WWW-Authenticate", "Bearer realm=\"" + self->url("/token") + "\""}};
    } else {
      response.headers = {{"Content-Type", k_oci_manifest}};
      response.body = R"({"layers":[]})";
    }
    return response;
  });
  self = &mirror;
  auto options = quick_options();
  options.hosts.hosts["registry.invalid"].mirrors = {mirror.url("/hub")};
  std::string asked;
  options.credentials = [&](const std::string& host, const std::string& repository, std::stop_token) {
    asked = host + "/" + repository;
    return Credentials{};
  };
  CHECK(make_http_registry(options)->find_manifest({"registry.invalid", "library/x"}, "t", {}));
  CHECK(mirror.requests().back().target == "/v2/hub/library/x/manifests/t");
  CHECK(scope.find("scope=repository:hub/library/x:pull") != std::string::npos);
  CHECK(asked == mirror.host() + "/hub/library/x");
}

TEST_CASE("that a mirror lacks something is told once, and it is asked again for other things") {
  TestServer mirror([](const ServerRequest&) {
    ServerResponse response;
    response.status = 404;
    return response;
  });
  TestServer origin([](const ServerRequest&) {
    ServerResponse response;
    response.headers = {{"Content-Type", k_oci_manifest}};
    response.body = R"({"layers":[]})";
    return response;
  });
  auto options = quick_options();
  options.hosts.hosts[origin.host()].mirrors = {mirror.url("/hub")};
  std::vector<std::string> told;
  options.on_mirror = [&](std::string_view reason) { told.emplace_back(reason); };
  const auto registry = make_http_registry(options);
  for (const char* tag : {"a", "b"}) CHECK(registry->find_manifest({origin.host(), "x"}, tag, {}));
  CHECK(mirror.requests().size() == 2);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find(mirror.url("/hub")) != std::string::npos);
}

namespace {

// A registry that answers the requests of a kind, from the first to `until`, with a refusal.
struct Refusing {
  std::string method;
  int until;
  int status;
  std::string body;
  std::atomic<int> sessions = 0, refused = 0;
  std::string stored;
  TestServer server{[this](const ServerRequest& request) {
    ServerResponse response;
    if (request.method == method && refused < until) {
      ++refused;
      response.status = status;
      response.body = body;
    } else if (request.method == "POST") {
      stored.clear();
      response.status = 202;
      response.headers = {{"Location", fmt::format("/v2/a/blobs/uploads/{}", ++sessions)}};
    } else if (request.method == "PATCH" || request.method == "PUT") {
      stored += request.body;
      response.status = request.method == "PUT" ? 201 : 202;
    } else if (request.method == "GET" && request.path() != "/v2/") {
      response.status = 404;
    }
    return response;
  }};

  Repository repository() const { return {server.host(), "a"}; }
};

std::string advice_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.advice;
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("an upload whose session the registry does not go on with starts anew") {
  const auto method = GENERATE(as<std::string>(), "PUT", "PATCH");
  const auto [status, body] = GENERATE(table<int, std::string>(
      {{416, ""}, {404, ""}, {400, R"({"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"part is 0, not 5"}]})"}}));
  Refusing registry{method, 1, status, body};
  const auto content = pattern(50'000);
  const auto client = make_http_registry(quick_options());
  if (method == "PUT") {
    client->push_blob(registry.repository(), {sha256(content), content.size()}, upload_from_string(content), {});
  } else {
    push_as_stream(*client, registry.repository(), content);
  }
  CHECK(registry.sessions == 2);
  CHECK(registry.stored == content);
}

TEST_CASE("a body that is too long for the registry names chunk-size") {
  Refusing registry{"PUT", 100, 413, "<html>"};
  const auto content = pattern(1000);
  const auto advice = advice_of([&] {
    make_http_registry(quick_options())
        ->push_blob(registry.repository(), {sha256(content), content.size()}, upload_from_string(content), {});
  });
  CHECK(advice.find("`chunk-size`") != std::string::npos);
  CHECK(advice.find(registry.server.host()) != std::string::npos);
  CHECK(registry.refused == 1);
}

TEST_CASE("a format that the registry does not know names oci-mediatypes") {
  const auto [status, body] = GENERATE(
      table<int, std::string>({{415, ""},
                               {400, R"({"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]})"},
                               {405, R"({"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported"}]})"},
                               {400, "unsupported media type application/vnd.oci.image.manifest.v1+json"}}));
  Refusing registry{"PUT", 100, status, body};
  const auto advice = [&](const char* type) {
    return advice_of(
        [&] { make_http_registry(quick_options())->push_manifest(registry.repository(), "t", type, "{}", {}); });
  };
  CHECK(advice(k_oci_manifest).find("oci-mediatypes=false") != std::string::npos);
  CHECK(advice("application/vnd.docker.distribution.manifest.v2+json").find("oci-mediatypes") == std::string::npos);
}

TEST_CASE("a look-up of a blob that the registry does not allow does not keep from pushing it") {
  TestServer server([](const ServerRequest& request) {
    ServerResponse response;
    response.status = request.path() == "/v2/" ? 200 : 405;
    return response;
  });
  CHECK_FALSE(make_http_registry(quick_options())->has_blob({server.host(), "a"}, sha256(""), {}));
}

TEST_CASE("a blob upload that breaks starts over in a new session") {
  std::atomic<int> sessions = 0, puts = 0;
  std::string stored;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    if (request.method == "POST") {
      response.status = 202;
      response.headers = {{"Location", fmt::format("/v2/a/blobs/uploads/{}?state=s", ++sessions)}};
    } else if (request.method == "PUT") {
      if (++puts == 1) {
        response.drop = true;
      } else {
        response.status = puts == 2 ? 503 : 201;
        stored = request.body;
      }
    }
    return response;
  });
  const auto registry = make_http_registry(quick_options());
  const std::string content = "layer";
  registry->push_blob({server.host(), "a"}, {sha256(content), content.size()}, upload_from_string(content), {});
  CHECK(sessions == 3);
  CHECK(stored == content);
  CHECK(server.requests().back().target.find("uploads/3?state=s&digest=sha256%3A") != std::string::npos);
}

TEST_CASE("a chunk that breaks goes on where the registry has got to") {
  std::string stored;
  std::atomic<int> patches = 0;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    response.headers = {{"Location", "/v2/a/blobs/uploads/1"}};
    response.status = 202;
    if (request.method == "PATCH" && ++patches == 2) {
      stored += request.body.substr(0, 4);
      response.drop = true;
    } else if (request.method == "PATCH") {
      CHECK(request.headers.at("content-range").starts_with(fmt::format("{}-", stored.size())));
      stored += request.body;
    } else if (request.method == "GET" && request.path() != "/v2/") {
      response.status = 204;
      response.headers.emplace_back("Range", fmt::format("0-{}", stored.size() - 1));
    } else if (request.method == "PUT") {
      response.status = 201;
    }
    return response;
  });
  auto options = quick_options();
  options.hosts.hosts[server.host()].chunk_size = 10;
  const auto content = pattern(25);
  auto source = upload_from_string(content);
  source.rewind = nullptr;
  make_http_registry(options)->push_stream({server.host(), "a"}, source, [&] { return sha256(content); }, {});
  CHECK(stored == content);
}

TEST_CASE("a large blob that breaks goes on where the registry has got to, or starts over if it can't") {
  const bool resumable = GENERATE(true, false);
  const auto content = pattern(3 << 20);
  std::string stored;
  std::atomic<int> posts = 0, puts = 0;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    response.headers = {{"Location", "/v2/a/blobs/uploads/1"}};
    response.status = 202;
    if (request.method == "POST") {
      ++posts;
      stored.clear();
    } else if (request.method == "PUT") {
      response.status = 201;
      const bool first = ++puts == 1;
      stored += request.body.substr(0, first ? 2 << 20 : std::string::npos);
      response.drop = first;
    } else if (request.method == "PATCH") {
      CHECK(request.headers.at("content-range") == fmt::format("{}-{}", 2 << 20, (3 << 20) - 1));
      stored += request.body;
    } else if (request.path() != "/v2/") {
      response.status = resumable ? 204 : 416;
      response.headers.emplace_back("Range", fmt::format("0-{}", stored.size() - 1));
    }
    return response;
  });
  make_http_registry(quick_options())
      ->push_blob({server.host(), "a"}, {sha256(content), content.size()}, upload_from_string(content), {});
  CHECK(stored == content);
  CHECK(posts == (resumable ? 1 : 2));
}

TEST_CASE("the registry's own error codes are shown") {
  TestServer server([](const ServerRequest& request) {
    ServerResponse response;
    if (request.path() == "/v2/") return response;
    response.status = 403;
    response.headers = {{"Content-Type", "application/json"}};
    response.body = R"({"errors":[{"code":"DENIED","message":"pay first","detail":null}]})";
    return response;
  });
  try {
    make_http_registry(quick_options())->push_manifest({server.host(), "a"}, "t", "x/y", "{}", {});
    FAIL();
  } catch (const HttpError& error) {
    CHECK(std::string(error.what()).find("DENIED: pay first") != std::string::npos);
    CHECK(error.advice.find("docker login") != std::string::npos);
  }
}

TEST_CASE("a stop ends a pull") {
  TestServer server([](const ServerRequest& request) {
    ServerResponse response;
    response.hang = request.path() != "/v2/";
    return response;
  });
  std::stop_source stop;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  CHECK_THROWS_AS(make_http_registry(quick_options())->find_manifest({server.host(), "a"}, "t", stop.get_token()),
                  Cancelled);
}

TEST_CASE("digests of other algorithms are refused") {
  const auto registry = make_http_registry(quick_options());
  CHECK_THROWS_WITH(registry->has_blob({"registry.invalid", "a"}, "sha512:00", {}),
                    Catch::Contains("unsupported digest"));
}
