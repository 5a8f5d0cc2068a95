/* What a step can do with its network. Prints "open" or "closed", or fails.
     reach tcp ADDRESS[%INTERFACE] PORT    reach abstract NAME
     reach refused INTERFACE ADDRESS PORT: a datagram from a socket that is bound to the interface
     reach bind PORT    reach ping    reach raw    reach serve PORT    reach hear PORT */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t parse(const char* text, int port, struct sockaddr_storage* out) {
  char address[128];
  snprintf(address, sizeof address, "%s", text);
  char* scope = strchr(address, '%');
  if (scope) *scope++ = 0;
  struct sockaddr_in* v4 = (struct sockaddr_in*)out;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)out;
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1) exit(9);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  v6->sin6_scope_id = scope ? if_nametoindex(scope) : 0;
  return sizeof *v6;
}

static const char* bound;

/* True when the connection is made within a while and the other side sends something, as the tests' listeners do. */
static int reaches(const struct sockaddr* address, socklen_t size) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return 0;
  connect(fd, address, size);
  struct pollfd wait = {fd, POLLIN, 0};
  char byte;
  return poll(&wait, 1, 3000) > 0 && read(fd, &byte, 1) == 1;
}

static int reaches_tcp(const char* address, int port) {
  struct sockaddr_storage to;
  socklen_t size = parse(address, port, &to);
  return reaches((struct sockaddr*)&to, size);
}

/* False when a datagram to the address leaves by the interface. */
static int refused(const char* address, int port) {
  struct sockaddr_storage to;
  socklen_t size = parse(address, port, &to);
  int fd = socket(to.ss_family, SOCK_DGRAM, 0);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bound, strlen(bound))) return 0;
  return sendto(fd, "x", 1, 0, (struct sockaddr*)&to, size) < 0;
}

static int reaches_abstract(const char* name) {
  struct sockaddr_un to = {AF_UNIX};
  memcpy(to.sun_path + 1, name, strlen(name));
  return reaches((struct sockaddr*)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int listener(int port) {
  struct sockaddr_storage at;
  socklen_t size = parse("0.0.0.0", port, &at);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  return bind(fd, (struct sockaddr*)&at, size) == 0 && listen(fd, 1) == 0 ? fd : -1;
}

static int serve(int port) {
  int fd = listener(port);
  if (fd < 0) return 0;
  int client = accept(fd, NULL, NULL);
  return write(client, "x", 1) == 1;
}

static int hear(int port) {
  while (!reaches_tcp("127.0.0.1", port)) usleep(100000);
  return 1;
}

int main(int argc, char** argv) {
  const char* what = argv[1];
  int port = argc > 2 ? atoi(argv[argc - 1]) : 0, open = 0;
  if (!strcmp(what, "refused")) {
    bound = argv[2];
    open = refused(argv[3], port);
  } else if (!strcmp(what, "tcp")) open = reaches_tcp(argv[2], port);
  else if (!strcmp(what, "abstract")) open = reaches_abstract(argv[2]);
  else if (!strcmp(what, "bind")) open = listener(port) >= 0;
  else if (!strcmp(what, "ping")) open = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) >= 0;
  else if (!strcmp(what, "raw")) open = socket(AF_PACKET, SOCK_RAW, 0) >= 0;
  else if (!strcmp(what, "serve")) open = serve(port);
  else if (!strcmp(what, "hear")) open = hear(port);
  else return 9;
  printf("%s\n", open ? "open" : "closed");
  return 0;
}
