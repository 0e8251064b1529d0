// The core: a storyteller's forward pass and the choice of its next token. Plain C11, no library.
//
// The same bits on every platform: sums have a fixed order (vector.h), nothing is fused or
// reordered, and exponentials and logarithms are the core's own. A token's numbers do not depend on
// the columns beside it, on the number of threads, or on how a story was prefilled.
//
// A step is one thread's call. Other threads help while they are in core_help(): the core starts none.
//
// Memory belongs to the caller: the core allocates none. Every size in a model file is checked
// before memory is touched.
//
// Used by library.py (ctypes, or wasmtime where no library fits) and web/sampling/core.js.

#ifndef CORE_H
#define CORE_H

#include <stddef.h>
#include <stdint.h>

#define MAGIC "INKLING2"
#define COLUMNS 8       // tokens of a step that are computed at once, at most
#define ALTERNATIVES 10 // of a record

enum { FP16, INT8, FP32 };           // how matrices are stored
enum { GPT2, LLAMA, QWEN3 };         // blocks
// Why an answer has no id: the model computed what is not a number; every id is banned; a number of the
// question is out of its range.
enum { NOT_A_NUMBER = -1, NOTHING_LEFT = -2, UNSOUND = -3 };
enum { DAMAGED = -1, TOO_LARGE = -2 }; // what core_check() returns for a file that is not good

// The first bytes of a model file, little-endian. What follows are the arrays of FILE_ARRAYS in
// model.c in their order, each at the next multiple of 64 bytes; their sizes follow from these
// numbers. `size` is where the last one ends. What is behind it (the page's JSON) is not the core's.
struct Header {
  char magic[8];
  uint32_t size;
  int32_t block, weights;                // the enumerations above
  int32_t hidden, heads, kv_heads, width, mlp, layers, context;
  int32_t ids, table_rows, head_rows;    // table_rows and head_rows: distinct ones; head_rows 0: the table's (tied)
  float epsilon;
  int32_t reserved[16];                  // zero
}; // 128 bytes

// One token to feed. Those of one slot stand together in a step and have rising positions.
struct Column {
  int32_t id, slot, position;
  int32_t question; // index of the question about the token after it, or -1
};

// Numbers of the settings that the choice knows: `link` in the table of playground/sampling.py.
enum { TEMPERATURE = 1, TOP_P, MIN_P, REPETITION_PENALTY, TOP_K, WORDS_FORM = 10, SETTINGS = 16 };

// What the next token shall be chosen by. Pointers are 8 bytes apart on every platform (`uint64_t`
// holds an address of the core's memory), so that the layout is one.
struct Question {
  double settings[SETTINGS];                 // by their numbers; those that the choice does not know are ignored
  double draw;                               // in [0, 1)
  int32_t known;                             // the id that a person typed, or -1: choose one
  int32_t alternatives;                      // how many are wanted, at most ALTERNATIVES
  int32_t num_seen, num_banned, num_begins, num_continues;
  int32_t written, reserved;                 // tokens that the model wrote in one go; zero
  uint64_t seen;                             // const int32_t *: ids that the penalty is for
  uint64_t banned;                           // const int32_t *: ids that must not be chosen
  uint64_t begins;                           // const int32_t *: ids that begin a word to use
  uint64_t continues;                        // const int32_t *: others, that continue one
};

// What is known of the next token. All but `chosen` is of the model's own distribution, before any
// setting.
struct Answer {
  int32_t id;             // or NOT_A_NUMBER, NOTHING_LEFT, UNSOUND
  int32_t rank;           // ids that come before it: likelier, or as likely and lower
  double probability;     // softmax of the logits at `id`
  double chosen;          // the probability after the settings; 1 of a known id
  double log_total;       // log of the sum of exp(logit) over all ids
  double entropy;         // nats
  int32_t num_alternatives;
  int32_t reserved;
  int32_t alternative[ALTERNATIVES]; // the likeliest ids, equal ones by id
  double alternative_probability[ALTERNATIVES];
};

// Which ids share a row of logits: an id's logit is logits[unique_of[id]].
struct Head {
  int32_t ids, unique;
  uint64_t unique_of; // const int32_t * (ids,), or 0: each id has its own row
  uint64_t starts;    // const int32_t * (unique + 1,): where a row's ids begin in `members`; 0 with unique_of
  uint64_t members;   // const int32_t * (ids,): ids row after row, each row's in rising order
};

typedef struct Core Core;

#ifndef VARIANT // the functions that a library shows; see model.h
#pragma GCC visibility push(default)
#endif

// model.c

// 0 for a good file of `size` bytes (header, arrays, finite weights), else DAMAGED or TOO_LARGE. `file`:
// at a multiple of 64, here and below.
int32_t core_check(const void *file, size_t size);

// Bytes of memory that core_open() needs for a checked file; 0 if there is no such number.
size_t core_room(const void *file, int32_t slots, int32_t context, int32_t threads);

// Opens a checked file, which must stay where it is. `memory`: core_room() bytes at a multiple of 64,
// all of them zero. `context` may be below the file's own. `threads`: how many compute a step, at most.
Core *core_open(const void *file, void *memory, int32_t slots, int32_t context, int32_t threads);

// Feeds `count` columns and answers their questions, of which there are `asked`. One thread at a time. Returns 0;
// UNSOUND if an answer is; or 1 + the index of a column with a number out of its range, and then feeds none.
int32_t core_step(Core *core, int32_t count, const struct Column *columns, int32_t asked,
                  const struct Question *questions, struct Answer *answers);

// The same without the choice: writes the logits of the columns whose `question` is not -1 to
// logits (asked, head_rows), at the row that `question` names.
int32_t core_logits(Core *core, int32_t count, const struct Column *columns, int32_t asked, float *logits);

// Computes parts of steps until none has come for about a millisecond. A long step sends its helpers away
// at its end. Returns at once if as many threads are there as the core was opened for.
void core_help(Core *core);

// Whether a step of `count` columns is computed faster with other threads. Not on one thread, and where other programs
// interrupted them lately, a step of few columns is not: the calling thread would wait for what they have begun.
int32_t core_wants_help(const Core *core, int32_t count);

// The head's ids, for choice_answer() on logits of core_logits().
void core_head(const Core *core, struct Head *head);

// Lets `slot` read its first positions where `from` has them, which must have them itself and keep
// them: stories with one beginning take its memory once. core_own() gives it its own copy.
void core_borrow(Core *core, int32_t from, int32_t slot, int32_t positions);
void core_own(Core *core, int32_t slot);

// choice.c

// Bytes of working memory that a choice among so many ids needs.
size_t choice_room(int32_t ids, int32_t unique);

// Answers one question about logits (head->unique,), which any model may have computed.
void choice_answer(const struct Head *head, const float *logits, const struct Question *question,
                   struct Answer *answer, void *room);

// All ids that a question does not ban, from the likeliest down, equal ones by id, and their logits after its penalty and
// what it raises. Returns how many; `ids` has room for another one.
int32_t choice_ranking(const struct Head *head, const float *logits, const struct Question *question, int32_t *ids,
                       double *found, void *room);

// What the settings of a question make of a distribution: `logits` (count,) from the likeliest down,
// and (rest_logits, rest_counts) (num_rest,) of all others in bins. Writes the probability of each
// logit to `odds` (count,) and returns that of the rest together. For the page's bars.
double choice_odds(const struct Question *question, int32_t count, const double *logits, int32_t num_rest,
                   const double *rest_logits, const double *rest_counts, double *odds);

// The uniform number in [0, 1) of token `position` of a story (SplitMix64 at counter (seed, position)).
double choice_uniform(uint32_t seed, uint32_t position);

// variants.c, in libraries for x86-64

// For tests: computes with another variant that the processor has, from 0 (the plainest) on. Returns the one
// that it is now; the best one for -1.
int32_t core_variant(int32_t wanted);

#ifndef VARIANT
#pragma GCC visibility pop
#endif

#endif
