#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/mapped_file.h"

// What the outer and the inner process say to each other over SOCK_SEQPACKET sockets. Both ends are the same program,
// so the encoding has no version.
namespace mbuild::executor {

enum class MessageType : std::uint8_t {
  request = 'R',  // outer -> inner, with the reply socket as first descriptor
  binfmt = 'B',   // the same, handled by the supervisor itself
  cancel = 'C',   // outer -> inner: kill the job of request `id`
  ready = 'S',    // inner -> outer, once
  result = 'r',   // on the reply socket: payload is the result
  error = 'e',    // on the reply socket, or instead of `ready`: payload is encode_error
};

struct Message {
  MessageType type = MessageType::request;
  std::uint64_t id = 0;
  std::string operation;
  std::string payload;  // travels in a memfd when larger than 64 KiB
  std::vector<Fd> fds;
  MappedFile large = {};  // a payload that came so

  // The payload of a message that was received.
  std::string_view body() const { return large.bytes().empty() ? std::string_view(payload) : large.bytes(); }
};

struct SocketPair {
  Fd a, b;
};

SocketPair make_socket_pair();
// False when the other side has gone. Descriptors are duplicated by the kernel; at most 250 of them.
bool send_message(int socket, const Message& message, std::span<const int> fds = {});
// Waits for a message; nothing when the other side has gone.
std::optional<Message> receive_message(int socket);

std::string encode_error(const Error& error);
Error decode_error(std::string_view text);

}  // namespace mbuild::executor
