/*
 * Round trips between two processes by futexes: how long the given number of them takes, in nanoseconds. It is what the system
 * itself needs for a `wait` and a `notify` on both sides.
 *
 *     gcc -O2 -o /tmp/futex bench/futex.c && /tmp/futex 100000
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_for(atomic_int *word, int turn) {
  for (int seen; (seen = atomic_load(word)) != turn;) syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void give(atomic_int *word, int turn) {
  atomic_store(word, turn);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int main(int count, char **arguments) {
  int trips = count > 1 ? atoi(arguments[1]) : 100000;
  atomic_int *word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct timespec from, to;
  if (word == MAP_FAILED) return 1;
  if (fork() == 0) {
    /* The first turn says that it runs. */
    give(word, 1);
    for (int trip = 0; trip < trips; trip++) {
      wait_for(word, 2 * trip + 2);
      give(word, 2 * trip + 3);
    }
    return 0;
  }
  wait_for(word, 1);
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int trip = 0; trip < trips; trip++) {
    give(word, 2 * trip + 2);
    wait_for(word, 2 * trip + 3);
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  wait(NULL);
  printf("%.0f\n", (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec));
  return 0;
}
