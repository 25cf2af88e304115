// What every C peer needs: sockets on loopback, and the loop that takes "run N" from standard input and prints the
// nanoseconds that N operations took. Plain blocking calls throughout.
#ifndef PEER_H
#define PEER_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// What every client's request says beside its Host, so that it is the same exchange for all of them.
#define REQUEST_LINES "Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nUser-Agent: std-net\r\n"

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket of the given type on a loopback port of the system's choice, listening where the type has that. The port is
// printed last: the harness reads it, and clients come at once.
static inline int serve_loopback(int type) {
  int fd = socket(AF_INET, type, 0);
  if (fd < 0) fail("socket");
  struct sockaddr_in address = loopback(0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (type == SOCK_STREAM && listen(fd, 1024) < 0) fail("listen");
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static inline int connect_loopback(int type, int port) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  struct sockaddr_in address = loopback(port);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  return fd;
}

static inline void send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) fail("send");
    bytes += sent;
    length -= (size_t)sent;
  }
}

static inline uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Runs `operations(count)` for each line "run COUNT", and prints the nanoseconds that it took.
static inline int take_commands(void (*operations)(long count)) {
  long count;
  printf("ready\n");
  fflush(stdout);
  while (scanf(" run %ld", &count) == 1) {
    uint64_t start = now_ns();
    operations(count);
    printf("%llu\n", (unsigned long long)(now_ns() - start));
    fflush(stdout);
  }
  return 0;
}

#endif
