/* Of the library that a native program may be given (protocol.h), the constructor, which runs before all others: it
   forgets the variables of mbuild's own, and where the program stands in for one in another root directory, goes back
   there. It has no libc. By then loader and libraries are mapped; what would be loaded later is looked for where the
   emulated program would look for it, and is not there for this architecture. */

#include "calls.h"
#include "protocol.h"

static const char *number(const char *text, long *value) {
  for (*value = 0; *text >= '0' && *text <= '9'; ++text) *value = *value * 10 + (*text - '0');
  return text;
}

/* Anything else than to be back must not go on. */
static void go_back(const char *places) {
  long root, directory;
  number(number(places, &root) + 1, &directory);
  if (call4(nr_fchdir, root, 0, 0, 0) || call4(nr_chroot, (long)".", 0, 0, 0) ||
      call4(nr_fchdir, directory, 0, 0, 0)) {
    call4(nr_exit_group, 126, 0, 0, 0);
  }
  call4(nr_close, root, 0, 0, 0);
  call4(nr_close, directory, 0, 0, 0);
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
