/* What stands at the entry of mbuild's private copy of QEMU (inject.h): asks who supervises the step whether the program
   that is to be emulated has a native equivalent, and executes that; else QEMU starts as if nothing were here. It has no
   libc, no memory of its own but the stack, and only addresses relative to itself.

   The stack is as the kernel hands it to a program: argc, argv, 0, environment, 0, auxiliary vector. binfmt_misc with
   flags P and O gives: argv[0] the interpreter, argv[1] the program's path, argv[2] its own argv[0], and the open
   program as AT_EXECFD. */

#include "calls.h"
#include "protocol.h"

enum { at_null = 0, at_flags = 8, at_secure = 23, at_execfd = 2 };
enum { preserve_argv0 = 1 };                             /* of AT_FLAGS: argv[2] is the program's own argv[0] */
enum { f_setfd = 2, fd_cloexec = 1, pr_get_name = 16, at_fdcwd = -100, o_path = 0x200000 };

#if defined(__x86_64__)
__asm__(
    ".section .entry,\"ax\"\n"
    "slot: .quad 0\n" /* QEMU's own entry less this address; inject.cc fills it in */
    ".quad 0\n"
    ".globl entry\n"
    "entry:\n"
    "  mov %rsp, %rdi\n"
    "  push %rdx\n" /* the kernel's word to the C library */
    "  push %rdx\n"
    "  call substitute\n"
    "  pop %rdx\n"
    "  pop %rdx\n"
    "  lea slot(%rip), %rax\n"
    "  add (%rax), %rax\n"
    "  jmp *%rax\n"
    ".text\n");
#elif defined(__aarch64__)
__asm__(
    ".section .entry,\"ax\"\n"
    "slot: .quad 0\n"
    ".quad 0\n"
    ".globl entry\n"
    "entry:\n"
    "  str x0, [sp, #-16]!\n"
    "  add x0, sp, #16\n"
    "  bl substitute\n"
    "  ldr x0, [sp], #16\n"
    "  adr x16, slot\n"
    "  ldr x17, [x16]\n"
    "  add x16, x16, x17\n"
    "  br x16\n"
    ".text\n");
#else
#error "no entry for this architecture"
#endif

static int equal(const char *a, const char *b) {
  const char *rest = after(a, b);
  return rest && !*rest;
}

static int contains(const char *text, const char *part) {
  for (; *text; ++text) {
    if (after(text, part)) return 1;
  }
  return 0;
}

/* Other character sets than UTF-8 are converted by modules that are of the emulated architecture. */
static int plain_locale(const char *value) {
  return !*value || equal(value, "C") || equal(value, "POSIX") || contains(value, "UTF-8") || contains(value, "utf8") ||
         contains(value, "UTF8") || contains(value, "utf-8");
}

/* Variables that say what of a program's libraries is to be used, and how it is to be emulated, count for QEMU alone. */
static int allows(const char *variable) {
  const char *value;
  if (after(variable, "LD_") || after(variable, "QEMU_") || after(variable, "GCONV_PATH=")) return 0;
  if ((value = after(variable, "LC_ALL=")) || (value = after(variable, "LC_CTYPE=")) ||
      (value = after(variable, "LANG=")))
    return plain_locale(value);
  return 1;
}

static char *append(char *out, const char *text) {
  while (*text) *out++ = *text++;
  return out;
}

static char *append_number(char *out, unsigned long value) {
  char digits[24];
  int n = 0;
  do {
    digits[n++] = (char)('0' + value % 10);
  } while (value /= 10);
  while (n) *out++ = digits[--n];
  return out;
}

/* The name that the kernel gave the process is kept: it is that of what was executed. */
static void native_path(char *out, unsigned long number) {
  char name[16];
  out = append(out, MBUILD_ACCEL_PROGRAMS);
  out = append_number(out, number);
  *out++ = '/';
  call4(nr_prctl, pr_get_name, (long)name, 0, 0);
  out = append(out, name);
  *out = 0;
}

/* Where the argument after "-plugin" is; 0: there is none. */
static char **plugin_of(char **argv) {
  for (; argv[0] && argv[1]; ++argv) {
    if (equal(argv[0], "-plugin")) return argv + 1;
  }
  return 0;
}

struct place {
  long root, directory;
};

/* Makes the directory the root, and tells how to come back. 0, or -1 where all is as it was. */
static int enter(long root, struct place *back) {
  back->root = call4(nr_openat, at_fdcwd, (long)"/", o_path | o_directory, 0);
  back->directory = call4(nr_openat, at_fdcwd, (long)".", o_path | o_directory, 0);
  if (back->root >= 0 && back->directory >= 0 && call4(nr_fchdir, root, 0, 0, 0) == 0) {
    if (call4(nr_chroot, (long)".", 0, 0, 0) == 0) return 0;
    call4(nr_fchdir, back->directory, 0, 0, 0);
  }
  if (back->root >= 0) call4(nr_close, back->root, 0, 0, 0);
  if (back->directory >= 0) call4(nr_close, back->directory, 0, 0, 0);
  return -1;
}

static void leave(const struct place *back) {
  call4(nr_fchdir, back->root, 0, 0, 0);
  call4(nr_chroot, (long)".", 0, 0, 0);
  call4(nr_fchdir, back->directory, 0, 0, 0);
  call4(nr_close, back->root, 0, 0, 0);
  call4(nr_close, back->directory, 0, 0, 0);
}

/* QEMU gives its program the variables in the opposite order. */
static void turn_round(char **env) {
  char **last = env, *kept;
  while (*last) ++last;
  while (env < --last) {
    kept = *env;
    *env++ = *last;
    *last = kept;
  }
}

/* Executes the program with the library, and with one more variable or 0. */
static void execute_with_library(const char *path, char **argv, char **env, char *variable) {
  char preload[] = "LD_PRELOAD=" MBUILD_ACCEL_PRELOAD;
  unsigned long n = 0, i;
  char **with;
  while (env[n]) ++n;
  with = __builtin_alloca((n + 3) * sizeof(char *));
  for (i = 0; i < n; ++i) with[i] = env[i];
  with[n] = preload;
  with[n + 1] = variable;
  with[n + 2] = 0;
  call4(nr_execve, (long)path, (long)argv, (long)with, 0);
}

/* Executes the program in the step's root. */
static void execute_there(const char *path, char **argv, char **env, long root) {
  char variable[sizeof(MBUILD_ACCEL_BACK_VARIABLE) + 48];
  struct place back;
  char *out;
  if (enter(root, &back) == 0) {
    out = append(variable, MBUILD_ACCEL_BACK_VARIABLE);
    out = append_number(out, (unsigned long)back.root);
    *out++ = ',';
    out = append_number(out, (unsigned long)back.directory);
    *out = 0;
    call4(nr_fcntl, root, f_setfd, fd_cloexec, 0);
    execute_with_library(path, argv, env, variable);
    leave(&back);
  }
  call4(nr_close, root, 0, 0, 0);
}

void substitute(long *stack) {
  const long argc = stack[0];
  char **argv = (char **)(stack + 1);
  char **env = argv + argc + 1;
  long program = -1, flags = 0, number;
  char path[sizeof(MBUILD_ACCEL_PROGRAMS) + 48];
  char plugin_path[] = MBUILD_ACCEL_PLUGIN;
  char **plugin = 0, *own_plugin = 0;
  long *aux;
  if (argc < 3) return;
  for (aux = (long *)env; *aux; ++aux) {
    if (!allows((const char *)*aux)) return;
  }
  for (++aux; *aux != at_null; aux += 2) {
    if (*aux == at_execfd) program = aux[1];
    if (*aux == at_flags) flags = aux[1];
    if (*aux == at_secure && aux[1]) return;
  }
  if (program < 0 || !(flags & preserve_argv0)) return;
  number = call4(MBUILD_ACCEL_CALL, MBUILD_ACCEL_MAGIC, program, 0, 0);
  if (number < 0) return;
  if (number & MBUILD_ACCEL_WITH_PLUGIN) {
    plugin = plugin_of(argv + 3);
    if (!plugin) return;
    own_plugin = *plugin;
    *plugin = plugin_path;
  }
  native_path(path, (unsigned long)number & (MBUILD_ACCEL_WITH_PRELOAD - 1));
  call4(nr_fcntl, program, f_setfd, fd_cloexec, 0);
  turn_round(env);
  if (number & MBUILD_ACCEL_OTHER_ROOT) {
    execute_there(path, argv + 2, env, number >> 32);
  } else if (number & MBUILD_ACCEL_WITH_PRELOAD) {
    execute_with_library(path, argv + 2, env, 0);
  } else {
    call4(nr_execve, (long)path, (long)(argv + 2), (long)env, 0);
  }
  turn_round(env);
  if (plugin) *plugin = own_plugin;
  call4(nr_fcntl, program, f_setfd, 0, 0); /* still here: QEMU has it to do */
}
