// Connect, one byte there and back, close: COUNT times.
#include "peer.h"

static int port;

static void connections(long count) {
  for (long i = 0; i < count; i++) {
    int fd = connect_loopback(SOCK_STREAM, port);
    char byte = 1;
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) fail("send");
    if (recv(fd, &byte, 1, 0) != 1) fail("recv");
    close(fd);
  }
}

int main(int count, char **arguments) {
  port = count > 1 ? atoi(arguments[1]) : 0;
  return take_commands(connections);
}
