// 64 bytes to an echo server and back, COUNT times on one connection.
#include "peer.h"

#define SIZE 64

static int fd;

static void round_trips(long count) {
  char bytes[SIZE] = {0};
  for (long i = 0; i < count; i++) {
    if (send(fd, bytes, SIZE, MSG_NOSIGNAL) != SIZE) fail("send");
    for (ssize_t have = 0; have < SIZE;) {
      ssize_t got = recv(fd, bytes + have, (size_t)(SIZE - have), 0);
      if (got <= 0) fail("recv");
      have += got;
    }
  }
}

int main(int count, char **arguments) {
  fd = connect_loopback(SOCK_STREAM, count > 1 ? atoi(arguments[1]) : 0);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return take_commands(round_trips);
}
