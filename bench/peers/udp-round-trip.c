// A datagram of 64 bytes to an echo server and back, COUNT times from one socket.
#include "peer.h"

#define SIZE 64

static int fd;
static struct sockaddr_in server;

static void round_trips(long count) {
  char bytes[SIZE] = {0};
  for (long i = 0; i < count; i++) {
    if (sendto(fd, bytes, SIZE, 0, (struct sockaddr *)&server, sizeof server) != SIZE) fail("sendto");
    struct sockaddr_in from;
    socklen_t from_length = sizeof from;
    if (recvfrom(fd, bytes, SIZE, 0, (struct sockaddr *)&from, &from_length) != SIZE) fail("recvfrom");
  }
}

int main(int count, char **arguments) {
  server = loopback(count > 1 ? atoi(arguments[1]) : 0);
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  struct sockaddr_in any = loopback(0);
  if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) fail("bind");
  return take_commands(round_trips);
}
