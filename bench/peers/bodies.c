// A server of large bodies: what it sends is what the request's path asks for. It makes each body once and sends it from memory, so
// that it is not what limits the clients.
//   bodies [GZIP-FILE]
//   /plain/BYTES            a body with its length
//   /chunked/BYTES/SIZE     the same in chunks of SIZE bytes, at most a mebibyte each
//   /gzip/TIMES             the file, which is gzip, so many times
//   /events/COUNT           server-sent events, a chunk each, as many as fit into one send
//   /ticks/COUNT            an event each millisecond, whose data is the time when it was sent
#include "http.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PIECE (1 << 20)

static char *file;
static size_t file_length;

static const char chunked_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

static void read_file(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat about;
  if (fd < 0 || fstat(fd, &about) < 0) fail(path);
  file_length = (size_t)about.st_size;
  file = malloc(file_length);
  if (file == NULL || read(fd, file, file_length) != about.st_size) fail(path);
  close(fd);
}

static void send_head(int fd, const char *more, size_t length) {
  char head[256];
  int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", more, length);
  send_all(fd, head, (size_t)size);
}

static void plain(int fd, size_t length) {
  static char bytes[PIECE];
  memset(bytes, 'x', sizeof bytes);
  send_head(fd, "", length);
  for (size_t left = length; left > 0;) {
    size_t piece = left < sizeof bytes ? left : sizeof bytes;
    send_all(fd, bytes, piece);
    left -= piece;
  }
}

static void chunked(int fd, size_t length, size_t size) {
  static char bytes[2 * PIECE];
  size_t chunk = (size_t)sprintf(bytes, "%zx\r\n", size) + size + 2;
  memset(bytes + chunk - size - 2, 'x', size);
  memcpy(bytes + chunk - 2, "\r\n", 2);
  // As many chunks at once as make a piece.
  size_t most = PIECE / chunk > 0 ? PIECE / chunk : 1;
  for (size_t i = 1; i < most; i++) memcpy(bytes + i * chunk, bytes, chunk);
  send_all(fd, chunked_head, sizeof chunked_head - 1);
  for (size_t left = length / size; left > 0;) {
    size_t count = left < most ? left : most;
    send_all(fd, bytes, count * chunk);
    left -= count;
  }
  send_all(fd, "0\r\n\r\n", 5);
}

static void gzip(int fd, size_t times) {
  send_head(fd, "Content-Encoding: gzip\r\n", times * file_length);
  for (size_t i = 0; i < times; i++) send_all(fd, file, file_length);
}

static int event_chunk(char *target, const char *data) {
  return sprintf(target, "%zx\r\ndata: %s\n\n\r\n", strlen(data) + 8, data);
}

static void events(int fd, size_t count) {
  static char bytes[65536];
  char data[512];
  send_all(fd, chunked_head, sizeof chunked_head - 1);
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    // As a language model's API streams its tokens.
    sprintf(data,
            "{\"id\":\"chatcmpl-%zu\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\","
            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token%zu\"},\"finish_reason\":null}]}",
            i, i);
    used += (size_t)event_chunk(bytes + used, data);
    if (used > sizeof bytes - 1024) {
      send_all(fd, bytes, used);
      used = 0;
    }
  }
  send_all(fd, bytes, used);
  send_all(fd, "0\r\n\r\n", 5);
}

static void ticks(int fd, size_t count) {
  char chunk[128];
  char data[32];
  send_all(fd, chunked_head, sizeof chunked_head - 1);
  for (size_t i = 0; i < count; i++) {
    struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
    sprintf(data, "%llu", (unsigned long long)now_ns());
    send_all(fd, chunk, (size_t)event_chunk(chunk, data));
  }
  send_all(fd, "0\r\n\r\n", 5);
}

static void serve(int fd) {
  struct http_message request = {0};
  while (http_receive(fd, &request)) {
    size_t one = 0;
    size_t two = 0;
    request.bytes[request.head_length - 1] = '\0';
    if (sscanf(request.bytes, "GET /plain/%zu", &one) == 1) plain(fd, one);
    else if (sscanf(request.bytes, "GET /chunked/%zu/%zu", &one, &two) == 2) chunked(fd, one, two);
    else if (sscanf(request.bytes, "GET /gzip/%zu", &one) == 1) gzip(fd, one);
    else if (sscanf(request.bytes, "GET /events/%zu", &one) == 1) events(fd, one);
    else if (sscanf(request.bytes, "GET /ticks/%zu", &one) == 1) ticks(fd, one);
    else send_head(fd, "", 0);
  }
}

int main(int count, char **arguments) {
  if (count > 1) read_file(arguments[1]);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  int listener = serve_loopback(SOCK_STREAM);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fork() == 0) {
      close(listener);
      serve(fd);
      return 0;
    }
    close(fd);
  }
}
