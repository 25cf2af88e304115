/*
 * What Debian's libstdc++, libgcc_s and OpenSSL want of glibc and musl does not have, so that scripts/test-musl.js can lend them to Bun's
 * musl build. It takes the name of glibc's loader, which they ask for. Not part of what is tested: std-net calls none of these.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

/* libstdc++. (Destructors of thread-local objects do not run.) */
char __libc_single_threaded = 0;

int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library) {
  (void)destructor, (void)object, (void)library;
  return 0;
}

unsigned arc4random(void) {
  unsigned value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value) abort();
  return value;
}

size_t __strftime_l(char *text, size_t room, const char *format, const struct tm *time, void *locale) {
  (void)locale;
  return strftime(text, room, format, time);
}

/* libgcc_s: not found here, so it looks with dl_iterate_phdr(3). */
int _dl_find_object(void *address, void *result) {
  (void)address, (void)result;
  return -1;
}

unsigned __cpu_model[4];

int __cpu_indicator_init(void) {
  return 0;
}

/* OpenSSL: what _FORTIFY_SOURCE makes of the plain functions. */
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room) {
  if (size > room) abort();
  return memcpy(to, from, size);
}

void *__memset_chk(void *at, int byte, size_t size, size_t room) {
  if (size > room) abort();
  return memset(at, byte, size);
}

char *__strcat_chk(char *to, const char *from, size_t room) {
  if (strlen(to) + strlen(from) >= room) abort();
  return strcat(to, from);
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...) {
  (void)flag;
  va_list values;
  va_start(values, format);
  int length = vsnprintf(to, room, format, values);
  va_end(values);
  return length;
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list values) {
  (void)flag;
  return vfprintf(file, format, values);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int length = __vfprintf_chk(file, flag, format, values);
  va_end(values);
  return length;
}

void __syslog_chk(int priority, int flag, const char *format, ...) {
  (void)flag;
  va_list values;
  va_start(values, format);
  vsyslog(priority, format, values);
  va_end(values);
}

long __fdelt_chk(long descriptor) {
  return descriptor / 64;
}

/* OpenSSL's asynchronous jobs, which nothing here uses. */
int getcontext(void *context) {
  (void)context;
  return -1;
}

int setcontext(const void *context) {
  (void)context;
  return -1;
}

void makecontext(void *context, void (*function)(void), int count, ...) {
  (void)context, (void)function, (void)count;
  abort();
}
