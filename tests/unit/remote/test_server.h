#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"

// An HTTP/1.1 server on 127.0.0.1 that can misbehave on request.
namespace mbuild::remote::testing {

struct ServerRequest {
  std::string method, target;                  // target with query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // number of the connection it came on

  std::string path() const { return target.substr(0, target.find('?')); }
};

struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<std::size_t> cut_after;  // bytes of the body sent before the connection is broken
  bool drop = false;                     // the connection is broken without an answer
  bool hang = false;                     // no answer until the server ends
};

class TestServer {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;

  explicit TestServer(Handler handler);
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer();

  std::string url(const std::string& path = "") const { return "http://" + host() + path; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<ServerRequest> requests() const;

 private:
  void accept_connections();
  void serve(int fd, int number);
  bool answer(int fd, const ServerRequest& request);

  Handler handler_;
  Fd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  bool ended_ = false;
  std::vector<ServerRequest> requests_;
  std::set<int> open_;  // sockets of live connections
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// Serves `content` with ETag and Range as a good file server does.
ServerResponse serve_file(const ServerRequest& request, const std::string& content, const std::string& etag);

}  // namespace mbuild::remote::testing
