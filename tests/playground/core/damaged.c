// Damages a model file in many ways and computes with what the core still takes for a good one. Compiled
// with sanitizers (test_damaged.py), which end the program where memory is touched that is not the core's.
//
// Usage: damaged FILE FIRST COUNT. Prints how many of the files were refused.

#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2, CONTEXT = 24, QUESTIONS = 12 };

static uint32_t next(uint64_t *state) {
  *state += 1;
  return (uint32_t)(choice_uniform((uint32_t)(*state >> 32), (uint32_t)*state) * 4294967296.0);
}

static void damage(char *file, size_t *size, uint64_t *state) {
  const uint32_t numbers[] = {0, 1, 2, 3, 7, 255, 65536, 1u << 20, 1u << 24, 0x7fffffff, 0x80000000, 0xffffffff,
                              0x7f800000, 0x7fc00000, 0xff800000};
  const uint32_t number = numbers[next(state) % 15], words = (uint32_t)(*size / 4);
  switch (next(state) % 6) {
    case 0: memcpy(file + 8 + 4 * (next(state) % 30), &number, 4); break;       // a number of the header
    case 1: memcpy(file + 4 * (next(state) % words), &number, 4); break;        // one of all
    case 2: file[next(state) % *size] ^= (char)(1 << next(state) % 8); break;   // a bit
    case 3: *size = next(state) % (*size + 1); break;                           // cut off
    case 4: file[8 + next(state) % 56] = (char)next(state); break;              // a byte of the header
    default: { // a number of the header that is nearly right
      uint32_t word;
      char *at = file + 8 + 4 * (next(state) % 14);
      memcpy(&word, at, 4);
      word += next(state) % 9 - 4;
      memcpy(at, &word, 4);
    }
  }
}

static void tell(const char *file, uint64_t *state) {
  const struct Header *h = (const struct Header *)file;
  const int32_t context = h->context < CONTEXT ? h->context : CONTEXT;
  const size_t room = core_room(file, SLOTS, context, 1);
  if (!room || room > (size_t)1 << 28) return;
  void *memory = aligned_alloc(64, (room + 63) / 64 * 64);
  memset(memory, 0, room);
  Core *core = core_open(file, memory, SLOTS, context, 1);
  struct Column columns[QUESTIONS];
  struct Question questions[QUESTIONS];
  struct Answer answers[QUESTIONS];
  memset(questions, 0, sizeof questions);
  const int32_t ids[] = {0, h->ids - 1, 0, h->ids / 2};
  for (int k = 0; k < QUESTIONS; k++) {
    columns[k] = (struct Column){(int32_t)(next(state) % (uint32_t)h->ids), k * SLOTS / QUESTIONS, k % (QUESTIONS / SLOTS) % context, k};
    struct Question *q = questions + k;
    q->settings[TEMPERATURE] = k % 4 * 0.6, q->settings[TOP_P] = k % 2 ? 1 : 0.9, q->settings[MIN_P] = k % 3 * 0.1;
    q->settings[REPETITION_PENALTY] = k % 5 ? 1 : 1.3, q->settings[TOP_K] = k % 3 * 40;
    q->draw = choice_uniform(1, k), q->known = k % 6 ? -1 : 0, q->alternatives = k % 11;
    q->num_seen = k % 5, q->num_banned = k % 3, q->num_begins = k % 4, q->num_continues = k % 2, q->written = k;
    q->seen = q->banned = q->begins = q->continues = (uint64_t)(uintptr_t)ids;
  }
  core_step(core, QUESTIONS, columns, QUESTIONS, questions, answers);
  core_borrow(core, 0, 1, context / 2);
  core_own(core, 1);
  free(memory);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  FILE *stream = fopen(arguments[1], "rb");
  if (!stream || fseek(stream, 0, SEEK_END)) return 2;
  const size_t whole = (size_t)ftell(stream);
  rewind(stream);
  char *good = malloc(whole);
  if (fread(good, 1, whole, stream) != whole) return 2;
  fclose(stream);
  int refused = 0;
  const long first = atol(arguments[2]), last = first + atol(arguments[3]);
  for (long number = first; number < last; number++) {
    uint64_t state = (uint64_t)number << 32;
    size_t size = whole;
    char *copy = malloc(whole);
    memcpy(copy, good, whole);
    for (int times = 1 + (int)(next(&state) % 3); times > 0 && size > 200; times--) damage(copy, &size, &state);
    char *exact = malloc(size ? size : 1); // no byte more, so that the sanitizer sees its end
    memcpy(exact, copy, size);
    if (core_check(exact, size)) refused++;
    else tell(exact, &state);
    free(exact), free(copy);
  }
  printf("%d\n", refused);
  free(good);
  return 0;
}
