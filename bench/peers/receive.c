// Receives COUNT pieces of 64 KiB each run, by recv into one buffer.
#include "peer.h"

#define PIECE 65536

static int fd;

static void receive(long count) {
  static char bytes[PIECE];
  uint64_t left = (uint64_t)count * PIECE;
  send_all(fd, (const char *)&left, sizeof left);
  while (left > 0) {
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) fail("recv");
    left -= (uint64_t)got;
  }
}

int main(int count, char **arguments) {
  fd = connect_loopback(SOCK_STREAM, count > 1 ? atoi(arguments[1]) : 0);
  return take_commands(receive);
}
