/* The library that a native program is given where it stands in for one in another root directory (protocol.h): its
   constructor, before all others, goes back there. It has no libc. By then loader and libraries are mapped; what would be
   loaded later is looked for where the emulated program would look for it, and is not there for this architecture. */

#include "protocol.h"

#if defined(__x86_64__)
enum { nr_close = 3, nr_fchdir = 81, nr_chroot = 161, nr_exit_group = 231 };

static long call1(long number, long a) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { nr_close = 57, nr_fchdir = 50, nr_chroot = 51, nr_exit_group = 94 };

static long call1(long number, long a) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8) : "memory");
  return x0;
}
#else
#error "no calls for this architecture"
#endif

static const char *after(const char *text, const char *prefix) {
  while (*prefix) {
    if (*text++ != *prefix++) return 0;
  }
  return text;
}

static const char *number(const char *text, long *value) {
  for (*value = 0; *text >= '0' && *text <= '9'; ++text) *value = *value * 10 + (*text - '0');
  return text;
}

/* Anything else than to be back must not go on. */
static void go_back(const char *places) {
  long root, directory;
  number(number(places, &root) + 1, &directory);
  if (call1(nr_fchdir, root) || call1(nr_chroot, (long)".") || call1(nr_fchdir, directory)) call1(nr_exit_group, 126);
  call1(nr_close, root);
  call1(nr_close, directory);
}

__attribute__((constructor)) static void back(int argc, char **argv, char **env) {
  char **kept = env;
  (void)argc;
  (void)argv;
  for (; *env; ++env) {
    const char *places = after(*env, MBUILD_ACCEL_BACK_VARIABLE);
    if (places) go_back(places);
    if (!places && !after(*env, "LD_PRELOAD=")) *kept++ = *env;
  }
  *kept = 0;
}
