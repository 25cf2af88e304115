// The neutral server for many connections: one epoll loop in one process. Every request without a body gets the small JSON.
//   many-server [MILLISECONDS]   each response goes out so long after its request; at once by default
#include "peer.h"

#include <fcntl.h>
#include <sys/epoll.h>

#define MOST_FDS 4096
#define ROOM 8192

static const char response[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 64\r\n\r\n"
    "{\"id\":42,\"name\":\"std-net\",\"ok\":true,\"tags\":[\"tcp\",\"udp\",\"http\"]}";

// What has come of a request that is not whole.
static char requests[MOST_FDS][ROOM];
static size_t lengths[MOST_FDS];

// Responses that are due later. All wait equally long, so the first one in is the first one out.
static struct {
  int fd;
  uint64_t due;
} waiting[MOST_FDS];
static size_t first, count;

// Receives what has come; gives how many requests are whole, or -1 at the end.
static int receive(int fd) {
  char *bytes = requests[fd];
  ssize_t got = recv(fd, bytes + lengths[fd], ROOM - lengths[fd], 0);
  if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
  lengths[fd] += (size_t)got;
  int whole = 0;
  size_t start = 0;
  for (;;) {
    char *end = memmem(bytes + start, lengths[fd] - start, "\r\n\r\n", 4);
    if (end == NULL) break;
    start = (size_t)(end - bytes) + 4;
    whole++;
  }
  memmove(bytes, bytes + start, lengths[fd] - start);
  lengths[fd] -= start;
  return whole;
}

static void respond(int fd) { send(fd, response, sizeof response - 1, MSG_NOSIGNAL); }

static void send_due(void) {
  for (uint64_t now = now_ns(); count > 0 && waiting[first].due <= now; count--) {
    respond(waiting[first].fd);
    first = (first + 1) % MOST_FDS;
  }
}

int main(int arguments, char **values) {
  uint64_t delay = arguments > 1 ? strtoull(values[1], NULL, 10) * 1000000u : 0;
  int queue = epoll_create1(EPOLL_CLOEXEC);
  int listener = serve_loopback(SOCK_STREAM);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(queue, events, 256, count > 0 ? 1 : -1);
    for (int index = 0; index < ready; index++) {
      int fd = events[index].data.fd;
      if (fd == listener) {
        int made = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (made < 0) continue;
        int on = 1;
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (made >= MOST_FDS) {
          close(made);
          continue;
        }
        lengths[made] = 0;
        struct epoll_event added = {.events = EPOLLIN, .data.fd = made};
        epoll_ctl(queue, EPOLL_CTL_ADD, made, &added);
        continue;
      }
      int whole = receive(fd);
      if (whole < 0) close(fd);
      for (; whole > 0; whole--) {
        if (delay == 0) {
          respond(fd);
        } else if (count < MOST_FDS) {
          waiting[(first + count) % MOST_FDS].fd = fd;
          waiting[(first + count++) % MOST_FDS].due = now_ns() + delay;
        }
      }
    }
    send_due();
  }
}
