// The choice of a token from logits, in double precision. The one place that knows what a setting does.
//
// The token is the first at which the cumulative probability, from the likeliest id down (equal ones by
// id), passes the draw. Sums over all ids go through the rows in their order, sums down the ranking go
// from the likeliest id down; so the bits do not depend on how much of the ranking had to be sorted.
//
// A penalty, a pull or a ban changes single ids, not rows: such an id leaves its row, and one that is penalised
// or pulled gets a row of its own behind the others.

#include "model.h"
#include "vector.h"

#define FEW 64 // rows that are sorted at first
// Of words to use, in nats. A token that begins one is raised above the likeliest by STEEP for each nat that its surprise
// stays below the entropy and FITS together, at most by CLEAR; FITS grows with the cube of the hundreds of tokens.
#define FITS 4
#define FITS_GROWTH 1.2
#define STEEP 3
#define CLEAR 4
// Of the former form, which links still reproduce: what is added to such a token's logit, by what that grows with the
// square of the hundreds of tokens, and what a token that continues a word gets besides
#define PULL 3
#define PULL_GROWTH 3
#define FINISH 4

struct Choice {
  const struct Head *head;
  const float *logits;    // (rows,): the model's, or a changed copy
  int32_t rows;           // with those of single ids
  int32_t has_changes;    // whether some ids are not in their rows
  int32_t *counts;        // (rows,): ids of a row
  float *copy;            // (rows,)
  int32_t *single;        // ids of the rows from `unique` on
  uint8_t *is_changed;    // (ids,): whether it is not in its row
  uint64_t *sorted, *other; // rows behind their keys, the likeliest first; and memory to sort in
  int32_t num_sorted, is_whole; // is_whole: whether these are all rows
  int32_t *together;            // (ids,): of rows whose logits are equal
  double inverse;               // of the temperature
  double peak, total;           // the largest logit; over all ids, the sum of exp((logit - peak) * inverse)
  double spread;                // of that times (logit - peak) * inverse
  // The walk down the ranking
  int32_t next_row;    // of `sorted`
  const int32_t *ids;  // of the rows that are walked through, which have one logit
  int32_t next_id, num_ids;
  double logit, weight; // of these: exp((logit - peak) * inverse)
};

static const int32_t *starts_of(const struct Head *head) { return (const int32_t *)(uintptr_t)head->starts; }
static const int32_t *members_of(const struct Head *head) { return (const int32_t *)(uintptr_t)head->members; }
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t choice_room(int32_t ids, int32_t unique) {
  const size_t rows = (size_t)unique + ids;
  return lines(sizeof(struct Choice)) + 2 * lines(4 * rows) + 2 * lines(4 * (size_t)ids) + lines(ids) +
         2 * lines(8 * (rows + ids));
}

static struct Choice *prepared(const struct Head *head, const float *logits, void *room) {
  const size_t rows = (size_t)head->unique + head->ids;
  struct Choice *c = room;
  char *at = (char *)room + lines(sizeof *c);
#define TAKE(name, bytes) name = (void *)at, at += lines(bytes)
  TAKE(c->counts, 4 * rows);
  TAKE(c->copy, 4 * rows);
  TAKE(c->single, 4 * (size_t)head->ids);
  TAKE(c->together, 4 * (size_t)head->ids);
  TAKE(c->is_changed, head->ids);
  TAKE(c->sorted, 8 * (rows + head->ids)); // behind the rows, ids that are sorted
  TAKE(c->other, 8 * (rows + head->ids));
#undef TAKE
  c->head = head;
  c->logits = logits;
  c->rows = head->unique;
  c->has_changes = 0;
  const int32_t *starts = starts_of(head);
  for (int32_t row = 0; row < c->rows; row++) c->counts[row] = starts ? starts[row + 1] - starts[row] : 1;
  return c;
}

static int32_t row_of(const struct Head *head, int32_t id) {
  return head->unique_of ? ((const int32_t *)(uintptr_t)head->unique_of)[id] : id;
}

// Eight logits from a row on, and how many ids they have; behind the last row, 0.
INLINE eight_whole some(const struct Choice *c, int32_t row, eight *logits) {
  eight_whole counts = {0};
  const int32_t left = c->rows - row;
  *logits = (eight){0};
  __builtin_memcpy(logits, c->logits + row, left < 8 ? 4 * left : 32);
  __builtin_memcpy(&counts, c->counts + row, left < 8 ? 4 * left : 32);
  return counts;
}

// Fills in peak, total and spread: lane l sums up rows l, l + 8, ...
static void sum_up(struct Choice *c, double inverse) {
  float peak = -__builtin_inff();
  eight peaks = all_eight(peak);
  for (int32_t row = 0; row < c->rows; row += 8) {
    eight logits;
    const eight_whole counts = some(c, row, &logits), is_larger = (counts > 0) & (logits > peaks);
    peaks = (eight)((is_larger & (eight_whole)logits) | (~is_larger & (eight_whole)peaks));
  }
  UNROLLED for (int lane = 0; lane < 8; lane++)
    if (peaks[lane] > peak) peak = peaks[lane];
  doubles total = all_double(0), spread = all_double(0);
  for (int32_t row = 0; row < c->rows; row += 8) {
    eight logits;
    const eight_whole counts = some(c, row, &logits);
    const doubles below = (__builtin_convertvector(logits, doubles) - all_double(peak)) * all_double(inverse);
    const doubles weights = exponential_double(below) * __builtin_convertvector(counts, doubles);
    total += weights;
    spread += weights * not_below(below, -700);
  }
  c->peak = peak;
  c->total = sum_of_doubles(total);
  c->spread = sum_of_doubles(spread);
}

// Sorts numbers by their upper 32 bits; equal ones stay as they are.
static void sort(uint64_t *numbers, uint64_t *other, int32_t count) {
  for (int shift = 32; shift < 64; shift += 8) {
    int32_t places[256] = {0};
    for (int32_t k = 0; k < count; k++) places[numbers[k] >> shift & 255]++;
    for (int32_t digit = 0, at = 0; digit < 256; digit++) {
      const int32_t size = places[digit];
      places[digit] = at;
      at += size;
    }
    for (int32_t k = 0; k < count; k++) other[places[numbers[k] >> shift & 255]++] = numbers[k];
    uint64_t *swapped = numbers;
    numbers = other;
    other = swapped;
  }
}

// A key that rises as a logit falls; -0 counts as 0.
static uint32_t key_of(float logit) {
  uint32_t bits;
  logit += 0.0f;
  __builtin_memcpy(&bits, &logit, 4);
  return bits >> 31 ? bits : 0x7fffffff - bits;
}

// Sorts the likeliest rows, at least `wanted` of them if there are so many. The parts of the rows that
// are looked at are four times as many as are wanted; in as many parts as are wanted there is a logit of at
// least the smallest of their largest maxima, and few other rows have one.
static void rank_rows(struct Choice *c, int32_t wanted) {
  const int32_t part = c->rows / wanted / 4;
  float least = -__builtin_inff();
  if (part > 1) {
    int32_t parts = 0;
    for (int32_t from = 0; from < c->rows; from += part, parts++) {
      const int32_t end = c->rows - from < part ? c->rows : from + part;
      float most = -__builtin_inff();
      for (int32_t row = from; row < end; row++)
        if (c->logits[row] > most) most = c->logits[row];
      c->sorted[parts] = (uint64_t)key_of(most) << 32;
      __builtin_memcpy((char *)(c->sorted + parts), &most, 4);
    }
    sort(c->sorted, c->other, parts);
    __builtin_memcpy(&least, c->sorted + wanted - 1, 4);
  }
  c->num_sorted = 0;
  c->is_whole = part <= 1;
  for (int32_t row = 0; row < c->rows; row++)
    if (c->logits[row] >= least && c->counts[row]) c->sorted[c->num_sorted++] = (uint64_t)key_of(c->logits[row]) << 32 | (uint32_t)row;
  sort(c->sorted, c->other, c->num_sorted);
}


static void begin_walk(struct Choice *c) { c->next_row = c->next_id = c->num_ids = 0; }

// Makes the ids of the next row, and of others with the same logit, ready to be walked through.
static void open_rows(struct Choice *c) {
  const int32_t *starts = starts_of(c->head), *members = members_of(c->head);
  const int32_t first = c->next_row, row = (int32_t)c->sorted[first];
  int32_t end = first + 1, count = 0;
  while (end < c->num_sorted && c->sorted[end] >> 32 == c->sorted[first] >> 32) end++;
  c->next_row = end;
  c->next_id = 0;
  c->logit = c->logits[row];
  c->weight = exp_of((c->logit - c->peak) * c->inverse);
  if (end == first + 1 && starts && !c->has_changes) {
    c->ids = members + starts[row];
    c->num_ids = starts[row + 1] - starts[row];
    return;
  }
  uint64_t *ids = c->sorted + c->num_sorted;
  for (int32_t k = first; k < end; k++) {
    const int32_t its = (int32_t)c->sorted[k];
    if (its >= c->head->unique) ids[count++] = (uint64_t)c->single[its - c->head->unique] << 32;
    else if (!starts) {
      // The ranking may be from before the bans, when each row still had its id.
      if (!c->has_changes || !c->is_changed[its]) ids[count++] = (uint64_t)its << 32;
    } else
      for (int32_t n = starts[its]; n < starts[its + 1]; n++)
        if (!c->has_changes || !c->is_changed[members[n]]) ids[count++] = (uint64_t)members[n] << 32;
  }
  if (end > first + 1) sort(ids, c->other, count);
  for (int32_t k = 0; k < count; k++) c->together[k] = (int32_t)(ids[k] >> 32);
  c->ids = c->together;
  c->num_ids = count;
}

// The next id down the ranking; -1 behind the last row that was sorted. A row may have lost all its ids.
static int32_t next_id(struct Choice *c) {
  while (c->next_id == c->num_ids) {
    if (c->next_row == c->num_sorted) return -1;
    open_rows(c);
  }
  return c->ids[c->next_id++];
}

// What limits leave of a ranking: no id whose weight is below `least`, and no more once the sum of the weights
// has reached `enough`. The likeliest id has the weight 1.
struct Limits {
  double least, enough;
};

// The limits that settings set to weights with the sum `total`.
static struct Limits limits_of(const double *settings, double total) {
  struct Limits found = {settings[MIN_P], __builtin_inf()};
  if (settings[TOP_P] < 1) found.enough = settings[TOP_P] * total;
  return found;
}

// A beginning of the ranking.
struct Kept {
  int32_t count;
  double sum;    // of its weights
  int is_known; // whether it ends where a limit says, or with the last id
};

// What limits leave: at most `most` ids, none whose weight is below `least`, and no more when their sum has
// reached `enough`.
static struct Kept kept(struct Choice *c, int32_t most, double least, double enough) {
  struct Kept found = {0, 0, 1};
  begin_walk(c);
  while (found.count < most && found.sum < enough) {
    if (next_id(c) < 0) {
      found.is_known = c->is_whole;
      return found;
    }
    if (c->weight < least && found.count) return found; // the likeliest id always stays
    found.sum += c->weight;
    found.count++;
  }
  return found;
}

// The chosen id, -1 if more of the ranking must be sorted or there is no id at all.
static int32_t draw(struct Choice *c, const struct Question *q, double *chosen) {
  int32_t most = INT32_MAX;
  double total = c->total;
  if (q->settings[TOP_K]) {
    const struct Kept found = kept(c, (int32_t)q->settings[TOP_K], 0, __builtin_inf());
    if (!found.is_known) return -1;
    most = found.count;
    total = found.sum;
  }
  const struct Limits limits = limits_of(q->settings, total);
  if (limits.least > 0 || limits.enough < __builtin_inf()) {
    // A sum of 0 is reached after the first id, which is always kept.
    const struct Kept found = kept(c, most, limits.least, limits.enough > 0 ? limits.enough : 1e-300);
    if (!found.is_known) return -1;
    most = found.count;
    total = found.sum;
  }
  double sum = 0;
  int32_t last = -1;
  begin_walk(c);
  for (int32_t count = 0; count < most; count++) {
    const int32_t id = next_id(c);
    if (id < 0 && !c->is_whole) return -1;
    if (id < 0 || c->weight == 0) break; // rounding at the very end
    last = id;
    *chosen = c->weight / total;
    sum += c->weight;
    if (sum > q->draw * total) break;
  }
  return last;
}

// Takes an id out of its row, unless it is out of it already; whether it was there.
static int take_out(struct Choice *c, int32_t id) {
  if (c->is_changed[id]) return 0;
  c->is_changed[id] = 1;
  c->counts[row_of(c->head, id)]--;
  return 1;
}

// Gives an id that was taken out of its row one of its own.
static void give_row(struct Choice *c, int32_t id, double logit) {
  c->counts[c->rows] = 1;
  c->single[c->rows - c->head->unique] = id;
  c->copy[c->rows++] = (float)logit;
}

// Adds to the logit of an id that may be out of its row already, and raises it to `least` at least.
static void raise(struct Choice *c, int32_t id, double nats, double least) {
  if (take_out(c, id)) give_row(c, id, c->logits[row_of(c->head, id)]);
  for (int32_t row = c->head->unique; row < c->rows; row++) { // none of an id that is banned
    if (c->single[row - c->head->unique] != id) continue;
    c->copy[row] = (float)(c->copy[row] + nats);
    if (c->copy[row] < least) c->copy[row] = (float)least;
  }
}

// Raises what begins or continues a word to use, the more the more tokens were written, so that a word comes where it fits
// while there is time. A word that has begun is finished. `known`: of the model's own distribution.
static void pull(struct Choice *c, const struct Question *q, const struct Answer *known) {
  const int32_t *begins = (const int32_t *)(uintptr_t)q->begins, *continues = (const int32_t *)(uintptr_t)q->continues;
  const double hundreds = (double)q->written / 100;
  if (q->settings[WORDS_FORM] < 2) {
    const double nats = PULL + PULL_GROWTH * hundreds * hundreds;
    for (int32_t k = 0; k < q->num_begins; k++) raise(c, begins[k], nats, -__builtin_inf());
    for (int32_t k = 0; k < q->num_continues; k++) raise(c, continues[k], 2 * nats + FINISH, -__builtin_inf());
    return;
  }
  for (int32_t k = 0; k < q->num_begins; k++) {
    const double surprise = known->log_total - c->logits[row_of(c->head, begins[k])];
    const double fits = FITS + FITS_GROWTH * hundreds * hundreds * hundreds - (surprise - known->entropy);
    raise(c, begins[k], 0, c->peak + (STEEP * fits < CLEAR ? STEEP * fits : CLEAR));
  }
  for (int32_t k = 0; k < q->num_continues; k++) raise(c, continues[k], 0, c->peak + CLEAR);
}

// Bans, penalises (Keskar et al. 2019, equation 2) and pulls ids, in this order.
static void change(struct Choice *c, const struct Question *q, const struct Answer *known) {
  const int32_t *banned = (const int32_t *)(uintptr_t)q->banned, *seen = (const int32_t *)(uintptr_t)q->seen;
  const double penalty = q->settings[REPETITION_PENALTY];
  const int32_t num_seen = penalty == 1 ? 0 : q->num_seen;
  if (!q->num_banned && !num_seen && !q->num_begins && !q->num_continues) return;
  c->has_changes = 1;
  __builtin_memset(c->is_changed, 0, c->head->ids);
  for (int32_t k = 0; k < q->num_banned; k++) take_out(c, banned[k]);
  if (!num_seen && !q->num_begins && !q->num_continues) return;
  __builtin_memcpy(c->copy, c->logits, 4 * (size_t)c->rows);
  for (int32_t k = 0; k < num_seen; k++)
    if (take_out(c, seen[k])) {
      const double logit = c->logits[row_of(c->head, seen[k])];
      give_row(c, seen[k], logit > 0 ? logit / penalty : logit * penalty);
    }
  pull(c, q, known);
  c->logits = c->copy;
}

static int32_t choose_id(struct Choice *c, const struct Question *q, int32_t wanted, struct Answer *answer) {
  change(c, q, answer);
  c->inverse = q->settings[TEMPERATURE] > 0 ? 1 / q->settings[TEMPERATURE] : 1;
  // The ranking and the peak stay unless a penalty moves an id or the likeliest row has lost all its ids. So
  // that bans cost nothing: a few hold in each step.
  const int is_ranked = !c->has_changes || (c->logits != c->copy && c->counts[(int32_t)c->sorted[0]]);
  if (!is_ranked || (!q->settings[TOP_K] && (c->has_changes || c->inverse != 1))) sum_up(c, c->inverse);
  if (!is_ranked) rank_rows(c, wanted);
  for (;;) {
    int32_t id;
    if (q->settings[TEMPERATURE] > 0) {
      id = draw(c, q, &answer->chosen);
    } else {
      begin_walk(c);
      id = next_id(c);
      answer->chosen = 1;
    }
    if (id >= 0 || c->is_whole) return id;
    wanted = wanted < c->rows / 8 ? 8 * wanted : c->rows; // each time more of the ranking, at last all
    rank_rows(c, wanted);
  }
}

// How many ids come before one in the model's own ranking.
static int32_t rank_of(const struct Head *head, const float *logits, int32_t id) {
  const int32_t *starts = starts_of(head), *members = members_of(head);
  const float logit = logits[row_of(head, id)];
  int32_t before = 0, equal = 0;
  for (int32_t row = 0; row < head->unique; row++) {
    const int32_t count = starts ? starts[row + 1] - starts[row] : 1;
    before += logits[row] > logit ? count : 0;
    equal += logits[row] == logit;
  }
  for (int32_t row = 0; row < head->unique && equal; row++) {
    if (logits[row] != logit) continue;
    equal--;
    if (!starts) before += row < id;
    else
      for (int32_t n = starts[row]; n < starts[row + 1] && members[n] < id; n++) before++;
  }
  return before;
}

static double probability_of(double logit, double log_total) {
  return logit < log_total ? exp_of(logit - log_total) : 1;
}

static int are_ids(const struct Head *head, uint64_t address, int32_t count) {
  const int32_t *ids = (const int32_t *)(uintptr_t)address;
  if (count < 0 || (count && !ids)) return 0;
  for (int32_t k = 0; k < count; k++)
    if (ids[k] < 0 || ids[k] >= head->ids) return 0;
  return 1;
}

// Whether every setting is in its range; no comparison holds for what is not a number.
static int is_sound(const struct Head *head, const struct Question *q) {
  const double *is = q->settings;
  return is[TEMPERATURE] >= 0 && is[TEMPERATURE] < 1e300 && is[TOP_P] >= 0 && is[TOP_P] <= 1 && is[MIN_P] >= 0 &&
         is[MIN_P] <= 1 && is[REPETITION_PENALTY] > 0 && is[REPETITION_PENALTY] < 1e300 && is[TOP_K] >= 0 &&
         is[TOP_K] <= INT32_MAX && q->draw >= 0 && q->draw < 1 && q->known >= -1 && q->known < head->ids &&
         q->alternatives >= 0 && q->alternatives <= ALTERNATIVES && are_ids(head, q->seen, q->num_seen) &&
         are_ids(head, q->banned, q->num_banned) && are_ids(head, q->begins, q->num_begins) &&
         are_ids(head, q->continues, q->num_continues) && q->written >= 0;
}

// Fills in what an answer says of the model's own distribution; 0 where its sum is NaN or infinity.
static int describe(struct Choice *c, struct Answer *answer) {
  sum_up(c, 1);
  if (!(c->total > 0 && c->total < __builtin_inf())) return 0;
  answer->log_total = c->peak + log_of(c->total);
  answer->entropy = log_of(c->total) - c->spread / c->total;
  if (answer->entropy < 0) answer->entropy = 0;
  return 1;
}

void choice_answer(const struct Head *head, const float *logits, const struct Question *q, struct Answer *answer, void *room) {
  __builtin_memset(answer, 0, sizeof *answer);
  answer->id = UNSOUND;
  if (!is_sound(head, q)) return;
  struct Choice *c = prepared(head, logits, room);
  int32_t wanted = q->settings[TOP_K] ? (int32_t)q->settings[TOP_K] : FEW;
  if (wanted < q->alternatives) wanted = q->alternatives;
  answer->id = NOT_A_NUMBER;
  if (!describe(c, answer)) return;
  c->inverse = 1;
  rank_rows(c, wanted);
  begin_walk(c);
  for (int32_t k = 0; k < q->alternatives; k++) {
    const int32_t id = next_id(c);
    if (id < 0) break;
    answer->alternative[answer->num_alternatives] = id;
    answer->alternative_probability[answer->num_alternatives++] = probability_of(c->logit, answer->log_total);
  }
  answer->id = q->known;
  answer->chosen = 1;
  if (q->known < 0) answer->id = choose_id(c, q, wanted, answer);
  if (answer->id < 0) answer->id = NOTHING_LEFT;
  if (answer->id < 0) return;
  answer->rank = rank_of(head, logits, answer->id);
  answer->probability = probability_of(logits[row_of(head, answer->id)], answer->log_total);
}

int32_t choice_ranking(const struct Head *head, const float *logits, const struct Question *q, int32_t *ids, double *found,
                       void *room) {
  struct Choice *c = prepared(head, logits, room);
  struct Answer own;
  if (is_sound(head, q) && describe(c, &own)) change(c, q, &own);
  c->inverse = c->peak = 0;
  rank_rows(c, c->rows);
  begin_walk(c);
  int32_t count = 0;
  for (; (ids[count] = next_id(c)) >= 0; count++) found[count] = c->logit;
  return count;
}

double choice_odds(const struct Question *q, int32_t count, const double *logits, int32_t num_rest,
                   const double *rest_logits, const double *rest_counts, double *odds) {
  double total = 0, others = 0, sum = 0;
  int32_t most = q->settings[TOP_K] && q->settings[TOP_K] < count ? (int32_t)q->settings[TOP_K] : count, last = 0;
  for (int32_t k = 0; k < count; k++) odds[k] = 0;
  if (!count) return 0;
  if (!(q->settings[TEMPERATURE] > 0)) {
    odds[0] = 1;
    return 0;
  }
#define WEIGHT(logit) exp_of(((logit) - logits[0]) / q->settings[TEMPERATURE])
  for (int32_t k = 0; k < most; k++) total += odds[k] = WEIGHT(logits[k]);
  for (int32_t k = 0; k < num_rest && !q->settings[TOP_K]; k++) others += rest_counts[k] * WEIGHT(rest_logits[k]);
  const struct Limits limits = limits_of(q->settings, total + others);
  for (; last < most && (last == 0 || (sum < limits.enough && odds[last] >= limits.least)); last++) sum += odds[last];
  double rest = 0;
  if (last == most && !q->settings[TOP_K]) {
    for (int32_t k = 0; k < num_rest; k++) {
      const double weight = WEIGHT(rest_logits[k]);
      if (weight >= limits.least) rest += rest_counts[k] * weight;
    }
    if (rest > limits.enough - sum) rest = limits.enough > sum ? limits.enough - sum : 0;
  }
#undef WEIGHT
  for (int32_t k = 0; k < count; k++) odds[k] = k < last ? odds[k] / (sum + rest) : 0;
  return rest / (sum + rest);
}

double choice_uniform(uint32_t seed, uint32_t position) {
  uint64_t mixed = (((uint64_t)seed << 32) + position + 1) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return (double)((mixed ^ mixed >> 31) >> 11) * 0x1p-53;
}
