// The neutral server: every client that is measured talks to this one, so that what differs is the client alone.
//   server echo | echo-once | udp-echo | sink | source | http | http-once
// A mode with kept connections serves each in a process of its own; the "-once" modes take one connection at a time,
// for a fork would cost more than what is measured.
#include "http.h"

#define PIECE 65536

static const char small_json[] = "{\"id\":42,\"name\":\"std-net\",\"ok\":true,\"tags\":[\"tcp\",\"udp\",\"http\"]}";

static void echo(int fd) {
  char bytes[PIECE];
  for (;;) {
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) return;
    send_all(fd, bytes, (size_t)got);
  }
}

// The server closes first, and so it is not the client's ports that stay occupied for a minute (TIME_WAIT).
static void echo_once(int fd) {
  char byte;
  if (recv(fd, &byte, 1, 0) == 1) send_all(fd, &byte, 1);
}

static void udp_echo(int fd) {
  char bytes[PIECE];
  for (;;) {
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_length);
    if (got < 0) fail("recvfrom");
    if (sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, from_length) < 0) fail("sendto");
  }
}

// A transfer begins with its length, eight bytes in the machine's order.
static int receive_length(int fd, uint64_t *length) {
  return recv(fd, length, sizeof *length, MSG_WAITALL) == (ssize_t)sizeof *length;
}

static void sink(int fd) {
  static char bytes[PIECE];
  uint64_t left;
  while (receive_length(fd, &left)) {
    while (left > 0) {
      ssize_t got = recv(fd, bytes, sizeof bytes, 0);
      if (got <= 0) return;
      left -= (uint64_t)got;
    }
    send_all(fd, "!", 1);
  }
}

static void source(int fd) {
  static char bytes[PIECE];
  uint64_t left;
  memset(bytes, 'x', sizeof bytes);
  while (receive_length(fd, &left)) {
    while (left > 0) {
      size_t piece = left < sizeof bytes ? (size_t)left : sizeof bytes;
      ssize_t sent = send(fd, bytes, piece, MSG_NOSIGNAL);
      if (sent < 0) return;
      left -= (uint64_t)sent;
    }
  }
}

// A POST gets its own body back; anything else gets the small JSON.
static void http(int fd) {
  struct http_message request = {0};
  char *answer = NULL;
  size_t capacity = 0;
  while (http_receive(fd, &request)) {
    const char *body = small_json;
    size_t body_length = sizeof small_json - 1;
    if (request.body_length > 0) {
      body = request.bytes + request.head_length;
      body_length = request.body_length;
    }
    if (capacity < body_length + 256) {
      capacity = body_length + 256;
      answer = realloc(answer, capacity);
      if (answer == NULL) fail("realloc");
    }
    int head_length = snprintf(answer, capacity,
                               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
                               body_length, request.close ? "Connection: close\r\n" : "");
    memcpy(answer + head_length, body, body_length);
    send_all(fd, answer, (size_t)head_length + body_length);
    if (request.close) break;
  }
  free(answer);
  free(request.bytes);
}

int main(int count, char **arguments) {
  const char *mode = count > 1 ? arguments[1] : "";
  if (strcmp(mode, "udp-echo") == 0) udp_echo(serve_loopback(SOCK_DGRAM));

  void (*serve)(int) = NULL;
  if (strcmp(mode, "echo") == 0) serve = echo;
  if (strcmp(mode, "echo-once") == 0) serve = echo_once;
  if (strcmp(mode, "sink") == 0) serve = sink;
  if (strcmp(mode, "source") == 0) serve = source;
  if (strncmp(mode, "http", 4) == 0) serve = http;
  if (serve == NULL) {
    fprintf(stderr, "usage: server MODE\n");
    return 2;
  }
  int fork_each = strstr(mode, "-once") == NULL;
  signal(SIGCHLD, SIG_IGN);  // children that ended need no wait
  signal(SIGPIPE, SIG_IGN);

  int listener = serve_loopback(SOCK_STREAM);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!fork_each) {
      serve(fd);
    } else if (fork() == 0) {
      close(listener);
      serve(fd);
      return 0;
    }
    close(fd);
  }
}
