// GET of a small JSON over TLS, COUNT times: `https-get PORT CA` on one kept connection, `https-get PORT CA resumed` on a
// new one each, with the session of the one before. Chain and address are verified.
#include "peer.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static int port;
static int fd;
static SSL_CTX *context;
static SSL *ssl;
static SSL_SESSION *session;

static void fail_tls(const char *what) {
  fprintf(stderr, "%s: ", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static int keep_session(SSL *connection, SSL_SESSION *made) {
  (void)connection;
  SSL_SESSION_free(session);
  session = made;
  return 1;
}

static void open_connection(void) {
  fd = connect_loopback(SOCK_STREAM, port);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
  if (session != NULL) SSL_set_session(ssl, session);
  if (SSL_connect(ssl) != 1) fail_tls("SSL_connect");
}

static void close_connection(void) {
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(fd);
}

static void exchange(const char *request, int length) {
  static char answer[65536];
  if (SSL_write(ssl, request, length) != length) fail_tls("SSL_write");
  size_t have = 0;
  for (;;) {
    int got = SSL_read(ssl, answer + have, (int)(sizeof answer - 1 - have));
    if (got <= 0) fail_tls("SSL_read");
    have += (size_t)got;
    answer[have] = 0;
    char *body = strstr(answer, "\r\n\r\n");
    if (body == NULL) continue;
    char *field = strcasestr(answer, "content-length:");
    if (field == NULL) fail("no Content-Length");
    if (have >= (size_t)(body + 4 - answer) + strtoul(field + 15, NULL, 10)) break;
  }
  if (memcmp(answer, "HTTP/1.1 200", 12) != 0) fail("a bad answer");
}

static void kept(long count) {
  char request[256];
  for (long i = 0; i < count; i++) {
    int length = snprintf(request, sizeof request, "GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" REQUEST_LINES "\r\n", port);
    exchange(request, length);
  }
}

static void resumed(long count) {
  char request[256];
  for (long i = 0; i < count; i++) {
    int length = snprintf(request, sizeof request,
                          "GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" REQUEST_LINES "Connection: close\r\n\r\n",
                          port);
    int may_resume = session != NULL;
    open_connection();
    if (may_resume && !SSL_session_reused(ssl)) fail("the session was not resumed");
    exchange(request, length);
    close_connection();
  }
}

int main(int count, char **arguments) {
  port = count > 1 ? atoi(arguments[1]) : 0;
  context = SSL_CTX_new(TLS_client_method());
  if (count < 3 || SSL_CTX_load_verify_locations(context, arguments[2], NULL) != 1) fail_tls("no CA");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_read_ahead(context, 1);
  if (count > 3) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    return take_commands(resumed);
  }
  open_connection();
  return take_commands(kept);
}
