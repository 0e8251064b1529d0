// Steps of few and of many columns with helping threads, while a sanitizer watches; the answers must be those of one
// thread.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { STORIES = 20, TOKENS = 12, THREADS = 3 };

static int is_over; // read and written as an atomic number

static void *help(void *core) {
  while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) core_help(core);
  return 0;
}

// Tells stories, `at_once` of them in a step, and writes the answers, story after story.
static void tell(void *file, int threads, int at_once, struct Answer *answers) {
  const size_t size = core_room(file, STORIES, TOKENS, threads);
  void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
  memset(memory, 0, size);
  Core *core = core_open(file, memory, STORIES, TOKENS, threads);
  pthread_t helper[THREADS];
  __atomic_store_n(&is_over, 0, __ATOMIC_RELAXED);
  for (int n = 1; n < threads; n++) pthread_create(helper + n, 0, help, core);
  for (int first = 0; first < STORIES; first += at_once) {
    struct Column columns[STORIES];
    struct Question questions[STORIES];
    struct Answer found[STORIES];
    memset(questions, 0, sizeof questions);
    for (int n = 0; n < at_once; n++) columns[n] = (struct Column){first + n, first + n, 0, n};
    for (int k = 0; k < TOKENS; k++) {
      for (int n = 0; n < at_once; n++) {
        struct Question *q = questions + n;
        q->settings[TEMPERATURE] = q->settings[TOP_P] = q->settings[REPETITION_PENALTY] = 1;
        q->known = -1, q->alternatives = ALTERNATIVES;
        q->draw = choice_uniform(first + n, k);
      }
      memset(found, 0, sizeof found);
      if (core_step(core, at_once, columns, at_once, questions, found)) exit(3);
      for (int n = 0; n < at_once; n++) {
        answers[(first + n) * TOKENS + k] = found[n];
        columns[n].id = found[n].id, columns[n].position++;
      }
    }
  }
  __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
  for (int n = 1; n < threads; n++) pthread_join(helper[n], 0);
  free(memory);
}

int main(int count, char **arguments) {
  FILE *opened = count > 1 ? fopen(arguments[1], "rb") : 0;
  if (!opened) return 1;
  fseek(opened, 0, SEEK_END);
  const long size = ftell(opened);
  rewind(opened);
  void *file = aligned_alloc(64, (size + 63) / 64 * 64);
  if (fread(file, 1, size, opened) != (size_t)size || core_check(file, size)) return 1;
  static struct Answer alone[STORIES * TOKENS], shared[STORIES * TOKENS];
  tell(file, 1, 1, alone);
  const int ways[] = {1, 5, STORIES}; // all threads compute each column, or take whole stories
  for (int k = 0; k < 3; k++) {
    tell(file, THREADS, ways[k], shared);
    if (memcmp(alone, shared, sizeof alone)) return 2;
  }
  free(file);
  return 0;
}
