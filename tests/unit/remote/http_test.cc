#include "remote/http.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/unit/remote/test_process.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;
using std::chrono::milliseconds;

namespace {

HttpRequest quick(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.options.first_backoff = milliseconds(5);
  request.options.connect_timeout = milliseconds(2000);
  return request;
}

std::string letters(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

// Answers the first requests with `faults`, the others with `good`.
TestServer::Handler faulty(std::vector<ServerResponse> faults, TestServer::Handler good) {
  auto count = std::make_shared<std::atomic<std::size_t>>(0);
  return [faults = std::move(faults), good = std::move(good), count](const ServerRequest& request) {
    const auto n = (*count)++;
    return n < faults.size() ? faults[n] : good(request);
  };
}

ServerResponse text_response(int status, std::string body) {
  ServerResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

ServerResponse dropped() {
  ServerResponse response;
  response.drop = true;
  return response;
}

TestServer::Handler says(std::string body) {
  return [body](const ServerRequest&) { return text_response(200, body); };
}

}  // namespace

TEST_CASE("a GET gives status, headers and body") {
  TestServer server([](const ServerRequest& request) {
    auto response = text_response(200, "hello " + request.headers.at("x-name"));
    response.headers = {{"X-Kind", " greeting "}};
    return response;
  });
  auto request = quick(server.url("/a?b=c"));
  request.headers = {{"X-Name", "you"}};
  const auto response = http_request(request);
  CHECK(response.status == 200);
  CHECK(response.body == "hello you");
  CHECK(response.header("x-kind") == "greeting");
  CHECK(response.url == server.url("/a?b=c"));
  CHECK(server.requests().at(0).target == "/a?b=c");
}

TEST_CASE("connections are kept alive, also from one thread to the next") {
  TestServer server(says("x"));
  for (int i = 0; i < 3; ++i) http_request(quick(server.url()));
  std::thread([&] { http_request(quick(server.url())); }).join();
  for (const auto& request : server.requests()) CHECK(request.connection == 0);
}

TEST_CASE("requests from many threads at once all succeed") {
  TestServer server([](const ServerRequest& request) { return text_response(200, request.target); });
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const auto path = fmt::format("/{}/{}", t, i);
        if (http_request(quick(server.url(path))).body == path) ++right;
      }
    });
  }
  threads.clear();
  CHECK(right == 80);
}

TEST_CASE("a 404 is thrown with URL, status, the server's words and advice, and not repeated") {
  TestServer server([](const ServerRequest&) { return text_response(404, "no such\nthing"); });
  try {
    http_request(quick(server.url("/gone?secret=1")));
    FAIL();
  } catch (const HttpError& error) {
    CHECK(error.exit_class == ExitClass::network);
    CHECK(error.status == 404);
    CHECK(error.message == "GET " + server.url("/gone") + ": the server answered 404 Not Found: no such thing");
    CHECK(error.advice.find("nothing there") != std::string::npos);
  }
  CHECK(server.requests().size() == 1);
}

TEST_CASE("errors are returned to who wants to see them") {
  TestServer server([](const ServerRequest&) { return text_response(401, "who?"); });
  auto request = quick(server.url());
  request.throw_on_error = false;
  const auto response = http_request(request);
  CHECK(response.status == 401);
  CHECK(response.body == "who?");
}

TEST_CASE("a dropped connection and a 500 are tried again") {
  TestServer server(faulty({dropped(), text_response(500, "oops"), dropped()}, says("at last")));
  int told = 0;
  auto request = quick(server.url());
  request.on_retry = [&](std::string_view, milliseconds) { ++told; };
  CHECK(http_request(request).body == "at last");
  CHECK(told >= 1);
}

TEST_CASE("a server that never recovers is given up") {
  TestServer server([](const ServerRequest&) { return text_response(503, ""); });
  auto request = quick(server.url());
  request.options.attempts = 3;
  try {
    http_request(request);
    FAIL();
  } catch (const HttpError& error) {
    CHECK(error.status == 503);
    CHECK(error.advice.find("the build does not") != std::string::npos);
  }
  CHECK(server.requests().size() == 3);
}

TEST_CASE("Retry-After is honoured") {
  auto busy = text_response(429, "");
  busy.headers = {{"Retry-After", "1"}};
  TestServer server(faulty({busy}, says("ok")));
  const auto start = std::chrono::steady_clock::now();
  CHECK(http_request(quick(server.url())).body == "ok");
  CHECK(std::chrono::steady_clock::now() - start >= milliseconds(950));
}

TEST_CASE("a wait longer than granted is an error at once") {
  auto busy = text_response(429, "slow down");
  busy.headers = {{"Retry-After", "3600"}};
  TestServer server(faulty({busy}, says("ok")));
  CHECK_THROWS_AS(http_request(quick(server.url())), HttpError);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("redirects are followed, and Authorization stays with its host") {
  TestServer other(says("moved"));
  TestServer server([&](const ServerRequest&) {
    auto response = text_response(302, "ignored");
    response.headers = {{"Location", other.url("/new")}};
    return response;
  });
  auto request = quick(server.url("/old"));
  request.headers = {{"Authorization", "Bearer secret"}};
  const auto response = http_request(request);
  CHECK(response.body == "moved");
  CHECK(response.url == other.url("/new"));
  CHECK(server.requests().at(0).headers.at("authorization") == "Bearer secret");
  CHECK(other.requests().at(0).headers.count("authorization") == 0);
}

TEST_CASE("a redirected upload is sent again from its start") {
  TestServer server([](const ServerRequest& request) {
    auto response = text_response(request.path() == "/a" ? 307 : 201, "");
    if (request.path() == "/a") response.headers = {{"Location", "/b"}};
    return response;
  });
  auto request = quick(server.url("/a"));
  request.method = "PUT";
  request.upload = upload_from_string("payload");
  CHECK(http_request(request).status == 201);
  CHECK(server.requests().at(1).method == "PUT");
  CHECK(server.requests().at(1).body == "payload");
}

TEST_CASE("a download goes on where it stopped") {
  const auto content = letters(500'000);
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest& request) {
    auto response = serve_file(request, content, "\"v1\"");
    if (count++ < 2) response.cut_after = 100'000;
    return response;
  });
  std::string got;
  int heads = 0;
  auto request = quick(server.url());
  request.on_data = [&](std::string_view bytes) { got += bytes; };
  request.on_response = [&](const HttpResponse&) { ++heads; };
  http_request(request);
  CHECK(got == content);
  CHECK(heads == 1);
  const auto requests = server.requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].headers.at("range").starts_with("bytes="));
  CHECK(requests[1].headers.at("if-range") == "\"v1\"");
}

TEST_CASE("a download starts over when the file has changed meanwhile") {
  const auto before = letters(200'000), after = std::string(150'000, 'z');
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest& request) {
    if (count++ > 0) return serve_file(request, after, "\"v2\"");
    auto response = serve_file(request, before, "\"v1\"");
    response.cut_after = 50'000;
    return response;
  });
  std::string got;
  auto request = quick(server.url());
  request.on_data = [&](std::string_view bytes) { got += bytes; };
  request.on_restart = [&] { got.clear(); };
  http_request(request);
  CHECK(got == after);
}

TEST_CASE("a download without ETag starts over, or fails when it can't") {
  const auto content = letters(200'000);
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest&) {
    auto response = text_response(200, content);
    if (count++ % 2 == 0) response.cut_after = 50'000;
    return response;
  });
  std::string got;
  auto request = quick(server.url());
  request.on_data = [&](std::string_view bytes) { got += bytes; };
  request.on_restart = [&] { got.clear(); };
  http_request(request);
  CHECK(got == content);
  CHECK(server.requests().at(1).headers.count("range") == 0);

  request.on_restart = nullptr;
  CHECK_THROWS_AS(http_request(request), HttpError);
}

TEST_CASE("a range that the server refuses is not asked for again") {
  const auto content = letters(200'000);
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest& request) {
    auto response = text_response(200, content);
    response.headers = {{"ETag", "\"v\""}};
    if (count++ == 0) response.cut_after = 50'000;
    if (request.headers.contains("range")) response = text_response(416, "");
    return response;
  });
  std::string got;
  auto request = quick(server.url());
  request.on_data = [&](std::string_view bytes) { got += bytes; };
  request.on_restart = [&] { got.clear(); };
  http_request(request);
  CHECK(got == content);
}

TEST_CASE("a body longer than allowed is an error") {
  TestServer server(says(letters(5000)));
  auto request = quick(server.url());
  request.max_body = 1000;
  CHECK_THROWS_WITH(http_request(request), Catch::Contains("longer than 1000 bytes"));
}

TEST_CASE("what a callback throws passes through") {
  TestServer server(says("data"));
  auto request = quick(server.url());
  request.on_data = [](std::string_view) { throw Error(ExitClass::store, "disk full"); };
  CHECK_THROWS_WITH(http_request(request), "disk full");
}

TEST_CASE("uploads of known and unknown size arrive whole") {
  TestServer server(says(""));
  auto request = quick(server.url());
  request.method = "PATCH";
  const auto content = letters(3'000'000);
  request.upload = upload_from_string(content);
  http_request(request);
  request.upload = upload_from_string(content);
  request.upload->size.reset();
  http_request(request);
  const auto requests = server.requests();
  CHECK(requests.at(0).body == content);
  CHECK(requests.at(0).headers.at("content-length") == "3000000");
  CHECK(requests.at(1).body == content);
  CHECK(requests.at(1).headers.at("transfer-encoding") == "chunked");
}

TEST_CASE("an upload from a file is repeated from its start") {
  TestServer server(faulty({text_response(502, "")}, says("")));
  const Fd file = memory_file("file content");
  auto request = quick(server.url());
  request.method = "PUT";
  request.upload = upload_from_file(file.get());
  http_request(request);
  CHECK(server.requests().at(1).body == "file content");
}

TEST_CASE("an upload that cannot be rewound is not repeated") {
  TestServer server([](const ServerRequest&) { return text_response(502, ""); });
  auto request = quick(server.url());
  request.method = "PUT";
  request.upload = upload_from_string("x");
  request.upload->rewind = nullptr;
  CHECK_THROWS_AS(http_request(request), HttpError);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("a POST without a body has Content-Length 0 and no content type") {
  TestServer server(says(""));
  auto request = quick(server.url());
  request.method = "POST";
  http_request(request);
  CHECK(server.requests().at(0).headers.at("content-length") == "0");
  CHECK(server.requests().at(0).headers.count("content-type") == 0);
}

TEST_CASE("HEAD has headers and no body") {
  TestServer server(says("12345"));
  auto request = quick(server.url());
  request.method = "HEAD";
  const auto response = http_request(request);
  CHECK(response.header("content-length") == "5");
  CHECK(response.body.empty());
}

TEST_CASE("a stop ends a hanging request at once") {
  TestServer server([](const ServerRequest&) {
    ServerResponse response;
    response.hang = true;
    return response;
  });
  std::stop_source stop;
  auto request = quick(server.url());
  request.stop = stop.get_token();
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(http_request(request), Cancelled);
  CHECK(std::chrono::steady_clock::now() - start < milliseconds(60'000));
}

TEST_CASE("a stop ends the wait before the next attempt") {
  auto busy = text_response(429, "");
  busy.headers = {{"Retry-After", "30"}};
  TestServer server([&](const ServerRequest&) { return busy; });
  std::stop_source stop;
  auto request = quick(server.url());
  request.stop = stop.get_token();
  request.on_retry = [&](std::string_view, milliseconds) { stop.request_stop(); };
  CHECK_THROWS_AS(http_request(request), Cancelled);
}

TEST_CASE("a server that stalls is given up after the stall timeout") {
  TestServer server([](const ServerRequest&) {
    ServerResponse response;
    response.hang = true;
    return response;
  });
  auto request = quick(server.url());
  request.options.attempts = 1;
  request.options.stall_timeout = std::chrono::seconds(1);
  try {
    http_request(request);
    FAIL();
  } catch (const HttpError& error) {
    CHECK(error.failure == HttpFailure::timeout);
  }
}

TEST_CASE("nobody listening is a connect failure with advice") {
  auto request = quick(fmt::format("http://127.0.0.1:{}/", free_port()));
  request.options.attempts = 2;
  try {
    http_request(request);
    FAIL();
  } catch (const HttpError& error) {
    CHECK(error.failure == HttpFailure::connect);
    CHECK(error.message.find("after 2 attempts") != std::string::npos);
    CHECK_FALSE(error.advice.empty());
  }
}

TEST_CASE("a proxy from the environment is used, but not for this host") {
  TestServer proxy(says("by proxy"));
  const ScopedVariable variable("HTTP_PROXY", proxy.url());
  TestServer server(says("direct"));
  CHECK(http_request(quick("http://elsewhere.invalid/x")).body == "by proxy");
  CHECK(proxy.requests().at(0).target == "http://elsewhere.invalid/x");
  CHECK(http_request(quick(server.url())).body == "direct");
}

TEST_CASE("other schemes and header values with line breaks are refused") {
  CHECK_THROWS_WITH(http_request(quick("file:///etc/passwd")), Catch::Contains("not an http or https URL"));
  auto request = quick("http://127.0.0.1/");
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK_THROWS_WITH(http_request(request), Catch::Contains("line break"));
}

TEST_CASE("HTTP dates are read") {
  CHECK(parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT") == 1445412480);
  CHECK(parse_http_date("Wednesday, 21-Oct-15 07:28:00 GMT") == 1445412480);
  CHECK(parse_http_date("Wed Oct 21 07:28:00 2015") == 1445412480);
  CHECK_FALSE(parse_http_date(""));
  CHECK_FALSE(parse_http_date("Wed, 21 Oct 2015"));
  CHECK_FALSE(parse_http_date("yesterday-ish"));
}
