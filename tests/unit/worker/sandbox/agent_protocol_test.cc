#include "worker/sandbox/agent_protocol.h"

#include "tests/catch.h"

namespace mbuild::executor {
namespace {

std::string number(std::size_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift);
  return out;
}

std::string sign_request(std::string_view key, std::string_view data) {
  return "\x0d" + number(key.size()) + std::string(key) + number(data.size()) + std::string(data) + number(0);
}

}  // namespace

TEST_CASE("frames of an agent's stream are found within their bounds") {
  CHECK(first_frame("").state == FrameState::incomplete);
  CHECK(first_frame(number(2) + "a").state == FrameState::incomplete);
  const std::string two = number(2) + "abrest";
  CHECK(first_frame(two).body == "ab");
  CHECK(frame_size(first_frame(two)) == 6);
  CHECK(first_frame(number(0)).state == FrameState::malformed);
  CHECK(first_frame(number(k_max_agent_frame)).state == FrameState::incomplete);
  CHECK(first_frame(number(k_max_agent_frame + 1)).state == FrameState::malformed);
  CHECK(first_frame("\xff\xff\xff\xff").state == FrameState::malformed);
}

TEST_CASE("of an agent's requests the list of identities and signing only read") {
  CHECK(reads_only("\x0b"));
  CHECK(reads_only(sign_request("key", "data")));
  CHECK(reads_only(sign_request("", "")));
  CHECK_FALSE(reads_only(""));
  CHECK_FALSE(reads_only("\x0b "));                            // more than the protocol has
  CHECK_FALSE(reads_only("\x0d"));                             // less
  CHECK_FALSE(reads_only(sign_request("key", "data") + "x"));  // more
  CHECK_FALSE(reads_only("\x0d" + number(0xffffffff) + "key"));
  for (int type = 0; type < 256; ++type) {
    if (type != 11) CHECK_FALSE(reads_only(std::string(1, static_cast<char>(type))));
  }
}

}  // namespace mbuild::executor
