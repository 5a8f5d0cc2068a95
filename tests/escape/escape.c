// Runs as a step of a build and tries every door that is known to lead out of a sandbox. It prints "OPEN name: what"
// for each that it finds open, then how many it tried, and exits with 1 if there was one.
//
//     escape [own-network] [identity-map] [loopback=PORT] [abstract=NAME] [shm=ID]
//
// own-network: the network is not the host's, so that raw sockets may be there. identity-map: ids inside are the
// host's. loopback, abstract: where something of the host's listens that must not be reached. shm: a segment of shared
// memory of the host's.
//
// Nothing is changed where a door is open: files are opened and not written, modes and owners set to what they are, and
// calls made with arguments that the kernel refuses once it has let the caller in. Each try is a process of its own.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { own_network = 1, identity_map = 2 };
static int about;  // of these
static const char *loopback_port, *abstract_name, *shared_memory;
static int found;  // open doors, in the process of one try

static void open_door(const char* format, ...) {
  va_list arguments;
  char text[512];
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (found++ < 20) {
    printf("OPEN %s\n", text);
    fflush(stdout);
  }
}

// ---- system calls

// A call that the sandbox denies is answered EPERM or ENOSYS; any other answer comes from behind the door.
static void judge(const char* name, long result) {
  if (result < 0 && (errno == EPERM || errno == ENOSYS)) return;
  open_door("system call %s: %s", name, result < 0 ? strerror(errno) : "done");
}

#define TRY(call, ...) judge(#call, syscall(SYS_##call, ##__VA_ARGS__))

static void try_kernel_calls(void) {
  char* bad = (char*)1;
  const struct timespec time = {0, 0};
  const int zone[2] = {0, 0};
  TRY(bpf, -1, NULL, 0);
  TRY(add_key, bad, bad, bad, 0, 0);
  TRY(request_key, bad, bad, bad, 0);
  TRY(keyctl, 9999, 0, 0, 0, 0);
  TRY(perf_event_open, NULL, 0, -1, -1, 0);
  TRY(userfaultfd, 0);
  TRY(fanotify_init, 0, 0);
  TRY(init_module, bad, 0, bad);
  TRY(finit_module, -1, bad, 0);
  TRY(delete_module, "no-such-module", O_NONBLOCK);
  TRY(kexec_load, 0L, 1L << 20, NULL, -1L);
  TRY(reboot, 0, 0, 0, NULL);
  TRY(swapon, "/no-such-file", 0);
  TRY(swapoff, "/no-such-file");
  TRY(acct, "/no-such-file");
  TRY(quotactl, 0, bad, 0, NULL);
  TRY(settimeofday, NULL, zone);
  TRY(clock_settime, CLOCK_MONOTONIC, &time);
  TRY(syslog, 10, NULL, 0);
  TRY(kcmp, getpid(), getpid(), 99, 0, 0);
  TRY(move_pages, 0, 0L, NULL, NULL, NULL, -1);
  TRY(mbind, 1L, 0L, 99, NULL, 0L, 0);
  TRY(set_mempolicy, 99, NULL, 0L);
#ifdef __x86_64__
  TRY(iopl, 3);
  TRY(ioperm, 0L, 1L, 1);
#endif
}

// By number: the libraries at hand may not know the names.
static void try_new_calls(void) {
  static const struct {
    int number;
    const char* name;
  } calls[] = {{425, "io_uring_setup"},
               {426, "io_uring_enter"},
               {427, "io_uring_register"},
               {438, "pidfd_getfd"},
               {440, "process_madvise"},
               {443, "quotactl_fd"},
               {450, "set_mempolicy_home_node"},
               {457, "statmount"},
               {458, "listmount"},
               {459, "lsm_get_self_attr"},
               {460, "lsm_set_self_attr"},
               {461, "lsm_list_modules"}};
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; ++i) {
    judge(calls[i].name, syscall(calls[i].number, -1L, 0L, 0L, 0L, 0L, 0L));
  }
  for (int number = 467; number < 520; ++number) {
    char name[32];
    snprintf(name, sizeof name, "number %d", number);
    judge(name, syscall(number, -1L, 0L, 0L, 0L, 0L, 0L));
  }
}

static void try_mounts(void) {
  mkdir("/tmp/escape-mount", 0755);
  judge("mount tmpfs", mount("none", "/tmp/escape-mount", "tmpfs", 0, ""));
  judge("mount --bind", mount("/", "/tmp/escape-mount", NULL, MS_BIND, NULL));
  judge("mount proc", mount("none", "/tmp/escape-mount", "proc", 0, ""));
  judge("remount /proc/sys", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  judge("remount /sys", mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  judge("make / shared", mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
  const char* covers[] = {"/proc/sys", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc"};
  for (unsigned i = 0; i < sizeof covers / sizeof *covers; ++i) judge("umount2", umount2(covers[i], MNT_DETACH));
  TRY(pivot_root, "/", "/tmp/escape-mount");
  const int calls[] = {428, 429, 430, 431, 432, 433, 442};  // open_tree ... fspick, mount_setattr
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; ++i)
    judge("of the mount API", syscall(calls[i], -1, "", -1, "", 0, 0));
  rmdir("/tmp/escape-mount");
}

static void try_namespaces(void) {
  const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,    CLONE_NEWPID,
                       CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80};
  for (unsigned i = 0; i < sizeof flags / sizeof *flags; ++i) {
    if (unshare(flags[i]) == 0) open_door("unshare: %x", flags[i]);
    if (flags[i] == 0x80) continue;  // clone takes this for a signal
    const long pid = syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) open_door("clone: %x", flags[i]);
    uint64_t arguments[8] = {(uint64_t)flags[i], 0, 0, 0, SIGCHLD, 0, 0, 0};
    const long other = syscall(435, arguments, sizeof arguments);
    if (other == 0) _exit(0);
    if (other > 0) open_door("clone3: %x", flags[i]);
  }
  const char* names[] = {"user", "mnt", "net", "pid", "ipc", "uts", "cgroup"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    const int fd = open(path, O_RDONLY);
    if (fd >= 0 && (setns(fd, 0) == 0 || errno != EPERM)) open_door("setns: %s: %s", names[i], strerror(errno));
  }
}

static void try_handles(void) {
  struct {
    struct file_handle head;
    unsigned char room[128];
  } handle = {.head = {.handle_bytes = 128}};
  int mount_id = 0;
  const int root = open("/", O_RDONLY | O_DIRECTORY);
  syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount_id, 0);
  TRY(open_by_handle_at, root, &handle, O_RDONLY);
}

static void try_personality(void) {
  if (personality(ADDR_NO_RANDOMIZE) != -1) open_door("personality: addresses can be made predictable");
}

// ---- the other ways into the kernel

#ifdef __x86_64__
static long call_32(long number, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory", "r8", "r9", "r10", "r11");
  errno = result < 0 ? (int)-result : 0;
  return result < 0 ? -1 : result;
}

static void try_int_80(void) {
  static const struct {
    int number;
    const char* name;
  } calls[] = {{21, "mount"},
               {52, "umount2"},
               {217, "pivot_root"},
               {283, "kexec_load"},
               {286, "add_key"},
               {287, "request_key"},
               {288, "keyctl"},
               {310, "unshare"},
               {336, "perf_event_open"},
               {342, "open_by_handle_at"},
               {346, "setns"},
               {349, "kcmp"},
               {350, "finit_module"},
               {357, "bpf"},
               {374, "userfaultfd"},
               {425, "io_uring_setup"},
               {428, "open_tree"},
               {430, "fsopen"},
               {438, "pidfd_getfd"},
               {442, "mount_setattr"},
               {460, "lsm_set_self_attr"},
               {128, "init_module"},
               {116, "sysinfo"}};
  for (unsigned i = 0; i + 1 < sizeof calls / sizeof *calls; ++i) {
    char name[64];
    snprintf(name, sizeof name, "%s by int 0x80", calls[i].name);
    judge(name, call_32(calls[i].number, -1, 0, 0, 0, 0));
  }
  if (call_32(120, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == 0) _exit(0);
  uint32_t* arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  const int families[] = {AF_VSOCK, 38 /* AF_ALG */};
  for (unsigned i = 0; i < 2 && arguments != MAP_FAILED; ++i) {
    arguments[0] = (uint32_t)families[i];
    arguments[1] = families[i] == AF_VSOCK ? SOCK_STREAM : SOCK_SEQPACKET;
    arguments[2] = 0;
    if (call_32(102, 1, (long)(intptr_t)arguments, 0, 0, 0) >= 0) open_door("socketcall: family %d", families[i]);
    if (call_32(359, families[i], (long)arguments[1], 0, 0, 0) >= 0)
      open_door("socket by int 0x80: family %d", families[i]);
  }
}

static void try_x32(void) {
  if (syscall(0x40000000 | 39) > 0) open_door("calls of the x32 ABI");
}
#endif

static void try_sockets(void) {
  const long families[] = {AF_VSOCK, 38 /* AF_ALG */, AF_VSOCK | 1L << 32, 38 | 1L << 32};
  for (unsigned i = 0; i < sizeof families / sizeof *families; ++i) {
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; ++type) {
      if (syscall(SYS_socket, families[i], type, 0) >= 0) open_door("socket: family %lx", families[i]);
    }
  }
  if ((about & own_network) == 0) {
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0) open_door("a packet socket on the host's network");
    if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0) open_door("a raw socket on the host's network");
  }
  struct ifreq request = {.ifr_name = "lo"};
  const int any = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(any, SIOCGIFFLAGS, &request) == 0 && ioctl(any, SIOCSIFFLAGS, &request) == 0)
    open_door("interfaces can be set");
}

static void try_host_services(void) {
  if (loopback_port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(loopback_port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr*)&address, sizeof address) == 0)
      open_door("the host's loopback");
  }
  if (abstract_name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", abstract_name);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract_name));
    if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&address, size) == 0)
      open_door("the host's abstract sockets");
  }
}

// ---- /proc, /sys and /dev

static int entries;

static int try_to_write(const char* path, const struct stat* status, int kind, struct FTW* place) {
  (void)place;
  if (++entries > 20000) return 1;
  if (kind != FTW_F || !S_ISREG(status->st_mode) || (status->st_mode & 0222) == 0) return 0;
  const int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return 0;
  close(fd);
  open_door("can be written: %s", path);
  return 0;
}

static void walk(const char* path) {
  entries = 0;
  nftw(path, try_to_write, 20, FTW_PHYS);
}

static void try_sysctls(void) { walk("/proc/sys"); }

static void try_kernel_files(void) {
  DIR* proc = opendir("/proc");
  for (struct dirent* item; proc && (item = readdir(proc));) {
    const char* name = item->d_name;
    // pressure: every user may ask to be told of it
    if (name[0] == '.' || (name[0] >= '0' && name[0] <= '9') || !strcmp(name, "sys") || !strcmp(name, "pressure"))
      continue;
    char path[300];
    snprintf(path, sizeof path, "/proc/%s", name);
    walk(path);
  }
}

static void try_secrets_of_the_kernel(void) {
  const char* files[] = {
      "/proc/kcore",      "/proc/keys", "/proc/timer_list", "/proc/timer_stats",   "/proc/sched_debug",
      "/proc/interrupts", "/proc/kmsg", "/proc/vmcore",     "/proc/latency_stats", "/sys/kernel/debug/sched/debug"};
  char byte;
  for (unsigned i = 0; i < sizeof files / sizeof *files; ++i) {
    const int fd = open(files[i], O_RDONLY | O_NONBLOCK);
    if (fd >= 0 && read(fd, &byte, 1) > 0) open_door("can be read: %s", files[i]);
  }
  const char* directories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware",
                               "/sys/devices/virtual/powercap"};
  for (unsigned i = 0; i < sizeof directories / sizeof *directories; ++i) {
    DIR* directory = opendir(directories[i]);
    for (struct dirent* item; directory && (item = readdir(directory));) {
      if (item->d_name[0] != '.') open_door("can be read: %s/%s", directories[i], item->d_name);
    }
  }
  for (int processor = 0; processor < 4096; ++processor) {
    char path[80];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/thermal_throttle", processor);
    DIR* directory = opendir(path);
    for (struct dirent* item; directory && (item = readdir(directory));) {
      if (item->d_name[0] != '.') open_door("can be read: %s/%s", path, item->d_name);
    }
    if (directory) closedir(directory);
  }
}

static void try_sys(void) {
  walk("/sys/kernel");
  walk("/sys/module");
  walk("/sys/class");
  walk("/sys/fs");
  walk("/sys/devices");
  if (mkdir("/sys/fs/cgroup/escape", 0755) == 0) open_door("cgroups can be made");
}

// Calls `visit` with the place and the line of each mount that is seen.
static void each_mount(void (*visit)(const char* place, const char* line)) {
  FILE* file = fopen("/proc/self/mountinfo", "r");
  char line[2 * PATH_MAX], place[PATH_MAX];
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%*s %*s %*s %*s %4095s", place) == 1) visit(place, line);
  }
  if (file) fclose(file);
}

// Only a sysfs, control groups, and what covers the rest: an empty directory or /dev/null.
static void look_at_mount_in_sys(const char* place, const char* line) {
  (void)line;
  struct stat status;
  struct statfs system;
  if ((strcmp(place, "/sys") && strncmp(place, "/sys/", 5)) || stat(place, &status) < 0 || statfs(place, &system) < 0)
    return;
  if (system.f_type == 0x62656572 /* sysfs */ || system.f_type == 0x63677270 /* cgroup2 */) return;
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) return;
  DIR* directory = opendir(place);
  if (!directory) {
    open_door("what the host has mounted: %s", place);
    return;
  }
  for (struct dirent* item; (item = readdir(directory));) {
    if (item->d_name[0] != '.') open_door("what the host has mounted: %s/%s", place, item->d_name);
  }
  closedir(directory);
}

static void try_mounts_in_sys(void) { each_mount(look_at_mount_in_sys); }

// What is mounted here must not appear on the host, nor the other way round.
static void look_at_propagation(const char* place, const char* line) {
  if (strstr(line, " shared:") || strstr(line, " master:")) open_door("a mount that the host shares: %s", place);
}

static void try_propagation(void) { each_mount(look_at_propagation); }

static void try_cgroup_path(void) {
  FILE* file = fopen("/proc/self/cgroup", "r");
  char line[PATH_MAX + 64];
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    const char* path = strstr(line, ":/");
    if (path && path[2] != 0) open_door("the host's cgroup: %s", line);
  }
}

// A node in /dev, or what a descriptor leads to.
static void try_to_change(const char* path) {
  struct stat status;
  struct statfs place;
  if (stat(path, &status) < 0 || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))) return;
  if (statfs(path, &place) < 0 || place.f_type == 0x1cd1 /* devpts */) return;
  const struct timespec times[2] = {status.st_atim, status.st_mtim};
  if (chmod(path, status.st_mode & 07777) == 0) open_door("chmod: %s", path);
  if (chown(path, status.st_uid, status.st_gid) == 0) open_door("chown: %s", path);
  if (utimensat(AT_FDCWD, path, times, 0) == 0) open_door("utimensat: %s", path);
  const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return;
  if (fchmod(fd, status.st_mode & 07777) == 0) open_door("fchmod: %s", path);
  if (futimens(fd, times) == 0) open_door("futimens: %s", path);
}

static void try_device_nodes(void) {
  const char* names[] = {"/dev/null",        "/dev/zero",       "/dev/full",       "/dev/random",    "/dev/urandom",
                         "/dev/tty",         "/dev/console",    "/proc/kcore",     "/proc/keys",     "/proc/timer_list",
                         "/proc/interrupts", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) try_to_change(names[i]);
}

static void try_host_devices(void) {
  const char* names[] = {"mem",     "kmem",           "port",      "kmsg",        "sda",     "vda",
                         "nvme0n1", "fuse",           "kvm",       "vhost-vsock", "net/tun", "loop-control",
                         "loop0",   "mapper/control", "cpu/0/msr", "vsock",       "tty0",    "tty1",
                         "console", "userfaultfd",    "uinput",    "hwrng"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", names[i]);
    if (open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY) >= 0) open_door("device: %s", path);
  }
  const char* directories[] = {"/tmp", "/dev", "/dev/shm", "/"};
  const struct {
    mode_t kind;
    int major, minor;
  } nodes[] = {{S_IFCHR, 1, 1},   {S_IFCHR, 10, 229}, {S_IFBLK, 8, 0}, {S_IFBLK, 252, 0},
               {S_IFBLK, 254, 0}, {S_IFBLK, 259, 0},  {S_IFCHR, 1, 11}};
  for (unsigned i = 0; i < sizeof directories / sizeof *directories; ++i) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "%s/escape-node", directories[i]);
    for (unsigned k = 0; k < sizeof nodes / sizeof *nodes; ++k) {
      if (mknod(path, nodes[k].kind | 0600, makedev((unsigned)nodes[k].major, (unsigned)nodes[k].minor)) < 0) continue;
      const int fd = open(path, O_RDONLY | O_NONBLOCK);
      if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        open_door("a node that can be opened: %d:%d", nodes[k].major, nodes[k].minor);
      unlink(path);
    }
    if (mknod(path, S_IFCHR, 0) == 0) open_door("a forged whiteout in %s", directories[i]);
    unlink(path);
  }
}

static void try_terminal(void) {
  if (open("/dev/tty", O_RDWR) >= 0) open_door("a terminal");
  char byte = '\n', paste[2] = {3, 0};
  for (int fd = 0; fd < 3; ++fd) {
    if (ioctl(fd, TIOCSTI, &byte) == 0) open_door("input can be typed at descriptor %d", fd);
    if (ioctl(fd, TIOCLINUX, paste) == 0) open_door("TIOCLINUX at descriptor %d", fd);
  }
}

// ---- what a process begins with

static void try_descriptors(void) {
  DIR* list = opendir("/proc/self/fd");
  if (!list) return;
  for (struct dirent* item; (item = readdir(list));) {
    const int fd = atoi(item->d_name);
    struct stat status, named;
    char link[PATH_MAX] = "", path[64];
    if (item->d_name[0] == '.' || fd == dirfd(list) || fstat(fd, &status) < 0) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, link, sizeof link - 1) < 0) continue;
    const int own = stat(link, &named) == 0 && named.st_ino == status.st_ino && named.st_dev == status.st_dev;
    const int stream = fd < 3 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
    if (!own && !stream) open_door("descriptor %d: %s", fd, link);
    char above[64];
    snprintf(above, sizeof above, "/proc/self/fd/%d/..", fd);
    if (S_ISDIR(status.st_mode) && !own && access(above, X_OK) == 0) open_door("a directory outside: %s", link);
  }
}

static void try_working_directory(void) {
  char path[PATH_MAX];
  if (syscall(SYS_getcwd, path, sizeof path) < 0 || path[0] != '/')
    open_door("the working directory is outside of the root");
}

static void try_chroot(void) {
  struct stat before, after;
  stat("/", &before);
  const int root = open("/", O_RDONLY | O_DIRECTORY);
  mkdir("/tmp/escape-root", 0755);
  if (chroot("/tmp/escape-root") == 0 && fchdir(root) == 0) {
    for (int i = 0; i < 100; ++i) {
      if (chdir("..") < 0) break;
    }
    if (chroot(".") == 0 && stat("/", &after) == 0 &&
        (before.st_ino != after.st_ino || before.st_dev != after.st_dev)) {
      open_door("a root above the root");
    }
  }
  rmdir("/tmp/escape-root");
}

static unsigned long long field(const char* path, const char* name, int base) {
  char line[512];
  FILE* file = fopen(path, "r");
  unsigned long long value = 0;
  const size_t length = strlen(name);
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, name, length) == 0) value = strtoull(line + length, NULL, base);
  }
  if (file) fclose(file);
  return value;
}

static void try_capabilities(void) {
  const unsigned long long docker = 0xa80425fb;
  const char* sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
  for (unsigned i = 0; i < sizeof sets / sizeof *sets; ++i) {
    const unsigned long long more = field("/proc/self/status", sets[i], 16) & ~docker;
    if (more != 0) open_door("capabilities: %s %llx", sets[i], more);
  }
  if (field("/proc/self/status", "Seccomp:", 10) != 2) open_door("no seccomp filter");
}

// Files of the kernel's belong to the host's root.
static void try_ids(void) {
  struct stat status;
  if ((about & identity_map) == 0 && stat("/proc/sys/kernel/ostype", &status) == 0 && status.st_uid == 0)
    open_door("root is the host's root");
}

static void try_attributes(void) {
  mkdir("/tmp/escape-attributes", 0755);
  const char* names[] = {"trusted.escape", "trusted.overlay.opaque", "trusted.overlay.redirect", "security.ima",
                         "security.evm"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) {
    if (setxattr("/tmp/escape-attributes", names[i], "y", 1, 0) == 0) open_door("attribute %s", names[i]);
  }
  rmdir("/tmp/escape-attributes");
}

// ---- other processes

// The number that ends the line NSpid: what the process is in its own namespace.
static int own_number(const char* pid) {
  char path[64], line[512], *last;
  snprintf(path, sizeof path, "/proc/%s/status", pid);
  FILE* file = fopen(path, "r");
  int number = -1;
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "NSpid:", 6) == 0 && (last = strrchr(line, '\t'))) number = atoi(last + 1);
  }
  if (file) fclose(file);
  return number;
}

// True for the processes of this sandbox: those that the first one of it is above of.
static int is_ours(const char* pid, const char* first) {
  char at[32], path[64];
  snprintf(at, sizeof at, "%.20s", pid);
  for (int i = 0; i < 1000; ++i) {
    if (strcmp(at, first) == 0) return 1;
    snprintf(path, sizeof path, "/proc/%s/status", at);
    const unsigned long long parent = field(path, "PPid:", 10);
    if (parent == 0) return 0;
    snprintf(at, sizeof at, "%llu", parent);
  }
  return 0;
}

static void try_processes(void) {
  char self[32] = "", first[32], path[300];
  if (readlink("/proc/self", self, sizeof self - 1) < 0) return;
  snprintf(first, sizeof first, "%s", self);
  while (own_number(first) > 1) {
    snprintf(path, sizeof path, "/proc/%s/status", first);
    snprintf(first, sizeof first, "%llu", field(path, "PPid:", 10));
  }
  DIR* proc = opendir("/proc");
  for (struct dirent* item; proc && (item = readdir(proc));) {
    const char* pid = item->d_name;
    if (pid[0] < '1' || pid[0] > '9' || is_ours(pid, first)) continue;
    const char* files[] = {"environ", "mem", "maps", "root/etc", "cwd/.", "fd/0", "auxv"};
    for (unsigned i = 0; i < sizeof files / sizeof *files; ++i) {
      char byte;
      snprintf(path, sizeof path, "/proc/%s/%s", pid, files[i]);
      const int fd = open(path, O_RDONLY | O_NONBLOCK);
      struct stat status;
      if (fd < 0 || fstat(fd, &status) < 0) continue;
      if (S_ISDIR(status.st_mode) || !strcmp(files[i], "mem") || read(fd, &byte, 1) > 0)
        open_door("of another process: %s", path);
      close(fd);
    }
    if (kill(atoi(pid), 0) == 0 && own_number(self) == atoi(self))
      open_door("another process can be signalled: %s", pid);
  }
}

// Files and nodes in places that another process has: of nodes, the path is followed by who makes them for this
// process.
static void try_places_of_processes(void) {
  char self[32] = "", path[400];
  if (readlink("/proc/self", self, sizeof self - 1) < 0) return;
  DIR* proc = opendir("/proc");
  for (struct dirent* item; proc && (item = readdir(proc));) {
    const char* pid = item->d_name;
    struct stat own, other;
    if (pid[0] < '1' || pid[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/root", pid);
    if (stat("/", &own) == 0 && stat(path, &other) == 0 && own.st_ino == other.st_ino && own.st_dev == other.st_dev)
      continue;
    const char* places[] = {"root/tmp", "cwd", "fd/3", "root/dev/shm"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; ++i) {
      snprintf(path, sizeof path, "/proc/%s/%s/escape-%s-%d", pid, places[i], self, i);
      if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0 || creat(path, 0600) >= 0) {
        open_door("a file outside: %s", path);
        unlink(path);
      } else if (errno == EEXIST) {
        open_door("a file outside that stays: %s", path);
      }
    }
  }
}

static void look_for_segments(const char* file) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/sysvipc/%s", file);
  FILE* list = fopen(path, "r");
  for (int lines = 0; list && fgets(line, sizeof line, list); ++lines) {
    line[strcspn(line, "\n")] = 0;
    if (lines > 0) open_door("of the host in %s: %s", path, line);
  }
  if (list) fclose(list);
}

static void try_shared_memory(void) {
  look_for_segments("shm");
  look_for_segments("sem");
  look_for_segments("msg");
  if (shared_memory && shmat(atoi(shared_memory), NULL, SHM_RDONLY) != (void*)-1) open_door("the host's shared memory");
  const char* directories[] = {"/dev/shm", "/dev/mqueue"};
  for (unsigned i = 0; i < sizeof directories / sizeof *directories; ++i) {
    DIR* directory = opendir(directories[i]);
    for (struct dirent* item; directory && (item = readdir(directory));) {
      if (item->d_name[0] != '.') open_door("of the host: %s/%s", directories[i], item->d_name);
    }
  }
}

// What the kernel takes from the host's root alone, of a process's own.
static void try_own_process(void) {
  const struct {
    const char* file;
    const char* text;
  } writes[] = {{"/proc/self/oom_score_adj", "-999"},
                {"/proc/self/uid_map", "0 0 1"},
                {"/proc/self/gid_map", "0 0 1"},
                {"/proc/self/timens_offsets", "monotonic 1000 0"}};
  for (unsigned i = 0; i < sizeof writes / sizeof *writes; ++i) {
    const int fd = open(writes[i].file, O_WRONLY);
    if (fd >= 0 && write(fd, writes[i].text, strlen(writes[i].text)) > 0) open_door("written: %s", writes[i].file);
  }
  if (setpriority(PRIO_PROCESS, 0, -20) == 0) open_door("a priority above others'");
  const struct sched_param real_time = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &real_time) == 0) open_door("real-time scheduling");
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY) {
    limit.rlim_max += 1;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) open_door("a hard limit can be raised");
  }
}

// An empty change of the kernel's audit, which is of the whole machine.
static void try_audit(void) {
  struct {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port, status[16];
  } message = {sizeof message, 1001 /* AUDIT_SET */, 5 /* request, acknowledge */, 1, 0, {0}};
  struct {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
    int32_t error;
  } answer = {0};
  const int fd = socket(AF_NETLINK, SOCK_RAW, 9 /* NETLINK_AUDIT */);
  if (fd >= 0 && send(fd, &message, sizeof message, 0) > 0 &&
      recv(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC) > 0 && answer.type == 2 && answer.error == 0)
    open_door("the kernel's audit can be set");
}

// A program that is no file of the image: mbuild itself, before it executes the step's, or an emulator.
static void try_programs(void) {
  DIR* proc = opendir("/proc");
  for (struct dirent* item; proc && (item = readdir(proc));) {
    char path[300], link[PATH_MAX] = "";
    struct stat program, named;
    if (item->d_name[0] < '1' || item->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/exe", item->d_name);
    if (readlink(path, link, sizeof link - 1) < 0 || stat(path, &program) < 0) continue;
    if (stat(link, &named) == 0 && named.st_ino == program.st_ino && named.st_dev == program.st_dev) continue;
    if (access(path, W_OK) == 0) open_door("a program of the host's can be written: %s", link);
    if (chmod(path, program.st_mode & 07777) == 0) open_door("a program of the host's can be changed: %s", link);
  }
}

// ---- all of it

struct attempt {
  const char* name;
  void (*run)(void);
};

static const struct attempt attempts[] = {{"kernel calls", try_kernel_calls},
                                          {"new calls", try_new_calls},
                                          {"handles", try_handles},
                                          {"personality", try_personality},
#ifdef __x86_64__
                                          {"int 0x80", try_int_80},
                                          {"x32", try_x32},
#endif
                                          {"sockets", try_sockets},
                                          {"host services", try_host_services},
                                          {"sysctls", try_sysctls},
                                          {"kernel files", try_kernel_files},
                                          {"kernel secrets", try_secrets_of_the_kernel},
                                          {"sys", try_sys},
                                          {"mounts in sys", try_mounts_in_sys},
                                          {"propagation", try_propagation},
                                          {"cgroup path", try_cgroup_path},
                                          {"device nodes", try_device_nodes},
                                          {"host devices", try_host_devices},
                                          {"terminal", try_terminal},
                                          {"descriptors", try_descriptors},
                                          {"working directory", try_working_directory},
                                          {"chroot", try_chroot},
                                          {"capabilities", try_capabilities},
                                          {"ids", try_ids},
                                          {"attributes", try_attributes},
                                          {"processes", try_processes},
                                          {"programs", try_programs},
                                          {"places of processes", try_places_of_processes},
                                          {"shared memory", try_shared_memory},
                                          {"own process", try_own_process},
                                          {"audit", try_audit},
                                          {"namespaces", try_namespaces},
                                          // the last, since it takes /proc away where it can
                                          {"mounts", try_mounts}};

// The number of open doors that it found.
static int run(const struct attempt* attempt) {
  fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(120);
    attempt->run();
    fflush(stdout);
    _exit(found > 100 ? 100 : found);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  // What is killed by the kernel for what it tried has found the door shut; a hang is worth a look.
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    printf("OPEN %s: the attempt does not end\n", attempt->name);
    return 1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "own-network") == 0) about |= own_network;
    if (strcmp(argv[i], "identity-map") == 0) about |= identity_map;
    if (strncmp(argv[i], "loopback=", 9) == 0) loopback_port = argv[i] + 9;
    if (strncmp(argv[i], "abstract=", 9) == 0) abstract_name = argv[i] + 9;
    if (strncmp(argv[i], "shm=", 4) == 0) shared_memory = argv[i] + 4;
  }
  const unsigned count = sizeof attempts / sizeof *attempts;
  int doors = 0;
  for (unsigned i = 0; i < count; ++i) doors += run(&attempts[i]);
  printf("escape: %u kinds tried, %d doors open\n", count, doors);
  return doors > 0 ? 1 : 0;
}
