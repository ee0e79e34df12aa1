/*
 * The system's own part of opening a map: open, mmap, read a byte, munmap and close of a file of 4 KiB and of one of 1 TiB
 * (sparse), as the library maps for reading. The ratio of the two is what no library can be better than.
 *
 *     gcc -O2 -o /tmp/open bench/open.c && /tmp/open
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* The best of many rounds, in microseconds for each. */
static double cycle(const char *path, size_t length, int touch) {
  double best = 1e9;
  for (int round = 0; round < 15; round++) {
    double began = microseconds();
    for (int count = 0; count < 3000; count++) {
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      char *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
      if (touch) (void)*(volatile char *)bytes;
      munmap(bytes, length);
      close(fd);
    }
    double took = (microseconds() - began) / 3000;
    if (took < best) best = took;
  }
  return best;
}

static const char *sparse(const char *path, off_t size) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, size) != 0) perror(path);
  close(fd);
  return path;
}

int main(void) {
  const char *small = sparse("/tmp/mmap-ffi-bench-small", 4096);
  const char *huge = sparse("/tmp/mmap-ffi-bench-huge", 1L << 40);
  for (int touch = 0; touch < 2; touch++) {
    double one = cycle(small, 4096, touch);
    double other = cycle(huge, 1UL << 40, touch);
    printf("%s: 4 KiB %.2f us, 1 TiB %.2f us, ratio %.2f\n", touch ? "a byte read" : "no byte read", one, other, other / one);
  }
  unlink(small);
  unlink(huge);
  return 0;
}
