// What the core's files share: a model file as it lies in memory, and the core's own memory.

#ifndef MODEL_H
#define MODEL_H

// The functions that use vectors are compiled once for each kind of processor (build.py), and
// variants.c chooses among them.
#ifdef VARIANT
#define JOINED(name, variant) name##variant
#define NAMED(name, variant) JOINED(name, variant)
#define core_step NAMED(core_step, VARIANT)
#define core_logits NAMED(core_logits, VARIANT)
#define core_help NAMED(core_help, VARIANT)
#define core_wants_help NAMED(core_wants_help, VARIANT)
#define choice_room NAMED(choice_room, VARIANT)
#define choice_answer NAMED(choice_answer, VARIANT)
#define choice_ranking NAMED(choice_ranking, VARIANT)
#define choice_odds NAMED(choice_odds, VARIANT)
#define choice_uniform NAMED(choice_uniform, VARIANT)
#endif

#include "core.h"

#define LINE 16 // numbers to which the inputs of a product are filled up with zeros

struct Matrix {
  const void *weights;  // tiles, see forward.c
  const float *scales;  // of each row, int8 only
  const float *bias;    // or NULL
  int32_t rows, inputs; // rows filled up to a multiple of 4, inputs of LINE
};

struct Norm {
  const float *gain, *bias; // bias may be NULL
};

struct Layer {
  struct Norm norm_attention, norm_mlp;
  const float *norm_query_key; // (2, width): Qwen3's gains of query and key; or NULL
  struct Matrix qkv, out, up, down;
};

// A checked file's arrays.
struct Model {
  const int32_t *table_row_of, *head_row_of; // (ids,)
  struct Matrix table, head;
  const float *positions;   // (context, hidden), GPT-2
  const float *frequencies; // (width / 2,), the others: radians of a position
  struct Norm norm_end;
};

// Numbers to which rows of working memory are filled up.
struct Room {
  size_t hidden, head, inputs, mlp, qkv, unique;
};

// A thread's working memory; each buffer holds COLUMNS rows.
struct Worker {
  int32_t is_used; // by a thread that helps
  int32_t is_alone; // whether it computes everything itself, since others compute other columns
  double waited;    // milliseconds that it waited for other threads in this step
  float *residual, *normed, *qkv, *query, *gathered, *up, *active, *scaled, *scores, *sums, *logits;
  int16_t *whole; // int8: the inputs of a product, rounded
  float *steps;   // int8: of each column
  void *choice;
};

// One item of work that threads share; `w` is the working memory of the thread that computes it.
typedef void Task(const struct Core *core, struct Worker *w, const void *of, int32_t item);

// The work that threads share now. Other threads read the first three numbers at any time, the rest only
// while they compute an item, and as long it stays as it is.
struct Team {
  int32_t unclaimed, unfinished; // items
  int32_t is_over;             // whether helpers shall leave
  int32_t items;
  Task *task;
  const void *of;
  int32_t late_window;  // small steps left in which another late one ends the help
  double alone_until; // milliseconds of pause() in forward.c: until then, small steps are not shared
};

struct Core {
  const struct Header *header;
  int32_t slots, context, threads;
  struct Model model;
  struct Room room;
  struct Head head;
  struct Layer *layer;
  struct Worker *worker; // (threads,): the first is that of the thread which calls
  struct Team *team;
  float *cache;              // (layers, slots, 2, kv_heads, context, room.head)
  float *turns;              // (context, width / 2, 2): cosine and sine; or NULL
  int32_t *owner, *borrowed; // of each slot: where its first positions lie, and how many do
};

static inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Keys (0) or values (1) of a head from a position of a slot on.
static inline float *cached(const struct Core *core, int32_t layer, int32_t slot, int32_t which, int32_t head,
                            int32_t position) {
  size_t at = ((size_t)layer * core->slots + slot) * 2 + which;
  return core->cache + ((at * core->header->kv_heads + head) * core->context + position) * core->room.head;
}

#endif
