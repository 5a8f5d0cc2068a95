#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// The frames that a client and an ssh agent exchange: a length of four bytes, big-endian, and as many bytes, of which
// the first is the type. A build may use the keys of an agent, not change what it holds.
namespace mbuild::executor {

inline constexpr std::size_t k_max_agent_frame = 256 * 1024;  // OpenSSH's own bound

enum class FrameState { incomplete, whole, malformed };

struct AgentFrame {
  FrameState state = FrameState::incomplete;
  std::string_view body;  // whole: type and content, without the length
};

// The frame that `bytes` begin with; malformed are one without a type and one that is longer than the bound.
AgentFrame first_frame(std::string_view bytes);

// How many bytes it takes of the stream.
inline std::size_t frame_size(const AgentFrame& frame) { return 4 + frame.body.size(); }

// True for a request that leaves the agent as it is: the list of its identities, and a signature. One that is not
// written as the protocol has it is none of them.
bool reads_only(std::string_view request);

// True when the answer is of a kind that a request which passes may get.
bool is_answer(std::string_view answer);

// The whole frame of the answer that something did not work.
std::string failure_frame();

}  // namespace mbuild::executor
