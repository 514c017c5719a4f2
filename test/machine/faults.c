// Faults of the machine, for one process: loaded before libc by LD_PRELOAD, ruled from outside through a file that
// both map. For the files of one folder it refuses writes, and keeps beside them what a power cut would leave: a
// copy that gets a write only once the file has been synced. It also sets the clock of the day.
//
// FAULTS_FOLDER the folder, FAULTS_DURABLE where the copies go, FAULTS_CONTROL the file of `struct control`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
  int64_t error;         // what writes and syncs fail with; 0: they work
  int64_t clock_seconds; // added to the clock
};

// A write (or, with length -1, a change of size) that has not been synced.
struct pending {
  char name[NAME_MAX + 1];
  off_t offset;
  ssize_t length;
  struct pending *next;
};

static volatile struct control *control;
static char folder[PATH_MAX], durable[PATH_MAX];
static struct pending *first, **last = &first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void start(void) {
  if (getenv("FAULTS_CONTROL") == NULL) return;
  if (realpath(getenv("FAULTS_FOLDER"), folder) == NULL) abort();
  if (realpath(getenv("FAULTS_DURABLE"), durable) == NULL) abort();
  int fd = open(getenv("FAULTS_CONTROL"), O_RDWR);
  if (fd < 0) abort();
  void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) abort();
  close(fd);
  control = mapped;
}

// The name of a database file of the folder, or NULL. The shared memory of the log is never synced, nor the lock.
static const char *name_of(int fd, char *path) {
  if (control == NULL) return NULL;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  size_t own = strlen(folder);
  if (strncmp(path, folder, own) != 0 || path[own] != '/' || strchr(path + own + 1, '/') != NULL) return NULL;
  const char *name = path + own + 1;
  return strstr(name, "-shm") || strstr(name, ".lock") || strstr(name, " (deleted)") ? NULL : name;
}

static void note(const char *name, off_t offset, ssize_t length) {
  struct pending *write = malloc(sizeof *write);
  if (write == NULL) abort();
  snprintf(write->name, sizeof write->name, "%s", name);
  write->offset = offset;
  write->length = length;
  write->next = NULL;
  pthread_mutex_lock(&mutex);
  *last = write;
  last = &write->next;
  pthread_mutex_unlock(&mutex);
}

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_truncate)(int, off_t);

static void persist(int fd, const char *name) {
  if (real_pwrite == NULL) real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  if (real_truncate == NULL) real_truncate = dlsym(RTLD_NEXT, "ftruncate64");
  char copy[PATH_MAX * 2];
  snprintf(copy, sizeof copy, "%s/%s", durable, name);
  pthread_mutex_lock(&mutex);
  int out = open(copy, O_WRONLY | O_CREAT, 0600);
  if (out < 0) abort();
  for (struct pending **at = &first; *at != NULL;) {
    struct pending *write = *at;
    if (strcmp(write->name, name) != 0) {
      at = &write->next;
      continue;
    }
    if (write->length < 0) {
      if (real_truncate(out, write->offset) != 0) abort();
    } else {
      char *bytes = malloc(write->length);
      ssize_t got = pread64(fd, bytes, write->length, write->offset);
      if (got > 0 && real_pwrite(out, bytes, got, write->offset) != got) abort();
      free(bytes);
    }
    *at = write->next;
    free(write);
  }
  last = &first;
  while (*last != NULL) last = &(*last)->next;
  close(out);
  pthread_mutex_unlock(&mutex);
}

static int refused(const char *name) {
  if (name == NULL || control->error == 0) return 0;
  errno = (int)control->error;
  return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (refused(name)) return -1;
  ssize_t written = real(fd, bytes, count, offset);
  if (name != NULL && written > 0) note(name, offset, written);
  return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (refused(name)) return -1;
  off_t offset = name == NULL ? 0 : lseek(fd, 0, SEEK_CUR);
  ssize_t written = real(fd, bytes, count);
  if (name != NULL && written > 0) note(name, offset, written);
  return written;
}

int ftruncate64(int fd, off_t size) {
  REAL(int, "ftruncate64", int, off_t);
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (refused(name)) return -1;
  int result = real(fd, size);
  if (name != NULL && result == 0) note(name, size, -1);
  return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, int (*real)(int)) {
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (refused(name)) return -1;
  int result = real(fd);
  if (name != NULL && result == 0) persist(fd, name);
  return result;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return synced(fd, real);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return synced(fd, real);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int result = real(clock, time);
  if (control != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += control->clock_seconds;
  return result;
}

int gettimeofday(struct timeval *time, void *zone) {
  REAL(int, "gettimeofday", struct timeval *, void *);
  int result = real(time, zone);
  if (control != NULL) time->tv_sec += control->clock_seconds;
  return result;
}
