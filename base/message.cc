#include "base/message.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/codec.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_inline_limit = 64 * 1024;
constexpr std::size_t k_max_fds = 253;  // SCM_MAX_FD
constexpr std::size_t k_max_message = k_inline_limit + 4096;

struct Header {
  std::uint64_t id = 0;
  std::uint64_t payload_size = 0;
  std::uint32_t operation_size = 0;
  MessageType type = MessageType::request;
  bool payload_in_file = false;  // the last descriptor
};

union ControlBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(sizeof(int) * k_max_fds)> bytes;
};

std::vector<Fd> received_fds(msghdr& header) {
  std::vector<Fd> out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      out.emplace_back(fd);
    }
  }
  return out;
}

}  // namespace

SocketPair make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
    throw system_error(errno, "socketpair", ExitClass::host);
  }
  return {Fd(fds[0]), Fd(fds[1])};
}

bool send_message(int socket, const Message& message, std::span<const int> fds) {
  Header header{message.id, message.payload.size(), static_cast<std::uint32_t>(message.operation.size()), message.type};
  std::vector<int> all(fds.begin(), fds.end());
  Fd file;
  if (message.payload.size() > k_inline_limit) {
    file = memory_file(message.payload);
    all.push_back(file.get());
    header.payload_in_file = true;
  }
  if (all.size() > k_max_fds || message.operation.size() > 1024) {
    throw Error(ExitClass::internal, fmt::format("a message with {} descriptors", all.size()));
  }
  iovec parts[3] = {{&header, sizeof header},
                    {const_cast<char*>(message.operation.data()), message.operation.size()},
                    {const_cast<char*>(message.payload.data()), header.payload_in_file ? 0 : message.payload.size()}};
  ControlBuffer control = {};
  msghdr packet = {};
  packet.msg_iov = parts;
  packet.msg_iovlen = 3;
  if (!all.empty()) {
    packet.msg_control = control.bytes.data();
    packet.msg_controllen = CMSG_SPACE(sizeof(int) * all.size());
    cmsghdr* c = CMSG_FIRSTHDR(&packet);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * all.size());
    std::memcpy(CMSG_DATA(c), all.data(), sizeof(int) * all.size());
  }
  ssize_t n;
  do {
    n = ::sendmsg(socket, &packet, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return true;
  if (errno == EPIPE || errno == ECONNRESET) return false;
  throw system_error(errno, "sendmsg", ExitClass::host);
}

std::optional<Message> receive_message(int socket) {
  // Not cleared: most messages are short, and pages that nothing is written to cost nothing.
  const auto memory = std::make_unique_for_overwrite<char[]>(k_max_message);
  ControlBuffer control;
  iovec part = {memory.get(), k_max_message};
  msghdr packet = {};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  packet.msg_control = control.bytes.data();
  packet.msg_controllen = control.bytes.size();
  ssize_t n;
  do {
    n = ::recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return std::nullopt;
  if (n < 0) throw system_error(errno, "recvmsg", ExitClass::host);

  Message message;
  message.fds = received_fds(packet);
  Header header;
  const std::string_view buffer(memory.get(), static_cast<std::size_t>(n));
  if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || buffer.size() < sizeof header) {
    throw Error(ExitClass::host, "a message between mbuild's processes was cut")
        .with_advice("raise the limit of open files: ulimit -n 4096");
  }
  std::memcpy(&header, buffer.data(), sizeof header);
  message.type = header.type;
  message.id = header.id;
  message.operation = buffer.substr(sizeof header, header.operation_size);
  if (header.payload_in_file) {
    const Fd file = std::move(message.fds.back());
    message.fds.pop_back();
    message.large = MappedFile(file.get(), "a message");
  } else {
    message.payload = buffer.substr(sizeof header + header.operation_size);
  }
  return message;
}

namespace {

struct SentError {
  ExitClass exit_class = ExitClass::internal;
  std::string message, advice, excerpt;
  int code = 0;
  std::vector<std::string> context;
};

}  // namespace

std::string encode_error(const Error& error) {
  return encode(SentError{.exit_class = error.exit_class,
                          .message = error.message,
                          .advice = error.advice,
                          .excerpt = error.excerpt,
                          .code = error.code,
                          .context = error.context});
}

Error decode_error(std::string_view text) {
  auto sent = decode<SentError>(text);
  Error error(sent.exit_class, std::move(sent.message));
  error.advice = std::move(sent.advice);
  error.excerpt = std::move(sent.excerpt);
  error.code = sent.code;
  for (auto& context : sent.context) error.with_context(std::move(context));
  return error;
}

}  // namespace mbuild::executor
