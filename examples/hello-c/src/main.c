#include "hello.h"

int main(void) { return greet(machine()) ? 1 : 0; }
