// POST of a megabyte, answered with the same, COUNT times on one kept connection: the bytes alone, without making JSON of
// anything or anything of JSON. `http-post PORT`.
#include "http.h"

static int fd;
static char *request;
static size_t request_length;
static struct http_message answer;

static void post(long count) {
  for (long i = 0; i < count; i++) {
    send_all(fd, request, request_length);
    if (!http_receive(fd, &answer)) fail("no answer");
    if (memcmp(answer.bytes, "HTTP/1.1 200", 12) != 0 || answer.body_length == 0) fail("a bad answer");
  }
}

int main(int count, char **arguments) {
  int port = count > 1 ? atoi(arguments[1]) : 0;
  size_t body_length = 1045542;  // of megabyte.js as JSON
  request = malloc(body_length + 512);
  if (request == NULL) fail("malloc");
  int head = sprintf(request,
                     "POST /echo HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n" REQUEST_LINES
                     "Content-Length: %zu\r\n\r\n",
                     port, body_length);
  memset(request + head, ' ', body_length);
  request_length = (size_t)head + body_length;
  fd = connect_loopback(SOCK_STREAM, port);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return take_commands(post);
}
