// Makes a socket as 32-bit programs do, binds it, and prints what the network of this process has of UDP sockets.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int socket_32(int family, int type, int protocol) {
  int* arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  arguments[0] = family, arguments[1] = type, arguments[2] = protocol;
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"((uint32_t)(uintptr_t)arguments) : "memory");
  return result;
}

int main(void) {
  const int fd = socket_32(AF_INET, SOCK_DGRAM, 0);
  const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (fd < 0 || bind(fd, (const struct sockaddr*)&address, sizeof address) < 0) {
    printf("socketcall: %d\n", fd);
    return 1;
  }
  int lines = -1;  // the heading
  char line[512];
  for (FILE* list = fopen("/proc/net/udp", "r"); list && fgets(line, sizeof line, list);) ++lines;
  printf("%d of the network, raw: %d\n", lines, socket_32(AF_INET, SOCK_RAW, 1) >= 0);
  return 0;
}
