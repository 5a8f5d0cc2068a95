#include <stdio.h>

#include "hello.h"

int greet(const char *who) { return printf("Hello from %s\n", who) < 0 ? -1 : 0; }
