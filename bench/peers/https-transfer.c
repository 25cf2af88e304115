// The server of TLS transfers: `https-transfer source|sink CERT KEY`. As in server.c, a transfer begins with its length;
// each connection has a process of its own.
#include "peer.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

#define PIECE 65536

static char bytes[PIECE];

static int receive_length(SSL *ssl, uint64_t *length) {
  size_t have = 0;
  while (have < sizeof *length) {
    int got = SSL_read(ssl, (char *)length + have, (int)(sizeof *length - have));
    if (got <= 0) return 0;
    have += (size_t)got;
  }
  return 1;
}

static void source(SSL *ssl, uint64_t left) {
  while (left > 0) {
    int sent = SSL_write(ssl, bytes, left < PIECE ? (int)left : PIECE);
    if (sent <= 0) exit(0);
    left -= (uint64_t)sent;
  }
}

static void sink(SSL *ssl, uint64_t left) {
  while (left > 0) {
    int got = SSL_read(ssl, bytes, PIECE);
    if (got <= 0) exit(0);
    left -= (uint64_t)got;
  }
  SSL_write(ssl, "!", 1);
}

int main(int count, char **arguments) {
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (count < 4) fail("arguments");
  void (*transfer)(SSL *, uint64_t) = strcmp(arguments[1], "source") == 0 ? source : sink;
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, arguments[2]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, arguments[3], SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_read_ahead(context, 1);
  int listener = serve_loopback(SOCK_STREAM);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 || fork() != 0) {
      if (fd >= 0) close(fd);
      continue;
    }
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    uint64_t length;
    if (SSL_accept(ssl) != 1) exit(1);
    while (receive_length(ssl, &length)) transfer(ssl, length);
    exit(0);
  }
}
