#pragma once

#include <linux/seccomp.h>

#include <cstdint>

// Sockets that a step makes by i386's socketcall, the way of 32-bit programs with glibc. Its arguments are in memory,
// which another thread may change after whoever looks at them: so the socket is made here, of the arguments that were
// looked at, and handed over.
namespace mbuild::executor {

inline constexpr std::uint32_t k_i386_socketcall = 102, k_i386_socket = 359;

bool is_socket_call(const seccomp_notif& notification);
// Makes the socket in the network of the process that asks, and answers; denied are the families that the filter
// denies, and sockets for which privileges are needed.
void answer_socket_call(int listener, const seccomp_notif& notification);

}  // namespace mbuild::executor
