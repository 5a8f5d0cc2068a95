#include <sys/utsname.h>

#include "hello.h"

const char *machine(void) {
  static struct utsname names;
  return uname(&names) == 0 ? names.machine : "unknown";
}
