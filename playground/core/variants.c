// x-86: the functions with vectors are there for each kind of processor, and the best that this one has
// is chosen, once. All compute the same bits.

#include <cpuid.h>

#include "core.h"

#define DECLARED(variant) \
  int32_t core_step##variant(Core *, int32_t, const struct Column *, int32_t, const struct Question *, struct Answer *); \
  int32_t core_logits##variant(Core *, int32_t, const struct Column *, int32_t, float *); \
  void core_help##variant(Core *); \
  int32_t core_wants_help##variant(const Core *, int32_t); \
  size_t choice_room##variant(int32_t, int32_t); \
  void choice_answer##variant(const struct Head *, const float *, const struct Question *, struct Answer *, void *); \
  int32_t choice_ranking##variant(const struct Head *, const float *, const struct Question *, int32_t *, double *, void *); \
  double choice_odds##variant(const struct Question *, int32_t, const double *, int32_t, const double *, \
                              const double *, double *); \
  double choice_uniform##variant(uint32_t, uint32_t);
DECLARED(_plain)
DECLARED(_avx2)
DECLARED(_avx512)
#undef DECLARED

enum { PLAIN, AVX2, AVX512 };
static int chosen = -1; // every thread finds the same

// The widest that the processor has and the system saves.
static int widest(void) {
  unsigned a, b, c, d, saved, upper;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_F16C)) return PLAIN;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
  if ((saved & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return PLAIN;
  const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD;
  return (saved & 0xe6) == 0xe6 && (b & wide) == wide ? AVX512 : AVX2;
}

// AMD's Zen 4 (family 25) computes 512 bits in two halves: there AVX2 was 1.2 times (one story) to 1.5 times
// (eight) as fast. Other processors with AVX-512 were not measured.
static int best(void) {
  unsigned a, b, c, d;
  const int most = widest();
  const int is_zen_4 = __get_cpuid(1, &a, &b, &c, &d) && (a >> 8 & 15) + (a >> 20 & 255) == 25;
  return most == AVX512 && is_zen_4 ? AVX2 : most;
}

static int variant(void) {
  if (chosen < 0) chosen = best();
  return chosen;
}

int32_t core_variant(int32_t wanted) {
  chosen = wanted < 0 ? best() : wanted > widest() ? widest() : wanted;
  return chosen;
}

// Other libraries of a process may have made tiny numbers 0 for speed, or round otherwise; that would
// change bits.
static unsigned begin_plain_arithmetic(void) {
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(0x1f80);
  return before;
}
#define PLAINLY(call) \
  const unsigned before = begin_plain_arithmetic(); \
  call; \
  __builtin_ia32_ldmxcsr(before);

#define CHOSEN(name, ...) \
  variant() == AVX512 ? name##_avx512(__VA_ARGS__) : variant() == AVX2 ? name##_avx2(__VA_ARGS__) : name##_plain(__VA_ARGS__)

int32_t core_step(Core *core, int32_t count, const struct Column *columns, int32_t asked,
                  const struct Question *questions, struct Answer *answers) {
  int32_t wrong;
  PLAINLY(wrong = CHOSEN(core_step, core, count, columns, asked, questions, answers))
  return wrong;
}
int32_t core_logits(Core *core, int32_t count, const struct Column *columns, int32_t asked, float *logits) {
  int32_t wrong;
  PLAINLY(wrong = CHOSEN(core_logits, core, count, columns, asked, logits))
  return wrong;
}
void core_help(Core *core) {
  PLAINLY(CHOSEN(core_help, core))
}
int32_t core_wants_help(const Core *core, int32_t count) { return core_wants_help_plain(core, count); }
void choice_answer(const struct Head *head, const float *logits, const struct Question *question, struct Answer *answer,
                   void *room) {
  PLAINLY(CHOSEN(choice_answer, head, logits, question, answer, room))
}
int32_t choice_ranking(const struct Head *head, const float *logits, const struct Question *question, int32_t *ids,
                       double *found, void *room) {
  int32_t count;
  PLAINLY(count = CHOSEN(choice_ranking, head, logits, question, ids, found, room))
  return count;
}
double choice_odds(const struct Question *question, int32_t count, const double *logits, int32_t num_rest,
                   const double *rest_logits, const double *rest_counts, double *odds) {
  double rest;
  PLAINLY(rest = CHOSEN(choice_odds, question, count, logits, num_rest, rest_logits, rest_counts, odds))
  return rest;
}
size_t choice_room(int32_t ids, int32_t unique) { return choice_room_plain(ids, unique); }
double choice_uniform(uint32_t seed, uint32_t position) { return choice_uniform_plain(seed, position); }
