#include "worker/sandbox/agent_protocol.h"

#include <cstdint>
#include <optional>

namespace mbuild::executor {
namespace {

constexpr char k_failure = 5;
constexpr char k_request_identities = 11;
constexpr char k_identities = 12;
constexpr char k_sign_request = 13;
constexpr char k_sign_response = 14;

// Takes a number off the front; nothing when there is none.
std::optional<std::uint32_t> take_number(std::string_view& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  bytes.remove_prefix(4);
  return value;
}

bool take_string(std::string_view& bytes) {
  const auto length = take_number(bytes);
  if (!length || *length > bytes.size()) return false;
  bytes.remove_prefix(*length);
  return true;
}

// Key, data, flags.
bool is_sign_request(std::string_view content) {
  return take_string(content) && take_string(content) && take_number(content) && content.empty();
}

}  // namespace

AgentFrame first_frame(std::string_view bytes) {
  const auto length = take_number(bytes);
  if (!length) return {};
  if (*length == 0 || *length > k_max_agent_frame) return {FrameState::malformed, {}};
  if (bytes.size() < *length) return {};
  return {FrameState::whole, bytes.substr(0, *length)};
}

bool reads_only(std::string_view request) {
  if (request.empty()) return false;
  if (request[0] == k_request_identities) return request.size() == 1;
  return request[0] == k_sign_request && is_sign_request(request.substr(1));
}

bool is_answer(std::string_view answer) {
  return !answer.empty() && (answer[0] == k_failure || answer[0] == k_identities || answer[0] == k_sign_response);
}

std::string failure_frame() { return std::string("\0\0\0\1", 4) + k_failure; }

}  // namespace mbuild::executor
