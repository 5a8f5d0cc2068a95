#include "worker/sandbox/socket_calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/fd.h"
#include "worker/snapshot/mount_calls.h"

namespace mbuild::executor {
namespace {

using SocketArguments = std::array<std::int32_t, 3>;  // family, type, protocol

bool is_same_namespace(const Fd& a, const Fd& b) {
  struct stat first, second;
  return ::fstat(a.get(), &first) == 0 && ::fstat(b.get(), &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

// Families of ordinary programs; raw sockets are for privileged ones, whose privileges are not looked at here.
bool may_have(const SocketArguments& arguments) {
  constexpr int k_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  const int type = arguments[1] & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  const bool plain = type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET ||
                     (type == SOCK_RAW && arguments[0] == AF_NETLINK);
  return plain && std::find(std::begin(k_families), std::end(k_families), arguments[0]) != std::end(k_families);
}

// On a thread of its own, since it enters the network; -errno for what fails.
int make_socket_in(const Fd& network, const SocketArguments& arguments, Fd& made) {
  int code = 0;
  std::jthread([&] {
    const Fd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!own || (!is_same_namespace(own, network) && ::setns(network.get(), CLONE_NEWNET) < 0)) {
      code = EPERM;
      return;
    }
    made = Fd(::socket(arguments[0], arguments[1] | SOCK_CLOEXEC, arguments[2]));
    if (!made) code = errno;
  }).join();
  return code;
}

bool read_socket_arguments(const seccomp_notif& notification, SocketArguments& out) {
  iovec local = {out.data(), sizeof out};
  iovec remote = {reinterpret_cast<void*>(notification.data.args[1]), sizeof out};
  return ::process_vm_readv(static_cast<pid_t>(notification.pid), &local, 1, &remote, 1, 0) == sizeof out;
}

Fd network_of(pid_t pid) {
  // The host's /proc does not know the pids of this namespace.
  const Fd proc = make_filesystem("proc", {}, 0);
  return open_at(proc.get(), fmt::format("{}/ns/net", pid), O_RDONLY);
}

// 0, or an errno.
int hand_over_socket(int listener, const seccomp_notif& notification) {
  SocketArguments arguments = {};
  if (!read_socket_arguments(notification, arguments)) return EFAULT;
  if (!may_have(arguments)) return EPERM;
  const Fd network = network_of(static_cast<pid_t>(notification.pid));
  auto id = notification.id;
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0) return EINTR;
  Fd made;
  if (const int code = make_socket_in(network, arguments, made); code != 0) return code;
  seccomp_notif_addfd handed = {};
  handed.id = notification.id;
  handed.flags = SECCOMP_ADDFD_FLAG_SEND;  // the answer is the number that it gets
  handed.srcfd = static_cast<std::uint32_t>(made.get());
  handed.newfd_flags = (arguments[1] & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &handed) < 0 ? EPERM : 0;
}

}  // namespace

bool is_socket_request(const seccomp_notif& notification) {
  const auto number = static_cast<std::uint32_t>(notification.data.nr);
  switch (notification.data.arch) {
    case AUDIT_ARCH_I386:
      return number == k_i386_socketcall || number == k_i386_socket;
    case AUDIT_ARCH_ARM:
      return number == k_arm_socket;
    default:
      return number == SYS_socket;
  }
}

void answer_socket_request(int listener, const seccomp_notif& notification) {
  const bool in_memory = notification.data.arch == AUDIT_ARCH_I386 &&
                         static_cast<std::uint32_t>(notification.data.nr) == k_i386_socketcall;
  int code = in_memory ? EPERM : 0;
  try {
    if (in_memory && (code = hand_over_socket(listener, notification)) == 0) return;
  } catch (const std::exception&) {
    // the process has gone, or shows nothing of itself
  }
  std::array<char, 256> bytes = {};  // more than any kernel's structure has
  auto* response = reinterpret_cast<seccomp_notif_resp*>(bytes.data());
  response->id = notification.id;
  response->error = -code;
  if (!in_memory) response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response);
}

}  // namespace mbuild::executor
