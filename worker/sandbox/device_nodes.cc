#include "worker/sandbox/device_nodes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/strings.h"
#include "emu/accel/piece/protocol.h"
#include "worker/sandbox/process_memory.h"
#include "worker/sandbox/socket_calls.h"
#include "worker/snapshot/mount_calls.h"

// In a user namespace mknod of a device fails, for root too, yet packages and Dockerfiles do it. The seccomp filter
// stops such calls and hands them to the job, which makes what the store keeps for a device node: an empty file with
// the attribute user.mbuild.node (layers/inode.h). Owner, mode and name can then be changed as of any file, and the
// exported layer has the node.
//
// The file is made by a short-lived child with the root and working directory of the caller, so that its paths mean the
// same. The caller may not be who it was when its memory is read: the request is checked to be alive afterwards.
namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_cap_mknod = 1ull << CAP_MKNOD;

struct Request {
  pid_t pid = 0;
  int directory = AT_FDCWD;
  std::uint64_t path_address = 0;
  std::uint32_t mode = 0, device = 0;
};

// The parts of /proc/PID/status that decide.
struct Caller {
  std::uint32_t fsuid = ~0u, fsgid = ~0u, umask = 022;
  std::uint64_t effective = 0;
};

Request decode(const seccomp_notif& notification) {
  const auto& data = notification.data;
  char* name = ::seccomp_syscall_resolve_num_arch(data.arch, data.nr);
  const bool at = name != nullptr && std::string_view(name) == "mknodat";
  std::free(name);
  Request out;
  out.pid = static_cast<pid_t>(notification.pid);
  const auto* arguments = data.args + (at ? 1 : 0);
  if (at) out.directory = static_cast<int>(data.args[0]);
  out.path_address = arguments[0];
  out.mode = static_cast<std::uint32_t>(arguments[1]);
  out.device = static_cast<std::uint32_t>(arguments[2]);
  return out;
}

std::uint64_t field_number(std::string_view line, std::size_t index, int base) {
  std::size_t seen = 0;
  for (const auto& word : split(line, '\t')) {
    if (seen++ == index) return std::strtoull(word.c_str(), nullptr, base);
  }
  return 0;
}

Caller read_caller(int process) {
  Caller out;
  for (const auto& line : split(read_all(open_at(process, "status", O_RDONLY).get()), '\n')) {
    if (line.starts_with("Uid:")) out.fsuid = static_cast<std::uint32_t>(field_number(line, 4, 10));
    if (line.starts_with("Gid:")) out.fsgid = static_cast<std::uint32_t>(field_number(line, 4, 10));
    if (line.starts_with("Umask:")) out.umask = static_cast<std::uint32_t>(field_number(line, 1, 8));
    if (line.starts_with("CapEff:")) out.effective = field_number(line, 1, 16);
  }
  return out;
}

struct Places {
  Fd root, base;
  Fd user_namespace;  // empty where it is this process's own
};

// The caller's user namespace.
Fd user_namespace_of(int process) {
  Fd its = open_at(process, "ns/user", O_RDONLY);
  const Fd own = open_file("/proc/self/ns/user", O_RDONLY);
  struct stat a, b;
  const bool same = ::fstat(its.get(), &a) == 0 && ::fstat(own.get(), &b) == 0 && a.st_ino == b.st_ino;
  return same ? Fd() : std::move(its);
}

std::string node_value(const Request& request) {
  const std::uint32_t major = (request.device >> 8) & 0xfff;
  const std::uint32_t minor = (request.device & 0xff) | ((request.device >> 12) & 0xfff00);
  return fmt::format("{} {} {}", S_ISCHR(request.mode) ? 'c' : 'b', major, minor);
}

// The directory of a path of the caller's. Links of /proc, which may lead to what another process has of the host, are
// not followed: where the host's own /proc is seen, this process may follow more of them than the caller.
Fd open_parent(const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, dir_name(path).c_str(), &how, sizeof how)));
}

// In the child: an errno, 0 for success; then `made` says which file it is.
int make_stand_in(const Request& request, const Caller& caller, const std::string& path, const Places& places,
                  int made) {
  const auto& [root, base, user_namespace] = places;
  if (::fchdir(root.get()) < 0 || ::chroot(".") < 0 || ::fchdir(base.get()) < 0) return EPERM;
  // The path is the caller's, and so is the power to follow it: what /proc links to may be beyond the root.
  if (user_namespace && ::setns(user_namespace.get(), CLONE_NEWUSER) < 0) return EPERM;
  ::setfsgid(caller.fsgid);
  ::umask(static_cast<mode_t>(caller.umask));
  if (path.ends_with('/')) return ENOENT;
  const Fd parent = open_parent(path);
  if (!parent) return errno;
  const std::string name = base_name(path);
  const Fd file(
      ::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, request.mode & 07777));
  if (!file) return errno;
  const std::string value = node_value(request);
  if (::fsetxattr(file.get(), "user.mbuild.node", value.data(), value.size(), 0) == 0) {
    const FileBirth birth = birth_of(file.get());
    if (::write(made, &birth, sizeof birth) == sizeof birth) return 0;
  }
  ::unlinkat(parent.get(), name.c_str(), 0);
  return EPERM;
}

int in_child(const Request& request, const Caller& caller, const std::string& path, const Places& places,
             std::vector<MadeNode>& made) {
  Pipe pipe = make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(make_stand_in(request, caller, path, places, pipe.write.get()));
  pipe.write.reset();
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) < 0 || !WIFEXITED(status)) return EPERM;
  MadeNode node{{}, node_value(request)};
  if (WEXITSTATUS(status) == 0 && ::read(pipe.read.get(), &node.birth, sizeof node.birth) == sizeof node.birth) {
    made.push_back(std::move(node));
  }
  return WEXITSTATUS(status);
}

bool still_there(int listener, std::uint64_t id) { return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; }

int handle(int listener, const seccomp_notif& notification, std::vector<MadeNode>* made) {
  if (made == nullptr) return EPERM;
  const Request request = decode(notification);
  // 0:0 is a whiteout, which overlay itself refuses.
  if (request.device == 0) return EPERM;
  const auto path = read_string(request.pid, request.path_address);
  if (!path) return EFAULT;
  // The host's /proc does not know the pids of this namespace.
  const Fd proc = make_filesystem("proc", {}, 0);
  const Fd process = open_at(proc.get(), std::to_string(request.pid), O_PATH | O_DIRECTORY);
  const Caller caller = read_caller(process.get());
  Places places;
  places.root = open_at(process.get(), "root", O_PATH | O_DIRECTORY);
  const std::string base_name = request.directory == AT_FDCWD ? "cwd" : fmt::format("fd/{}", request.directory);
  const bool absolute = path->starts_with('/');
  places.base = open_at(process.get(), absolute ? "root" : base_name, O_PATH | O_DIRECTORY);
  places.user_namespace = user_namespace_of(process.get());
  if (!still_there(listener, notification.id)) return EINTR;
  if ((caller.effective & k_cap_mknod) == 0 || caller.fsuid != 0) return EPERM;
  return in_child(request, caller, *path, places, *made);
}

// ---- native programs (worker/native/substitution.h)

// The processes of the sandbox, as this job sees them.
int processes() {
  static const Fd proc = make_filesystem("proc", {}, 0);
  return proc.get();
}

// Puts a copy of the descriptor into the caller; its number there, -1 where that can't be done (before Linux 5.9).
int give(int listener, const seccomp_notif& request, int fd) {
  seccomp_notif_addfd about = {};
  about.id = request.id;
  about.srcfd = static_cast<std::uint32_t>(fd);
  about.newfd_flags = O_CLOEXEC;
  return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &about);
}

// 0, and the number in `value`; an errno where the program is to be emulated.
int find_native(int listener, const seccomp_notif& request, Substitution* native, long long& value) {
  if (native == nullptr || request.data.args[0] != MBUILD_ACCEL_MAGIC) return ENOSYS;
  const Fd process = open_at(processes(), std::to_string(request.pid), O_PATH | O_DIRECTORY);
  const auto found = native->find(process.get(), static_cast<int>(request.data.args[1]));
  if (!found) return ENOSYS;
  value = static_cast<long long>(found->number);
  if (!found->other_root) return 0;
  const int root = give(listener, request, native->step_root());
  if (root < 0) return ENOSYS;
  value |= MBUILD_ACCEL_OTHER_ROOT | static_cast<long long>(root) << 32;
  return 0;
}

// 0, and in `value` the number of a descriptor of the emulator that a traced process is to execute.
int give_emulator(int listener, const seccomp_notif& request, const std::vector<Fd>& emulators, long long& value) {
  const auto number = request.data.args[1];
  if (number >= emulators.size()) return ENOSYS;
  const int given = give(listener, request, emulators[number].get());
  if (given < 0) return errno;
  value = given;
  return 0;
}

// uname of a process in a step whose machine is emulated.
int tell_machine(int listener, const seccomp_notif& request, Substitution* native) {
  utsname names;
  if (native == nullptr || ::uname(&names) < 0) return ENOSYS;
  std::strncpy(names.nodename, native->node().c_str(), sizeof names.nodename - 1);
  std::strncpy(names.machine, native->machine().c_str(), sizeof names.machine - 1);
  iovec local = {&names, sizeof names};
  iovec remote = {reinterpret_cast<void*>(request.data.args[0]), sizeof names};
  if (!still_there(listener, request.id)) return EINTR;
  return ::process_vm_writev(static_cast<pid_t>(request.pid), &local, 1, &remote, 1, 0) == sizeof names ? 0 : EFAULT;
}

// A signal by which programs end. The call is carried out as it is, but the kernel ignores what the first process of a
// namespace sends itself: QEMU would wait for its end for ever. Returns that signal, or 0.
int note_end(const seccomp_notif& request, EmulatorEnds* emulated, pid_t first) {
  if (emulated == nullptr) return 0;
  const int signal = static_cast<int>(request.data.args[request.data.nr == SYS_tgkill ? 2 : 1]);
  try {
    const Fd process = open_at(processes(), std::to_string(request.pid), O_PATH | O_DIRECTORY);
    const bool ends = emulated->note(process.get(), signal);
    return ends && static_cast<pid_t>(request.pid) == first && request.data.args[0] == 1 ? signal : 0;
  } catch (const Error&) {
    return 0;  // the process has gone
  }
}

}  // namespace

int answer_request(int listener, const Answers& answers) {
  // The kernel's structures may be larger than those of the headers at hand.
  seccomp_notif_sizes sizes = {};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return 0;
  std::string request_bytes(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)), '\0');
  std::string response_bytes(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)), '\0');
  auto* request = reinterpret_cast<seccomp_notif*>(request_bytes.data());
  auto* response = reinterpret_cast<seccomp_notif_resp*>(response_bytes.data());
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, request) < 0) return 0;
  if (is_socket_request(*request)) {
    if (answers.sockets == nullptr || !answers.sockets->hold(*request)) answer_socket_request(listener, *request);
    return 0;
  }
  int code = EPERM, ending = 0;
  try {
    if (request->data.nr == MBUILD_ACCEL_CALL && request->data.args[0] == MBUILD_EMULATOR_MAGIC) {
      code = give_emulator(listener, *request, answers.emulators, response->val);
    } else if (request->data.nr == MBUILD_ACCEL_CALL) {
      code = find_native(listener, *request, answers.native, response->val);
    } else if (request->data.nr == SYS_uname) {
      code = tell_machine(listener, *request, answers.native);
    } else if (request->data.nr == SYS_kill || request->data.nr == SYS_tgkill) {
      ending = note_end(*request, answers.emulated, answers.first);
      response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      code = 0;
    } else {
      code = handle(listener, *request, answers.made);
    }
  } catch (const std::exception&) {
    // the process has gone, or shows nothing of itself
  }
  response->id = request->id;
  response->error = -code;
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response);
  return ending;
}

}  // namespace mbuild::executor
