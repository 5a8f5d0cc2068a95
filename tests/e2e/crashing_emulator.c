/* What stands in for QEMU where a test needs one that crashes. The emulated program's name says how:
     threads   an internal fault, unless there is one processor only; else it ends well
     always    an internal fault
     silent    a signal that nothing is said of
     program   a signal of the program's own, as QEMU tells of it
     told      QEMU's words, but it ends well
   Any other ends well. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void end_by(int sig) {
  signal(sig, SIG_DFL);
  kill(getpid(), sig);
  pause();
}

static void internal_fault(void) {
  fputs("QEMU internal SIGSEGV {code=MAPERR, addr=0x20}\n", stderr);
  end_by(SIGSEGV);
}

int main(int argc, char **argv) {
  const char *program = argc > 1 ? argv[1] : "";
  if (argc > 3 && !strcmp(program, "-0")) program = argv[3]; /* -0 NAME PROGRAM: QEMU where execs are traced */
  const char *slash = strrchr(program, '/');
  const char *name = slash ? slash + 1 : program;
  cpu_set_t processors;
  if (!strcmp(name, "--version")) {
    puts("qemu-test version 9.9.9");
    return 0;
  }
  CPU_ZERO(&processors);
  sched_getaffinity(0, sizeof processors, &processors);
  if (!strcmp(name, "threads") && CPU_COUNT(&processors) > 1) internal_fault();
  if (!strcmp(name, "always")) internal_fault();
  if (!strcmp(name, "told")) fputs("QEMU internal SIGSEGV {code=MAPERR, addr=0x20}\n", stderr);
  if (!strcmp(name, "silent")) end_by(SIGSEGV);
  if (!strcmp(name, "program")) {
    fputs("qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n", stderr);
    end_by(SIGSEGV);
  }
  return 0;
}
