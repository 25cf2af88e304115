// GET of a small JSON, COUNT times: `http-get PORT` on one kept connection, `http-get PORT close` on a new one each.
#include "http.h"

static int port;
static int fd;
static struct http_message answer;

static void exchange(const char *request, int length) {
  send_all(fd, request, (size_t)length);
  if (!http_receive(fd, &answer)) fail("no answer");
  if (memcmp(answer.bytes, "HTTP/1.1 200", 12) != 0 || answer.body_length == 0) fail("a bad answer");
}

static void kept(long count) {
  char request[256];
  for (long i = 0; i < count; i++) {
    int length = snprintf(request, sizeof request, "GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" REQUEST_LINES "\r\n", port);
    exchange(request, length);
  }
}

static void close_each(long count) {
  char request[256];
  for (long i = 0; i < count; i++) {
    int length = snprintf(request, sizeof request,
                          "GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" REQUEST_LINES "Connection: close\r\n\r\n",
                          port);
    fd = connect_loopback(SOCK_STREAM, port);
    exchange(request, length);
    close(fd);
  }
}

int main(int count, char **arguments) {
  port = count > 1 ? atoi(arguments[1]) : 0;
  if (count > 2) return take_commands(close_each);
  fd = connect_loopback(SOCK_STREAM, port);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return take_commands(kept);
}
