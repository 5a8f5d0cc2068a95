#pragma once

#include <linux/seccomp.h>

#include <cstdint>

// Sockets that a step makes by i386's socketcall, the way of 32-bit programs with glibc. Its arguments are in memory,
// which another thread may change after whoever looks at them: so the socket is made here, of the arguments that were
// looked at, and handed over.
namespace mbuild::executor {

inline constexpr std::uint32_t k_i386_socketcall = 102, k_i386_socket = 359, k_arm_socket = 281;

// By that call, or by one that the filter stops for (held_sockets.h).
bool is_socket_request(const seccomp_notif& notification);
// Answers: the kernel goes on with a call whose arguments are in registers. For the other one the socket is made, in
// the network of the process that asks; denied are the families that the filter denies, and sockets for which
// privileges are needed.
void answer_socket_request(int listener, const seccomp_notif& notification);

}  // namespace mbuild::executor
