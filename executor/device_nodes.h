#pragma once

namespace mbuild::executor {

// Answers one request of a sandboxed process to make a device node, from the listener of its seccomp filter. `listener`
// is readable. What can't be done is answered with an error to that process.
void answer_device_node(int listener);

}  // namespace mbuild::executor
