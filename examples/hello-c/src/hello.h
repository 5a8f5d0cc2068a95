#ifndef HELLO_H
#define HELLO_H

/* Machine name of the running kernel, as `uname -m` prints it; "unknown" on failure. */
const char* machine(void);

/* Writes a greeting from `who` to standard output; returns 0, or -1 on failure. */
int greet(const char* who);

#endif
