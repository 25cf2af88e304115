// Sends COUNT pieces of 64 KiB each run, and waits for the byte that says they have all been received.
#include "peer.h"

#define PIECE 65536

static int fd;

static void transfer(long count) {
  static char bytes[PIECE];
  uint64_t length = (uint64_t)count * PIECE;
  send_all(fd, (const char *)&length, sizeof length);
  for (long i = 0; i < count; i++) send_all(fd, bytes, sizeof bytes);
  if (recv(fd, bytes, 1, 0) != 1) fail("recv");
}

int main(int count, char **arguments) {
  fd = connect_loopback(SOCK_STREAM, count > 1 ? atoi(arguments[1]) : 0);
  return take_commands(transfer);
}
