#include "worker/sandbox/seccomp.h"

#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "emu/accel/piece/protocol.h"
#include "worker/sandbox/socket_calls.h"

// Docker's default profile lists what is allowed, some 350 names, and answers EPERM to the rest. Its effect is written
// here the other way round: what it denies to a process with the default capabilities is listed, and everything that is
// newer than the list is answered ENOSYS. That is what C libraries expect of a call the kernel lacks, and makes them
// take the older one (EPERM makes them fail: the classic trouble with faccessat2 and fchmodat2). The program is a
// quarter of the size, and independent of how many names the libseccomp at hand knows.
//
// Beyond Docker's: making a device node is handed to the supervisor of the sandbox (device_nodes.h). A test compares
// the outcome with Docker's profile name by name; docs/security.md lists the differences.
namespace mbuild::executor {
namespace {

constexpr const char* k_denied[] = {
    // mounts and namespaces
    "mount", "umount", "umount2", "pivot_root", "setns", "unshare", "sethostname", "setdomainname",
    // the kernel and its devices
    "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "iopl", "ioperm", "vhangup", "syslog", "acct", "quotactl",
    "sysfs", "_sysctl", "uselib", "ustat", "nfsservctl", "lookup_dcookie", "vm86", "vm86old", "bdflush",
    // clocks
    "clock_settime", "clock_settime64", "settimeofday", "stime",
    // large attack surfaces
    "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "add_key", "request_key", "keyctl", "open_by_handle_at",
    // other processes and memory placement
    "kcmp", "move_pages", "migrate_pages", "mbind", "get_mempolicy", "set_mempolicy"};

// From this number on a call has the same one on all architectures (and x32 adds its bit): calls from here on are named
// by numbers, since the libseccomp at hand may not know them.
constexpr std::uint32_t k_first_common = 424;
constexpr std::uint32_t k_denied_numbers[] = {
    425, 426, 427,                      // io_uring_setup, io_uring_enter, io_uring_register
    428, 429, 430, 431, 432, 433, 442,  // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    438, 440,                           // pidfd_getfd, process_madvise
    443, 450,                           // quotactl_fd, set_mempolicy_home_node
    459, 460, 461};                     // lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules
// Answered as if the kernel lacked them: clone3, statmount, listmount.
constexpr std::uint32_t k_hidden_numbers[] = {435, 457, 458};
// The first that was not reviewed for these lists: it and all above do not exist.
constexpr std::uint32_t k_first_unknown = 467;

// The gap between the native architecture's own numbers and the common ones; it may be filled yet.
#if defined(__x86_64__)
constexpr std::uint32_t k_native_arch = AUDIT_ARCH_X86_64, k_first_of_gap = 336;
#elif defined(__aarch64__)
constexpr std::uint32_t k_native_arch = AUDIT_ARCH_AARCH64, k_first_of_gap = 295;
#else
constexpr std::uint32_t k_native_arch = 0, k_first_of_gap = k_first_common;
#endif

// Families that reach beyond the network namespace (the hypervisor), or far into the kernel.
constexpr std::uint32_t k_denied_families[] = {AF_VSOCK, AF_ALG};

constexpr unsigned k_namespace_flags = 0x7e020000;  // CLONE_NEW* that clone takes

using Context = std::unique_ptr<void, void (*)(void*)>;

[[noreturn]] void fail(int code, const char* what) {
  throw system_error(code < 0 ? -code : code, std::string("build the seccomp filter: ") + what, ExitClass::host);
}

void add(const Context& context, std::uint32_t action, const char* name,
         std::initializer_list<scmp_arg_cmp> conditions = {}) {
  const int call = ::seccomp_syscall_resolve_name(name);
  if (call == __NR_SCMP_ERROR) return;  // a newer name, beyond k_first_unknown or without effect
  const int code = ::seccomp_rule_add_array(context.get(), action, call, static_cast<unsigned>(conditions.size()),
                                            conditions.size() == 0 ? nullptr : conditions.begin());
  if (code < 0 && code != -EDOM && code != -EEXIST) fail(code, name);
}

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void add_denied(const Context& context) {
  for (const char* name : k_denied) add(context, SCMP_ACT_ERRNO(EPERM), name);
  // One rule a bit: any of them denies.
  for (unsigned bit = 1; bit != 0; bit <<= 1) {
    if ((bit & k_namespace_flags) != 0) add(context, SCMP_ACT_ERRNO(EPERM), "clone", {masked(0, bit, bit)});
  }
}

// personality takes 0, PER_LINUX32 and UNAME26 with either; 0xffffffff asks. A rule has one comparison an argument, so
// each other bit is denied where the top bit, which only the question has, is clear.
void add_personality(const Context& context) {
  constexpr std::uint64_t k_top = 0x80000000, k_allowed = 0x20008;
  for (std::uint64_t bit = 1; bit < k_top; bit <<= 1) {
    if ((bit & k_allowed) == 0) add(context, SCMP_ACT_ERRNO(EPERM), "personality", {masked(0, bit | k_top, bit)});
  }
}

void add_device_nodes(const Context& context) {
  if (::seccomp_api_get() < 5) return;  // no notifications
  for (const std::uint64_t type : {S_IFCHR, S_IFBLK}) {
    add(context, SCMP_ACT_NOTIFY, "mknod", {masked(1, S_IFMT, type)});
    add(context, SCMP_ACT_NOTIFY, "mknodat", {masked(2, S_IFMT, type)});
  }
}

// The kernel looks at 32 bits of a family. i386 is not for libseccomp: its rule for socket would deny socketcall, too.
void add_socket_families(const Context& context) {
  for (const auto family : k_denied_families) {
    add(context, SCMP_ACT_ERRNO(EPERM), "socket", {masked(0, 0xffffffff, family)});
  }
}

void add_other_architectures(const Context& context) {
  const auto native = ::seccomp_arch_native();
  const std::uint32_t other = native == SCMP_ARCH_X86_64    ? SCMP_ARCH_X86
                              : native == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM
                                                            : 0;
  if (other != 0) ::seccomp_arch_add(context.get(), other);
}

BpfProgram exported(const Context& context) {
  const Fd file = memory_file("");
  const int code = ::seccomp_export_bpf(context.get(), file.get());
  if (code < 0) fail(code, "export");
  ::lseek(file.get(), 0, SEEK_SET);
  const std::string bytes = read_all(file.get());
  BpfProgram program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

// A BPF program whose jumps are written before the places they lead to are known.
class Assembler {
 public:
  void load(std::size_t offset) {
    out_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void give(std::uint32_t result) { out_.push_back(BPF_STMT(BPF_RET | BPF_K, result)); }
  // Returns `result` where the loaded value is `value`.
  void give_if_equal(std::uint32_t value, std::uint32_t result) {
    out_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    give(result);
  }
  // The position of a jump that is taken unless the comparison (BPF_JEQ, BPF_JGE) holds; land() says where it leads.
  std::size_t skip_unless(unsigned comparison, std::uint32_t value) {
    out_.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 0, 0));
    return out_.size() - 1;
  }
  std::size_t skip() {
    out_.push_back(BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
    return out_.size() - 1;
  }
  void land(std::size_t jump) {
    const std::size_t distance = out_.size() - jump - 1;
    if (BPF_OP(out_[jump].code) == BPF_JA) {
      out_[jump].k = static_cast<std::uint32_t>(distance);
    } else {
      out_[jump].jf = static_cast<std::uint8_t>(distance);
    }
  }
  BpfProgram followed_by(const BpfProgram& rest) && {
    out_.insert(out_.end(), rest.begin(), rest.end());
    return std::move(out_);
  }

 private:
  BpfProgram out_;
};

constexpr std::uint32_t k_denial = SECCOMP_RET_ERRNO | EPERM, k_absence = SECCOMP_RET_ERRNO | ENOSYS;

// Calls of the common numbers. x32's do not exist; 32-bit Arm has private ones from 0xf0000 on.
void filter_common_numbers(Assembler& program) {
  constexpr std::uint32_t k_arm_private = 0xf0000, k_x32 = 0x40000000;
  for (const auto number : k_denied_numbers) program.give_if_equal(number, k_denial);
  for (const auto number : k_hidden_numbers) program.give_if_equal(number, k_absence);
  const auto known = program.skip_unless(BPF_JGE, k_first_unknown);
  const auto unknown = program.skip_unless(BPF_JGE, k_arm_private);
  const auto private_one = program.skip_unless(BPF_JGE, k_x32);
  program.land(unknown);
  program.give(k_absence);
  program.land(known);
  program.land(private_one);
}

// What is at hand is the number; leaves the program where it goes on with the rest.
void filter_gap(Assembler& program) {
  const auto below = program.skip_unless(BPF_JGE, k_first_of_gap);
  program.load(offsetof(seccomp_data, arch));
  const auto other = program.skip_unless(BPF_JEQ, k_native_arch);
  program.give(k_absence);
  program.land(below);
  program.land(other);
}

// Of i386: socket has its arguments in registers, socketcall in memory, where no filter can look: who supervises the
// sandbox makes that socket (socket_calls.h).
void filter_i386_sockets(Assembler& program) {
  program.load(offsetof(seccomp_data, arch));
  const auto other = program.skip_unless(BPF_JEQ, AUDIT_ARCH_I386);
  program.load(offsetof(seccomp_data, nr));
  const auto not_socket = program.skip_unless(BPF_JEQ, k_i386_socket);
  program.load(offsetof(seccomp_data, args));
  for (const auto family : k_denied_families) program.give_if_equal(family, k_denial);
  const auto done = program.skip();
  program.land(not_socket);
  const auto not_socketcall = program.skip_unless(BPF_JEQ, k_i386_socketcall);
  program.load(offsetof(seccomp_data, args));
  program.give_if_equal(SYS_SOCKET, SECCOMP_RET_USER_NOTIF);
  for (const auto jump : {other, done, not_socketcall}) program.land(jump);
}

// A call that sends a signal by which programs end, given as the argument: whoever supervises hears of it.
void filter_crash(Assembler& program, std::uint32_t call, std::size_t argument) {
  program.load(offsetof(seccomp_data, nr));
  const auto other = program.skip_unless(BPF_JEQ, call);
  program.load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
  for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP}) {
    program.give_if_equal(static_cast<std::uint32_t>(signal), SECCOMP_RET_USER_NOTIF);
  }
  program.land(other);
}

// Limits of memory that a program sets: QEMU says yes and sets none, as its own memory would count. Natives must set
// none either, or the emulated programs that they start would have too little. What is at hand is the number.
void filter_memory_limits(Assembler& program) {
  const auto other = program.skip_unless(BPF_JEQ, SYS_prlimit64);
  program.load(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t));
  const auto sets = program.skip_unless(BPF_JEQ, 0);
  const auto asks = program.skip();
  program.land(sets);
  program.load(offsetof(seccomp_data, args) + sizeof(std::uint64_t));
  for (const std::uint32_t limit : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK}) {
    program.give_if_equal(limit, SECCOMP_RET_ERRNO);
  }
  program.land(asks);
  program.land(other);
}

// What the piece in an emulator asks, and what a native program asks the kernel of the machine.
void filter_machine(Assembler& program) {
  program.load(offsetof(seccomp_data, arch));
  const auto other = program.skip_unless(BPF_JEQ, k_native_arch);
  program.load(offsetof(seccomp_data, nr));
  program.give_if_equal(MBUILD_ACCEL_CALL, SECCOMP_RET_USER_NOTIF);
  program.give_if_equal(SYS_uname, SECCOMP_RET_USER_NOTIF);
  filter_memory_limits(program);
  program.land(other);
}

void filter_crashes(Assembler& program) {
  program.load(offsetof(seccomp_data, arch));
  const auto other = program.skip_unless(BPF_JEQ, k_native_arch);
  filter_crash(program, SYS_kill, 1);
  filter_crash(program, SYS_tgkill, 2);
  program.land(other);
}

BpfProgram with_numbers(const BpfProgram& rest) {
  Assembler program;
  program.load(offsetof(seccomp_data, nr));
  const auto below = program.skip_unless(BPF_JGE, k_first_common);
  filter_common_numbers(program);
  const auto done = program.skip();
  program.land(below);
  if constexpr (k_native_arch != 0) filter_gap(program);
  if constexpr (k_native_arch == AUDIT_ARCH_X86_64) filter_i386_sockets(program);
  program.land(done);
  return std::move(program).followed_by(rest);
}

// What the jobs of one inner process share.
struct SharedFilter {
  std::atomic<std::uint32_t> size = 0;  // 0: not there yet
  std::atomic_flag writing;
  sock_filter program[BPF_MAXINSNS] = {};
};

SharedFilter*& shared_filter() {
  static SharedFilter* memory = nullptr;
  return memory;
}

}  // namespace

BpfProgram build_sandbox_filter() {
  const Context context(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release);
  if (!context) throw Error(ExitClass::host, "libseccomp can't start a filter");
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const bool with_i386 = k_native_arch == AUDIT_ARCH_X86_64;
  if (with_i386) add_socket_families(context);
  add_other_architectures(context);
  if (!with_i386) add_socket_families(context);
  add_denied(context);
  add_personality(context);
  add_device_nodes(context);
  return with_numbers(exported(context));
}

BpfProgram with_machine(const BpfProgram& filter) {
  Assembler program;
  filter_machine(program);
  return std::move(program).followed_by(filter);
}

BpfProgram with_crashes(const BpfProgram& filter) {
  Assembler program;
  filter_crashes(program);
  return std::move(program).followed_by(filter);
}

BpfProgram with_exec_tracing(const BpfProgram& filter) {
  Assembler program;
  program.load(offsetof(seccomp_data, arch));
  const auto other = program.skip_unless(BPF_JEQ, k_native_arch);
  program.load(offsetof(seccomp_data, nr));
  program.give_if_equal(SYS_execve, SECCOMP_RET_TRACE);
  program.give_if_equal(SYS_execveat, SECCOMP_RET_TRACE);
  program.give_if_equal(MBUILD_ACCEL_CALL, SECCOMP_RET_USER_NOTIF);
  program.land(other);
  const BpfProgram allow = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  return std::move(program).followed_by(filter.empty() ? allow : filter);
}

// All families but that of the host's own sockets, and those that the rest denies, which what stops here passes by:
// some that look foreign carry connections of the others (AF_SMC).
BpfProgram with_held_sockets(const BpfProgram& filter) {
  if (k_native_arch == 0) return {};
  constexpr std::pair<std::uint32_t, std::uint32_t> k_calls[] = {
      {k_native_arch, SYS_socket},
#if defined(__x86_64__)
      {AUDIT_ARCH_I386, k_i386_socket},
#elif defined(__aarch64__)
      {AUDIT_ARCH_ARM, k_arm_socket},
#endif
  };
  Assembler program;
  for (const auto& [arch, number] : k_calls) {
    program.load(offsetof(seccomp_data, arch));
    const auto other = program.skip_unless(BPF_JEQ, arch);
    program.load(offsetof(seccomp_data, nr));
    const auto not_socket = program.skip_unless(BPF_JEQ, number);
    program.load(offsetof(seccomp_data, args));
    std::vector<std::size_t> passes;
    const auto pass = [&](std::uint32_t family) {
      const auto differs = program.skip_unless(BPF_JEQ, family);
      passes.push_back(program.skip());
      program.land(differs);
    };
    pass(AF_UNIX);
    for (const auto family : k_denied_families) pass(family);
    program.give(SECCOMP_RET_USER_NOTIF);
    for (const auto jump : passes) program.land(jump);
    program.land(other);
    program.land(not_socket);
  }
  return std::move(program).followed_by(filter);
}

void prepare_filter_cache() {
  void* memory = ::mmap(nullptr, sizeof(SharedFilter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) shared_filter() = new (memory) SharedFilter;
}

BpfProgram sandbox_filter() {
  SharedFilter* shared = shared_filter();
  if (shared == nullptr) return build_sandbox_filter();
  if (const auto size = shared->size.load(std::memory_order_acquire); size != 0) {
    return BpfProgram(shared->program, shared->program + size);
  }
  BpfProgram program = build_sandbox_filter();
  if (program.size() <= BPF_MAXINSNS && !shared->writing.test_and_set()) {
    std::copy(program.begin(), program.end(), shared->program);
    shared->size.store(static_cast<std::uint32_t>(program.size()), std::memory_order_release);
  }
  return program;
}

namespace {

constexpr unsigned long k_listen = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
// From the newest kernel's way to the oldest's: a request that a signal does not repeat; any request; none (someone
// outside listens already, or the kernel can't).
constexpr unsigned long k_ways[] = {k_listen | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, k_listen,
                                    SECCOMP_FILTER_FLAG_SPEC_ALLOW};

// Who makes a call waits for its answer, so who answers may begin at once on the same processor (Linux 6.6; older ones
// don't know it).
void wake_at_once(int listener) {
  constexpr unsigned long k_set_flags = SECCOMP_IOW(4, __u64), k_sync_wake_up = 1;
  ::ioctl(listener, k_set_flags, k_sync_wake_up);
}

// The first of those ways that works: its listener (-1: it has none), and nothing when none does (errno).
std::optional<int> install(const BpfProgram& program, std::span<const unsigned long> ways) {
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  for (const unsigned long flags : ways) {
    const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (result >= 0 && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0) return -1;
    if (result >= 0) {
      wake_at_once(static_cast<int>(result));
      return static_cast<int>(result);
    }
    if (errno != EINVAL && errno != EBUSY) break;
  }
  return std::nullopt;
}

}  // namespace

int install_filter(const BpfProgram& program) {
  const auto listener = install(program, k_ways);
  if (!listener) throw system_error(errno, "install the seccomp filter", ExitClass::host);
  return *listener;
}

int install_listening_filter(const BpfProgram& program) {
  // Listeners that can let the kernel go on with a call (Linux 5.5) are not told apart from those before; this flag is
  // of 5.7, and known where the missing filter is what is wrong.
  const long probe = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC_ESRCH, nullptr);
  if (feature_disabled("seccomp-listener") || (probe < 0 && errno != EFAULT)) return -1;
  return install(program, std::span(k_ways).first(2)).value_or(-1);
}

}  // namespace mbuild::executor
