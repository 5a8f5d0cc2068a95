#include "tests/unit/remote/test_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "base/strings.h"

namespace mbuild::remote::testing {
namespace {

// Reads from a socket by line and by size.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {}

  bool line(std::string& out) {
    std::size_t end;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!more()) return false;
    }
    out = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }

  bool bytes(std::size_t size, std::string& out) {
    while (buffer_.size() < size) {
      if (!more()) return false;
    }
    out += buffer_.substr(0, size);
    buffer_.erase(0, size);
    return true;
  }

 private:
  bool more() {
    char chunk[65536];
    const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
    if (n > 0) buffer_.append(chunk, static_cast<std::size_t>(n));
    return n > 0;
  }

  int fd_;
  std::string buffer_;
};

bool read_chunked(Reader& reader, std::string& body) {
  for (std::string line; reader.line(line);) {
    const auto size = std::stoul(line, nullptr, 16);
    if (!reader.bytes(size, body) || !reader.line(line)) return false;
    if (size == 0) return true;
  }
  return false;
}

bool read_request(Reader& reader, ServerRequest& request) {
  std::string line;
  if (!reader.line(line)) return false;
  const auto words = split(line, ' ');
  request.method = words.at(0);
  request.target = words.at(1);
  while (reader.line(line) && !line.empty()) {
    const auto colon = line.find(':');
    request.headers[to_lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
  }
  if (request.headers["transfer-encoding"] == "chunked") return read_chunked(reader, request.body);
  const auto length = request.headers["content-length"];
  return length.empty() || reader.bytes(std::stoul(length), request.body);
}

bool send_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

TestServer::TestServer(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, size) < 0 || ::listen(listener_.get(), 64) < 0 ||
      ::getsockname(listener_.get(), generic, &size) < 0) {
    throw std::runtime_error("the test server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_connections(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

std::vector<ServerRequest> TestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TestServer::accept_connections() {
  for (int number = 0;; ++number) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (ended_) {
      ::close(fd);
      return;
    }
    open_.insert(fd);
    threads_.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

void TestServer::serve(int fd, int number) {
  Reader reader(fd);
  for (;;) {
    ServerRequest request;
    request.connection = number;
    if (!read_request(reader, request)) break;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    if (!answer(fd, request)) break;
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

bool TestServer::answer(int fd, const ServerRequest& request) {
  const ServerResponse response = handler_(request);
  if (response.drop) return false;
  if (response.hang) {
    char byte;
    ::recv(fd, &byte, 1, 0);  // until either side ends the connection
    return false;
  }
  std::string head = fmt::format("HTTP/1.1 {} Status\r\n", response.status);
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  const bool bodiless = response.status == 304 || response.status == 204;
  if (!bodiless) head += fmt::format("Content-Length: {}\r\n", response.body.size());
  if (!send_text(fd, head + "\r\n")) return false;
  if (bodiless || request.method == "HEAD") return true;
  if (!response.cut_after) return send_text(fd, response.body);
  send_text(fd, std::string_view(response.body).substr(0, *response.cut_after));
  return false;
}

ServerResponse serve_file(const ServerRequest& request, const std::string& content, const std::string& etag) {
  ServerResponse response;
  response.headers = {{"ETag", etag}, {"Accept-Ranges", "bytes"}};
  const auto header = [&](const char* name) {
    const auto it = request.headers.find(name);
    return it != request.headers.end() ? it->second : std::string();
  };
  if (header("if-none-match").find(etag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  response.body = content;
  const auto range = header("range"), condition = header("if-range");
  if (range.starts_with("bytes=") && (condition.empty() || condition == etag)) {
    const auto start = std::stoul(range.substr(6));
    response.status = 206;
    response.body = content.substr(start);
    response.headers.emplace_back("Content-Range",
                                  fmt::format("bytes {}-{}/{}", start, content.size() - 1, content.size()));
  }
  return response;
}

}  // namespace mbuild::remote::testing
