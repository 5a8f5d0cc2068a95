#include "executor/seccomp.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "base/error.h"
#include "base/fd.h"

// Docker's default profile lists what is allowed, some 350 names, and answers EPERM to the rest. Its effect is written
// here the other way round: what it denies to a process with the default capabilities is listed, and everything that is
// newer than the list is answered ENOSYS. That is what C libraries expect of a call the kernel lacks, and makes them
// take the older one (EPERM makes them fail: the classic trouble with faccessat2 and fchmodat2). The program is a
// quarter of the size, and independent of how many names the libseccomp at hand knows.
//
// Beyond Docker's: making a device node is handed to the supervisor of the sandbox (device_nodes.h).
namespace mbuild::executor {
namespace {

// The first number that was not reviewed for the lists below; numbers are the same on all architectures from 424 on.
constexpr std::uint32_t k_first_unknown = 467;

constexpr const char* k_denied[] = {
    // mounts and namespaces
    "mount", "umount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
    "mount_setattr", "setns", "unshare", "sethostname", "setdomainname",
    // the kernel and its devices
    "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "iopl", "ioperm", "vhangup", "syslog", "acct", "quotactl",
    "quotactl_fd", "sysfs", "_sysctl", "uselib", "ustat", "nfsservctl", "lookup_dcookie", "vm86", "vm86old", "bdflush",
    // clocks
    "clock_settime", "clock_settime64", "settimeofday", "stime",
    // large attack surfaces
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "fanotify_init",
    "add_key", "request_key", "keyctl", "open_by_handle_at",
    // other processes and memory placement
    "kcmp", "pidfd_getfd", "process_madvise", "move_pages", "migrate_pages", "mbind", "get_mempolicy", "set_mempolicy",
    "set_mempolicy_home_node", "lsm_set_self_attr"};

// Answered as if the kernel lacked them.
constexpr const char* k_hidden[] = {"clone3", "statmount", "listmount"};
constexpr std::uint32_t k_hidden_numbers[] = {457, 458};  // for a libseccomp that does not know the names

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
  for (const char* name : k_hidden) add(context, SCMP_ACT_ERRNO(ENOSYS), name);
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

// Calls that are newer than the lists, and x32's, do not exist; 32-bit Arm has private ones from 0xf0000 on.
BpfProgram with_unknown_hidden(const BpfProgram& rest) {
  constexpr std::uint32_t k_arm_private = 0xf0000, k_x32 = 0x40000000;
  BpfProgram out = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k_hidden_numbers[0], 5, 0),
                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k_hidden_numbers[1], 4, 0),
                    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k_first_unknown, 0, 4),
                    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k_x32, 2, 0),
                    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k_arm_private, 2, 0),
                    BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)};
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
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
  // For the native architecture only: i386's socketcall hides the arguments, the rule would deny all sockets.
  add(context, SCMP_ACT_ERRNO(EPERM), "socket", {{0, SCMP_CMP_EQ, AF_VSOCK, 0}});
  add_other_architectures(context);
  add_denied(context);
  add_personality(context);
  add_device_nodes(context);
  return with_unknown_hidden(exported(context));
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

int install_filter(const BpfProgram& program) {
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  constexpr unsigned long k_listen = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // From the newest kernel's way to the oldest's: a request that a signal does not repeat; any request; none (someone
  // outside listens already, or the kernel can't).
  for (const unsigned long flags :
       {k_listen | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, k_listen, SECCOMP_FILTER_FLAG_SPEC_ALLOW}) {
    const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (result >= 0) return (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0 ? static_cast<int>(result) : -1;
    if (errno != EINVAL && errno != EBUSY) break;
  }
  throw system_error(errno, "install the seccomp filter", ExitClass::host);
}

}  // namespace mbuild::executor
