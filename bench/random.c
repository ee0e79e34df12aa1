/*
 * The machine's own part of reading at places by chance: a million times 64 bytes of a file of 10 GiB (sparse, in memory), by
 * pread and through a mapping, with nothing else around it. The ratio of the two is what no library can be better than.
 *
 *     gcc -O2 -o /tmp/random bench/random.c && /tmp/random
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 1000000, SIZE = 64 };

static double nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static uint64_t sum_of(const char *block) {
  uint64_t sum = 0;
  for (int at = 0; at < SIZE; at += 8) {
    uint64_t word;
    memcpy(&word, block + at, 8);
    sum += word;
  }
  return sum;
}

int main(void) {
  const char *path = "/tmp/mmap-ffi-bench-random";
  const size_t length = 10UL << 30;
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, length) != 0) perror(path);
  unlink(path);
  const char *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  uint64_t *places = malloc(COUNT * sizeof *places);
  uint32_t state = 21;
  for (int at = 0; at < COUNT; at++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    places[at] = (uint64_t)(state / 4294967296.0 * (length - SIZE));
  }
  uint64_t sum = 0;
  /* The first round brings the pages in. */
  for (int round = 0; round < 4; round++) {
    double began = nanoseconds();
    for (int at = 0; at < COUNT; at++) sum += sum_of(bytes + places[at]);
    double mapped = (nanoseconds() - began) / COUNT;
    began = nanoseconds();
    for (int at = 0; at < COUNT; at++) {
      char block[SIZE];
      if (pread(fd, block, SIZE, places[at]) != SIZE) return 1;
      sum += sum_of(block);
    }
    double read = (nanoseconds() - began) / COUNT;
    if (round > 0) printf("through the mapping %.0f ns, pread %.0f ns, ratio %.3f\n", mapped, read, mapped / read);
  }
  return sum != 0;
}
