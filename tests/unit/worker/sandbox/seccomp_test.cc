#include "worker/sandbox/seccomp.h"

#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>

#include "emu/accel/piece/protocol.h"
#include "tests/catch.h"
#include "tests/unit/worker/sandbox/docker_profile.h"
#include "worker/sandbox/socket_calls.h"

// What the filter says is found by running it, as the kernel does.
namespace mbuild::executor {
namespace {

struct Architecture {
  std::uint32_t audit, seccomp;
};
#if defined(__aarch64__)
constexpr Architecture k_native = {AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64}, k_other = {AUDIT_ARCH_ARM, SCMP_ARCH_ARM};
#else
constexpr Architecture k_native = {AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64}, k_other = {AUDIT_ARCH_I386, SCMP_ARCH_X86};
#endif

constexpr std::uint32_t k_denied = SECCOMP_RET_ERRNO | EPERM, k_absent = SECCOMP_RET_ERRNO | ENOSYS;

bool holds(const sock_filter& jump, std::uint32_t value) {
  switch (BPF_OP(jump.code)) {
    case BPF_JEQ:
      return value == jump.k;
    case BPF_JGT:
      return value > jump.k;
    case BPF_JGE:
      return value >= jump.k;
    default:
      return (value & jump.k) != 0;  // BPF_JSET
  }
}

std::uint32_t answer(const BpfProgram& program, const seccomp_data& call) {
  std::uint32_t value = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& step = program[at];
    switch (BPF_CLASS(step.code)) {
      case BPF_LD:
        std::memcpy(&value, reinterpret_cast<const char*>(&call) + step.k, sizeof value);
        break;
      case BPF_ALU:
        value &= step.k;
        break;
      case BPF_JMP:
        at += BPF_OP(step.code) == BPF_JA ? step.k : holds(step, value) ? step.jt : step.jf;
        break;
      default:
        return step.k;
    }
  }
  return 0;
}

std::uint32_t ask(const Architecture& architecture, int number, std::uint64_t first = 0, std::uint64_t second = 0) {
  static const BpfProgram program = build_sandbox_filter();
  return answer(program, {number, architecture.audit, 0, {first, second, 0, 0, 0, 0}});
}

int number_of(const Architecture& architecture, const char* name) {
  return ::seccomp_syscall_resolve_name_arch(architecture.seccomp, name);
}

// Names that a libseccomp may be too old for.
const char* newer_name(int number) {
  constexpr const char* names[] = {"set_mempolicy_home_node",
                                   "cachestat",
                                   "fchmodat2",
                                   "map_shadow_stack",
                                   "futex_wake",
                                   "futex_wait",
                                   "futex_requeue",
                                   "statmount",
                                   "listmount",
                                   "lsm_get_self_attr",
                                   "lsm_set_self_attr",
                                   "lsm_list_modules",
                                   "mseal",
                                   "setxattrat",
                                   "getxattrat",
                                   "listxattrat",
                                   "removexattrat",
                                   "open_tree_attr",
                                   "file_getattr",
                                   "file_setattr"};
  return number >= 450 && number < 470 ? names[number - 450] : nullptr;
}

std::string name_of(const Architecture& architecture, int number) {
  if (const char* name = newer_name(number)) return name;
  char* known = ::seccomp_syscall_resolve_num_arch(architecture.seccomp, number);
  const std::string out = known != nullptr ? known : "";
  std::free(known);
  return out;
}

bool docker_allows(const std::string& name) {
  return std::find(std::begin(test::k_docker_allows), std::end(test::k_docker_allows), name) !=
         std::end(test::k_docker_allows);
}

}  // namespace

TEST_CASE("the filter differs from Docker's profile in what the documentation lists") {
  std::set<std::string> stricter, laxer;
  for (const auto& architecture : {k_native, k_other}) {
    for (int number = 0; number < 520; ++number) {
      const std::string name = name_of(architecture, number);
      if (name.empty()) continue;
      const std::uint32_t result = ask(architecture, number);
      const bool allowed = result == SECCOMP_RET_ALLOW || result == SECCOMP_RET_USER_NOTIF;
      if (allowed == docker_allows(name)) continue;
      (allowed ? laxer : stricter).insert(name);
    }
  }
  CHECK(stricter == std::set<std::string>{"listmount", "statmount"});
  // Of the first C libraries for i386; half of them no kernel has.
  for (const char* name :
       {"afs_syscall", "break",    "ftime",    "getpmsg", "gtty",     "idle",        "lock",      "mpx",
        "nice",        "oldfstat", "oldlstat", "oldstat", "olduname", "oldolduname", "prof",      "profil",
        "putpmsg",     "readdir",  "security", "signal",  "sgetmask", "ssetmask",    "sigaction", "sigpending",
        "sigsuspend",  "stty",     "tuxcall",  "ulimit",  "vserver"}) {
    laxer.erase(name);
  }
  CHECK(laxer == std::set<std::string>{});
}

TEST_CASE("calls that are newer than the filter do not exist, whatever names libseccomp has") {
  for (const auto& architecture : {k_native, k_other}) {
    CHECK(ask(architecture, 460) == k_denied);  // lsm_set_self_attr
    CHECK(ask(architecture, 435) == k_absent);  // clone3
    CHECK(ask(architecture, 425) == k_denied);  // io_uring_setup
    for (int number = 467; number < 600; ++number) CHECK(ask(architecture, number) == k_absent);
  }
  CHECK(ask(k_native, 400) == k_absent);  // between the old numbers and the common ones
#if defined(__x86_64__)
  CHECK(ask(k_native, 0x40000000 | 39) == k_absent);  // x32
#endif
}

TEST_CASE("a step with native programs asks the supervisor for them and for the machine") {
  const BpfProgram program = with_machine(build_sandbox_filter());
  const auto says = [&](const Architecture& architecture, int number) {
    return answer(program, {number, architecture.audit, 0, {}});
  };
  CHECK(says(k_native, MBUILD_ACCEL_CALL) == SECCOMP_RET_USER_NOTIF);
  CHECK(says(k_native, number_of(k_native, "uname")) == SECCOMP_RET_USER_NOTIF);
  CHECK(says(k_other, number_of(k_other, "uname")) == SECCOMP_RET_ALLOW);
  CHECK(says(k_native, 401) == k_absent);
  CHECK(says(k_native, number_of(k_native, "mount")) == k_denied);
}

TEST_CASE("a step with native programs sets no limits of memory, as emulated programs set none") {
  const BpfProgram program = with_machine(build_sandbox_filter());
  const auto says = [&](const Architecture& architecture, std::uint64_t limit, std::uint64_t value) {
    return answer(program, {number_of(architecture, "prlimit64"), architecture.audit, 0, {0, limit, value}});
  };
  for (const std::uint64_t limit : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK}) {
    CHECK(says(k_native, limit, 0x7fff1000) == SECCOMP_RET_ERRNO);  // done, and nothing was
    CHECK(says(k_native, limit, 0) == SECCOMP_RET_ALLOW);
    CHECK(says(k_other, limit, 0x7fff1000) == SECCOMP_RET_ALLOW);
  }
  CHECK(says(k_native, RLIMIT_NOFILE, 0x7fff1000) == SECCOMP_RET_ALLOW);
}

TEST_CASE("the supervisor of an emulated step hears of signals by which programs end, and of no others") {
  const BpfProgram program = with_crashes(build_sandbox_filter());
  const auto says = [&](const char* call, std::uint64_t second, std::uint64_t third) {
    return answer(program, {number_of(k_native, call), k_native.audit, 0, {1, second, third}});
  };
  CHECK(says("kill", SIGSEGV, 0) == SECCOMP_RET_USER_NOTIF);
  CHECK(says("tgkill", 1, SIGABRT) == SECCOMP_RET_USER_NOTIF);
  CHECK(says("kill", SIGTERM, 0) == SECCOMP_RET_ALLOW);
  CHECK(says("kill", 0, SIGSEGV) == SECCOMP_RET_ALLOW);
  CHECK(says("tgkill", SIGABRT, SIGCHLD) == SECCOMP_RET_ALLOW);
}

TEST_CASE("before there is a network the calls that would see it stop, and what is denied stays so") {
  const BpfProgram program = with_held_sockets(build_sandbox_filter());
  const auto other = static_cast<int>(k_other.audit == AUDIT_ARCH_I386 ? k_i386_socket : k_arm_socket);
  for (const auto& [audit, number] :
       {std::pair(k_native.audit, number_of(k_native, "socket")), std::pair(k_other.audit, other)}) {
    const auto ask_for = [&](std::uint64_t family) {
      return answer(program, {number, audit, 0, {family, SOCK_STREAM, 0, 0, 0, 0}});
    };
    for (const int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_SMC}) {
      CHECK(ask_for(static_cast<std::uint64_t>(family)) == SECCOMP_RET_USER_NOTIF);
    }
    CHECK(ask_for(AF_UNIX) == SECCOMP_RET_ALLOW);
    CHECK(ask_for(AF_VSOCK) == k_denied);
    CHECK(ask_for(AF_ALG) == k_denied);
  }
  CHECK(answer(program, {number_of(k_native, "mount"), k_native.audit, 0, {}}) == k_denied);
}

TEST_CASE("sockets of the hypervisor and of the kernel's ciphers are denied in every way to ask for them") {
  for (const std::uint64_t family : {AF_VSOCK, AF_ALG}) {
    CHECK(ask(k_native, number_of(k_native, "socket"), family) == k_denied);
    // the kernel looks at the lower half of the register
    CHECK(ask(k_native, number_of(k_native, "socket"), family | 1ull << 32) == k_denied);
#if defined(__x86_64__)
    CHECK(ask(k_other, static_cast<int>(k_i386_socket), family) == k_denied);
#else
    CHECK(ask(k_other, number_of(k_other, "socket"), family) == k_denied);
#endif
  }
  CHECK(ask(k_native, number_of(k_native, "socket"), AF_INET) == SECCOMP_RET_ALLOW);
#if defined(__x86_64__)
  CHECK(ask(k_other, static_cast<int>(k_i386_socket), AF_INET) == SECCOMP_RET_ALLOW);
  CHECK(ask(k_other, static_cast<int>(k_i386_socketcall), SYS_SOCKET) == SECCOMP_RET_USER_NOTIF);
  CHECK(ask(k_other, static_cast<int>(k_i386_socketcall), SYS_CONNECT) == SECCOMP_RET_ALLOW);
#endif
}

TEST_CASE("namespaces can't be made by clone, whatever else its flags are") {
  for (const auto& architecture : {k_native, k_other}) {
    const int clone = number_of(architecture, "clone");
    CHECK(ask(architecture, clone, 17) == SECCOMP_RET_ALLOW);
    for (const unsigned flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWCGROUP}) {
      CHECK(ask(architecture, clone, flag | 17u) == k_denied);
    }
  }
}

}  // namespace mbuild::executor
