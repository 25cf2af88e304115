/*
 * Linux's libc with the behaviour of macOS's kernel, for LD_PRELOAD. The numbers stay Linux's: `npm run check:systems` proves macOS's.
 * Each function names its place in XNU (11417, macOS 15.5). What macOS does as Linux is not here.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))next(&next_##name, #name))
#define DECLARE(name) static void *next_##name

DECLARE(accept4);
DECLARE(connect);
DECLARE(getpeername);
DECLARE(getsockopt);
DECLARE(poll);
DECLARE(send);
DECLARE(sendto);
DECLARE(setsockopt);
DECLARE(shutdown);

static void *next(void **found, const char *name) {
  void *function = __atomic_load_n(found, __ATOMIC_RELAXED);
  if (function == NULL) {
    function = dlsym(RTLD_NEXT, name);
    __atomic_store_n(found, function, __ATOMIC_RELAXED);
  }
  return function;
}

static int fail(int error) {
  errno = error;
  return -1;
}

/* ---- What a socket is. None of these changes errno. */

static int option(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  int before = errno;
  if (NEXT(getsockopt)(fd, SOL_SOCKET, name, &value, &length) < 0) value = -1;
  errno = before;
  return value;
}

static int is_inet(int fd) {
  int domain = option(fd, SO_DOMAIN);
  return domain == AF_INET || domain == AF_INET6;
}

static int is_stream(int fd) {
  return option(fd, SO_TYPE) == SOCK_STREAM;
}

static int is_listener(int fd) {
  return option(fd, SO_ACCEPTCONN) == 1;
}

static int is_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

static short state(int fd, short events) {
  struct pollfd entry = { .fd = fd, .events = events };
  int before = errno;
  int count = NEXT(poll)(&entry, 1, 0);
  errno = before;
  return count > 0 ? entry.revents : 0;
}

/* SS_CANTRCVMORE of a connection. (POLLHUP alone is a socket that has not been connected yet.) */
static int receives_no_more(int fd) {
  return is_stream(fd) && !is_listener(fd) && (state(fd, POLLRDHUP) & POLLRDHUP) != 0;
}

/* SS_CANTSENDMORE of a connection. (Linux does not tell it of a Unix socket that still receives.) */
static int sends_no_more(int fd) {
  if (!is_stream(fd) || is_listener(fd)) return 0;
  if ((state(fd, POLLRDHUP) & (POLLRDHUP | POLLHUP)) == (POLLRDHUP | POLLHUP)) return 1;
  struct tcp_info info;
  socklen_t length = sizeof info;
  int before = errno;
  int known = NEXT(getsockopt)(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
  errno = before;
  if (!known) return 0;
  switch (info.tcpi_state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
      return 1;
    default:
      return 0;
  }
}

static int is_at_both_ends(int fd) {
  return receives_no_more(fd) && sends_no_more(fd);
}

static int default_buffer(void) {
  static int size;
  if (size == 0) {
    FILE *file = fopen("/proc/sys/net/core/wmem_default", "re");
    if (file == NULL || fscanf(file, "%d", &size) != 1) size = 212992;
    if (file != NULL) fclose(file);
  }
  return size;
}

/*
 * bsd/netinet/udp_usrreq.c, udp_sendspace; bsd/kern/uipc_usrreq.c, unpdg_sendspace: a datagram has to fit into SO_SNDBUF, which is as
 * small as that until a program sets it. (Linux tells twice what was set.)
 */
static int is_too_large(int fd, size_t size) {
  if (option(fd, SO_TYPE) != SOCK_DGRAM) return 0;
  int room = option(fd, SO_SNDBUF);
  if (room != default_buffer()) return size > (size_t)room / 2;
  return size > (is_inet(fd) ? 9216u : 2048u);
}

/* ---- The calls. */

/* bsd/kern/uipc_syscalls.c, accept_nocancel: msleep(..., 0), so no SO_RCVTIMEO. */
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  for (;;) {
    int blocking = is_blocking(fd);
    if (blocking && is_listener(fd)) {
      struct pollfd entry = { .fd = fd, .events = POLLIN };
      if (NEXT(poll)(&entry, 1, -1) < 0) return -1;
    }
    int made = NEXT(accept4)(fd, address, length, flags);
    if (made >= 0 || errno != EAGAIN || !blocking) return made;
  }
}

int accept(int fd, struct sockaddr *address, socklen_t *length) {
  return accept4(fd, address, length, 0);
}

/* bsd/kern/uipc_syscalls.c, connectit: msleep(..., 0), so no SO_SNDTIMEO. */
int connect(int fd, const struct sockaddr *address, socklen_t length) {
  if (!is_stream(fd) || !is_inet(fd) || !is_blocking(fd)) {
    int result = NEXT(connect)(fd, address, length);
    /* bsd/kern/uipc_usrreq.c, unp_connect: sonewconn fails at once when the queue is full. */
    if (result < 0 && errno == EAGAIN && option(fd, SO_DOMAIN) == AF_UNIX) errno = ECONNREFUSED;
    return result;
  }
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  int result = NEXT(connect)(fd, address, length);
  if (result < 0 && (errno == EINPROGRESS || errno == EALREADY)) {
    struct pollfd entry = { .fd = fd, .events = POLLOUT };
    result = NEXT(poll)(&entry, 1, -1) < 0 ? -1 : 0;
    int error = result < 0 ? errno : option(fd, SO_ERROR);
    if (error != 0) result = fail(error);
  }
  int error = errno;
  fcntl(fd, F_SETFL, flags);
  errno = error;
  return result;
}

/* bsd/kern/uipc_usrreq.c, uipc_send: a datagram that finds the receiver's buffer full is ENOBUFS, and nothing waits. */
static int is_unix_datagram(int fd) {
  return option(fd, SO_TYPE) == SOCK_DGRAM && option(fd, SO_DOMAIN) == AF_UNIX;
}

static ssize_t unix_datagram(ssize_t sent) {
  return sent < 0 && errno == EAGAIN ? fail(ENOBUFS) : sent;
}

/* bsd/kern/uipc_socket.c, sosendcheck: SS_NBIO or MSG_NBIO alone, so no MSG_DONTWAIT. */
ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  if (is_too_large(fd, size)) return fail(EMSGSIZE);
  if (is_unix_datagram(fd)) return unix_datagram(NEXT(send)(fd, bytes, size, flags | MSG_DONTWAIT));
  return NEXT(send)(fd, bytes, size, flags & ~MSG_DONTWAIT);
}

/* bsd/netinet/udp_usrreq.c, udp_output: EISCONN with an address on a connected socket. */
ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
  if (is_too_large(fd, size)) return fail(EMSGSIZE);
  if (is_unix_datagram(fd))
    return unix_datagram(NEXT(sendto)(fd, bytes, size, flags | MSG_DONTWAIT, address, length));
  if (address != NULL && option(fd, SO_TYPE) == SOCK_DGRAM) {
    struct sockaddr_storage peer;
    socklen_t room = sizeof peer;
    int before = errno;
    int is_connected = NEXT(getpeername)(fd, (struct sockaddr *)&peer, &room) == 0;
    errno = before;
    if (is_connected) return fail(EISCONN);
  }
  return NEXT(sendto)(fd, bytes, size, flags & ~MSG_DONTWAIT, address, length);
}

/*
 * bsd/kern/uipc_socket.c, sogetoptlock: no SO_ACCEPTCONN, and an option that is on comes as its own bit;
 * bsd/netinet/tcp_usrreq.c, tcp_ctloutput: so does TCP_NODELAY (TF_NODELAY).
 */
int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
  if (level == SOL_SOCKET && name == SO_ACCEPTCONN) return fail(ENOPROTOOPT);
  int result = NEXT(getsockopt)(fd, level, name, value, length);
  if (result == 0 && *length == sizeof(int) && *(int *)value == 1) {
    if (level == SOL_SOCKET && name == SO_REUSEADDR) *(int *)value = 0x4;
    if (level == SOL_SOCKET && name == SO_KEEPALIVE) *(int *)value = 0x8;
    if (level == SOL_SOCKET && name == SO_BROADCAST) *(int *)value = 0x20;
    if (level == SOL_SOCKET && name == SO_REUSEPORT) *(int *)value = 0x200;
    if (level == IPPROTO_TCP && name == TCP_NODELAY) *(int *)value = 0x4;
  }
  return result;
}

/* bsd/kern/uipc_socket.c, sosetoptlock: EINVAL when both directions are at their end. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  return is_at_both_ends(fd) ? fail(EINVAL) : NEXT(setsockopt)(fd, level, name, value, length);
}

/* bsd/kern/uipc_syscalls.c, getpeername: the same. */
int getpeername(int fd, struct sockaddr *address, socklen_t *length) {
  return is_at_both_ends(fd) ? fail(EINVAL) : NEXT(getpeername)(fd, address, length);
}

/*
 * bsd/kern/uipc_socket.c, soshutdownlock_final: a direction that is at its end already is ENOTCONN. SHUT_RDWR looks at the receiving
 * one first, and leaves the other one open then.
 */
int shutdown(int fd, int how) {
  if (is_listener(fd)) return fail(ENOTCONN);
  if (how != SHUT_WR && receives_no_more(fd)) return fail(ENOTCONN);
  if (how == SHUT_WR && sends_no_more(fd)) return fail(ENOTCONN);
  return NEXT(shutdown)(fd, how);
}

/*
 * bsd/kern/sys_generic.c, poll_nocancel and poll_callback, over the filters of kqueue: there is no POLLERR for sockets, a POLLHUP hides POLLOUT, and
 * an entry without events is not looked at.
 */
static short translated(const struct pollfd *entry, short found) {
  int reads = entry->events & (POLLIN | POLLRDNORM | POLLPRI | POLLHUP | POLLRDHUP);
  short result = 0;
  if ((found & POLLNVAL) != 0) return POLLNVAL;
  if (option(entry->fd, SO_TYPE) < 0) return found;
  if (reads && (found & POLLRDHUP) != 0) result |= POLLHUP | (entry->events & POLLIN);
  else if (reads && (found & (POLLIN | POLLERR)) != 0) result |= entry->events & POLLIN;
  if ((entry->events & POLLOUT) == 0) return result;
  if (sends_no_more(entry->fd)) return result | POLLHUP;
  if ((found & (POLLOUT | POLLERR)) != 0 && (result & POLLHUP) == 0) result |= POLLOUT;
  return result;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int poll(struct pollfd *entries, nfds_t count, int milliseconds) {
  struct pollfd few[16];
  struct pollfd *asked = count <= 16 ? few : malloc(count * sizeof *asked);
  if (asked == NULL) return fail(ENOMEM);
  for (nfds_t index = 0; index < count; index++) {
    int events = entries[index].events;
    int reads = events & (POLLIN | POLLRDNORM | POLLPRI | POLLHUP | POLLRDHUP);
    asked[index].fd = events == 0 ? -1 : entries[index].fd;
    asked[index].events = (reads ? (events & POLLPRI) | POLLIN | POLLRDHUP : 0) | (events & POLLOUT);
  }
  double end = now() + milliseconds;
  int left = milliseconds;
  int ready;
  for (;;) {
    int found = NEXT(poll)(asked, count, left);
    ready = found < 0 ? -1 : 0;
    if (found < 0) break;
    for (nfds_t index = 0; index < count; index++) {
      entries[index].revents = found == 0 || asked[index].revents == 0 ? 0 : translated(&entries[index], asked[index].revents);
      if (entries[index].revents != 0) ready++;
    }
    if (ready > 0 || found == 0 || milliseconds == 0) break;
    /* What Linux reports XNU does not. */
    if (NEXT(poll)(NULL, 0, 1) < 0) {
      ready = -1;
      break;
    }
    if (milliseconds > 0) left = end > now() ? (int)(end - now()) + 1 : 0;
  }
  int error = errno;
  if (asked != few) free(asked);
  errno = error;
  return ready;
}
