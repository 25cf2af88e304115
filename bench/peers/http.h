// The little of HTTP that a sensible C program needs on a connection it controls: find the end of a head, and read
// Content-Length and Connection out of it.
#ifndef HTTP_H
#define HTTP_H

#include "peer.h"

struct http_message {
  char *bytes;         // head and body, as they came
  size_t capacity;
  size_t length;       // how many bytes are there
  size_t head_length;  // with the empty line
  size_t body_length;
  int close;           // the sender said "Connection: close"
};

// The value of a field, or NULL; `name` is in lower case and ends with its colon.
static inline const char *http_field(const char *head, const char *end, const char *name) {
  size_t length = strlen(name);
  for (const char *line = memchr(head, '\n', (size_t)(end - head)); line != NULL && line + 1 < end;
       line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
    if ((size_t)(end - line) <= length || strncasecmp(line + 1, name, length) != 0) continue;
    const char *value = line + 1 + length;
    while (*value == ' ' || *value == '\t') value++;
    return value;
  }
  return NULL;
}

static inline void http_grow(struct http_message *message, size_t capacity) {
  if (message->capacity >= capacity) return;
  message->bytes = realloc(message->bytes, capacity);
  if (message->bytes == NULL) fail("realloc");
  message->capacity = capacity;
}

// Reads one message whole. False when the peer closed before its first byte.
static inline int http_receive(int fd, struct http_message *message) {
  message->length = 0;
  http_grow(message, 65536);
  char *end = NULL;
  while (end == NULL) {
    if (message->length == message->capacity) http_grow(message, message->capacity * 2);
    ssize_t got = recv(fd, message->bytes + message->length, message->capacity - message->length, 0);
    if (got < 0) {
      if (errno == ECONNRESET) return 0;
      fail("recv");
    }
    if (got == 0) return 0;
    message->length += (size_t)got;
    end = memmem(message->bytes, message->length, "\r\n\r\n", 4);
  }
  message->head_length = (size_t)(end - message->bytes) + 4;
  const char *length = http_field(message->bytes, end, "content-length:");
  message->body_length = length == NULL ? 0 : strtoul(length, NULL, 10);
  const char *connection = http_field(message->bytes, end, "connection:");
  message->close = connection != NULL && strncasecmp(connection, "close", 5) == 0;

  size_t whole = message->head_length + message->body_length;
  http_grow(message, whole);
  while (message->length < whole) {
    ssize_t got = recv(fd, message->bytes + message->length, whole - message->length, 0);
    if (got <= 0) fail("recv of a body");
    message->length += (size_t)got;
  }
  return 1;
}

#endif
