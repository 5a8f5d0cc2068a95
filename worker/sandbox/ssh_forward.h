#pragma once

#include <string>
#include <thread>

#include "base/fd.h"

namespace mbuild::executor {

// A socket in `directory` (an empty one) on which RUN --mount=type=ssh reaches an agent. It is not the agent's own
// socket because that one's owner and mode are the user's affair, and the step asks for others. Connections wait until
// serve_agent.
struct AgentSocket {
  Fd listener;
  std::string agent;  // the agent's own socket
  std::string path;
};
AgentSocket make_agent_socket(const std::string& agent, const std::string& directory, unsigned uid, unsigned gid,
                              unsigned mode);

// Serves the clients of the socket until the thread is asked to stop: what only reads reaches the agent
// (agent_protocol.h), all else is answered with failure. The socket outlives the thread.
std::jthread serve_agent(const AgentSocket& socket);

}  // namespace mbuild::executor
