// failing_calls: an LD_PRELOAD library by which system calls of mbuild fail (tests/e2e/test_crashes.py).
//
// The calls below are counted, in all processes of a build together: the count is in the file FAILING_CALLS_COUNTER
// names. Call number FAILING_CALLS_AT fails with FAILING_CALLS_ERRNO; with FAILING_CALLS_ON=1 all after it do, too, as
// on a full disk. What goes to the terminal is left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic long *counter;
static long fail_at;
static int fail_errno, fail_on;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAILING_CALLS_COUNTER");
  const char *at = getenv("FAILING_CALLS_AT"), *number = getenv("FAILING_CALLS_ERRNO");
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
  if (!path || (!at && number)) return;
  int fd = real(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  fail_at = at ? atol(at) : 0;
  fail_errno = number ? atoi(number) : EIO;
  fail_on = getenv("FAILING_CALLS_ON") != NULL;
  counter = page;
}

static int fails(void) {
  if (!counter) return 0;
  long number = atomic_fetch_add(counter, 1) + 1;
  if (number != fail_at && !(fail_on && fail_at > 0 && number > fail_at)) return 0;
  errno = fail_errno;
  return 1;
}

#define WRAP(type, name, parameters, arguments, condition)                 \
  type name parameters {                                                   \
    static type(*real) parameters;                                         \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);         \
    return (condition) && fails() ? (type)-1 : real arguments;             \
  }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), fd > 2)
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), 1)
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), 1)
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), fd > 2)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), 1)
WRAP(int, ftruncate64, (int fd, off_t size), (fd, size), 1)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), 1)
WRAP(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
     (in, from, out, to, size, flags), 1)
WRAP(ssize_t, sendfile, (int out, int in, off_t *at, size_t size), (out, in, at, size), 1)
WRAP(int, rename, (const char *from, const char *to), (from, to), 1)
WRAP(int, renameat, (int from_at, const char *from, int to_at, const char *to), (from_at, from, to_at, to), 1)
WRAP(int, renameat2, (int from_at, const char *from, int to_at, const char *to, unsigned flags),
     (from_at, from, to_at, to, flags), 1)
WRAP(int, link, (const char *from, const char *to), (from, to), 1)
WRAP(int, linkat, (int from_at, const char *from, int to_at, const char *to, int flags),
     (from_at, from, to_at, to, flags), 1)
WRAP(int, symlink, (const char *to, const char *path), (to, path), 1)
WRAP(int, symlinkat, (const char *to, int at, const char *path), (to, at, path), 1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), 1)
WRAP(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), 1)
WRAP(int, mknodat, (int at, const char *path, mode_t mode, dev_t device), (at, path, mode, device), 1)
WRAP(int, unlink, (const char *path), (path), 1)
WRAP(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), 1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), 1)
WRAP(int, fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags), 1)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), 1)
WRAP(int, fchownat, (int at, const char *path, uid_t uid, gid_t gid, int flags), (at, path, uid, gid, flags), 1)
WRAP(int, utimensat, (int at, const char *path, const struct timespec times[2], int flags), (at, path, times, flags), 1)
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags), 1)
WRAP(int, setxattr, (const char *path, const char *name, const void *value, size_t size, int flags),
     (path, name, value, size, flags), 1)
WRAP(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), fd > 2)
WRAP(int, socketpair, (int domain, int type, int protocol, int pair[2]), (domain, type, protocol, pair), 1)
WRAP(int, pipe2, (int pair[2], int flags), (pair, flags), 1)
WRAP(int, mount, (const char *source, const char *target, const char *type, unsigned long flags, const void *data),
     (source, target, type, flags, data), 1)
WRAP(pid_t, fork, (void), (), 1)

// With a mode only where a file may be made.
#define WRAP_OPEN(name, before_type, before)                                              \
  int name(before_type const char *path, int flags, ...) {                                \
    static int (*real)(before_type const char *, int, ...);                               \
    if (!real) real = (int (*)(before_type const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    mode_t mode = 0;                                                                      \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                                \
      va_list rest;                                                                       \
      va_start(rest, flags);                                                              \
      mode = (mode_t)va_arg(rest, unsigned);                                              \
      va_end(rest);                                                                       \
    }                                                                                     \
    return fails() ? -1 : real(before path, flags, mode);                                 \
  }
#define NOTHING
#define COMMA ,
WRAP_OPEN(open, NOTHING, NOTHING)
WRAP_OPEN(open64, NOTHING, NOTHING)
WRAP_OPEN(openat, int at COMMA, at COMMA)
WRAP_OPEN(openat64, int at COMMA, at COMMA)

// clone3, openat2, fsopen, fsconfig, fsmount, move_mount, pidfd_open, ...: what has no name in the library.
long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(rest, long);
  va_end(rest);
  return fails() ? -1 : real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
