#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

/* Counts the primes up to the argument. */
int main(int argc, char **argv) {
  long limit = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
  long count = 0;
  struct utsname names;

  for (long n = 2; n <= limit; n++) {
    int prime = 1;
    for (long d = 2; d * d <= n; d++)
      if (n % d == 0) {
        prime = 0;
        break;
      }
    count += prime;
  }
  if (uname(&names) != 0) return 1;
  printf("%ld primes up to %ld, counted on %s\n", count, limit, names.machine);
  return 0;
}
