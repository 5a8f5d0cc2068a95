#pragma once

// glibc 2.36 declares these functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}
