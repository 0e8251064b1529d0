// The forward pass: up to COLUMNS tokens at once, each with a slot and a position, through the blocks
// that the trainer exports.
//
// - Weights lie in tiles of four rows, four numbers of each in turn (int8: sixteen), so that memory is
//   read straight through and one vector holds four numbers of each row of a tile.
// - A row's product has four lanes: lane l sums up k = l, l + 4, ... one after the other, and the lanes
//   are added up as in sums_of(). Nothing depends on how many rows or columns are computed at once.
// - int8 weights have a scale for each row, their input 15 bits and a scale; products are summed up in
//   whole numbers.

#include "model.h"
#include "vector.h"

// AT_ONCE: columns whose sums for a tile the registers hold; WIDE: the same for values, in vectors. Where there are
// sixteen small registers, four columns and half a tile are better than two and a whole one. More tiles at once would
// be more streams of memory, which is three times slower.
#if defined(__AVX512F__)
enum { AT_ONCE = 8, HALVES_TILES = 0, WIDE = 4 };
#elif defined(__AVX2__) || defined(__aarch64__)
enum { AT_ONCE = 4, HALVES_TILES = 0, WIDE = 4 };
#else
enum { AT_ONCE = 4, HALVES_TILES = 1, WIDE = 2 };
#endif
#define INTEGERS 2048  // int8 products that 32 bits hold in four lanes
#define LARGE 65504.0f // about from here on, times HALF_SCALE is infinite

INLINE four biased(const struct Matrix *m, int32_t row, four x) { return m->bias ? x + load_four(m->bias + row) : x; }

// Four rows of y (columns, y_stride) for weights in fp16 and fp32, which are made `scale` times larger.
INLINE void tile_of_floats(const struct Matrix *m, const int kind, const float scale, int32_t row, const float *x,
                           size_t x_stride, float *y, size_t y_stride, const int columns) {
  const size_t from = (size_t)row * m->inputs;
  floats sum[AT_ONCE];
  UNROLLED for (int c = 0; c < columns; c++) sum[c] = all(0);
  for (int32_t k = 0; k < m->inputs; k += 4) {
    const size_t at = from + 4 * (size_t)k;
    floats weights = kind == FP16 ? load_halves((const int16_t *)m->weights + at) : load((const float *)m->weights + at);
    if (scale != 1) weights *= all(scale);
    UNROLLED for (int c = 0; c < columns; c++) sum[c] += weights * spread(load_four(x + c * x_stride + k));
  }
  UNROLLED for (int c = 0; c < columns; c++) store_four(y + c * y_stride + row, biased(m, row, sums_of(sum[c])));
}

// The same for two rows of a tile.
INLINE void half_tile_of_floats(const struct Matrix *m, const int kind, const float scale, int32_t row, const float *x,
                                size_t x_stride, float *y, size_t y_stride, const int columns) {
  const size_t from = (size_t)(row / 4 * 4) * m->inputs + row % 4 * 4;
  eight sum[AT_ONCE];
  UNROLLED for (int c = 0; c < columns; c++) sum[c] = all_eight(0);
  for (int32_t k = 0; k < m->inputs; k += 4) {
    const size_t at = from + 4 * (size_t)k;
    eight weights = kind == FP16 ? load_eight_halves((const int16_t *)m->weights + at) : load_eight((const float *)m->weights + at);
    if (scale != 1) weights *= all_eight(scale);
    UNROLLED for (int c = 0; c < columns; c++) sum[c] += weights * spread_to_two(load_four(x + c * x_stride + k));
  }
  UNROLLED for (int c = 0; c < columns; c++) {
    float found[2];
    store_two_sums(found, sum[c]);
    UNROLLED for (int r = 0; r < 2; r++) y[c * y_stride + row + r] = m->bias ? found[r] + m->bias[row + r] : found[r];
  }
}

// y (columns, y_stride) = x (columns, x_stride) times a matrix in fp16 or fp32. Columns go in powers of
// two, so that the compiler makes a loop for each width whose sums stay in registers.
INLINE void product_of_floats(const struct Matrix *m, const int kind, const float scale, const float *x,
                              size_t x_stride, float *y, size_t y_stride, int columns) {
  for (int32_t row = 0; row < m->rows; row += 4)
    for (int c = 0, width; c < columns; c += width) {
      const int left = columns - c;
      const float *from = x + c * x_stride;
      float *to = y + c * y_stride;
#define HALF_TILES(at_once) \
  width = at_once, half_tile_of_floats(m, kind, scale, row, from, x_stride, to, y_stride, at_once), \
  half_tile_of_floats(m, kind, scale, row + 2, from, x_stride, to, y_stride, at_once)
#define TILE(at_once) width = at_once, tile_of_floats(m, kind, scale, row, from, x_stride, to, y_stride, at_once)
      if (AT_ONCE >= 8 && left >= 8) {
        TILE(8);
      } else if (HALVES_TILES && left >= 4) {
        HALF_TILES(4);
      } else if (HALVES_TILES && left == 3) {
        HALF_TILES(3);
      } else if (AT_ONCE >= 4 && left >= 4) {
        TILE(4);
      } else if (left >= 2) {
        TILE(2);
      } else {
        TILE(1);
      }
#undef TILE
#undef HALF_TILES
    }
}

// A tile of y for int8 weights: x (columns, x_stride) are whole numbers, `steps` what one of them is.
INLINE void tile_of_bytes(const struct Matrix *m, int32_t row, const int16_t *x, size_t x_stride, const float *steps,
                          float *y, size_t y_stride, const int columns) {
  const int8_t *bytes = (const int8_t *)m->weights + (size_t)row * m->inputs;
  floats lanes[AT_ONCE];
  UNROLLED for (int c = 0; c < columns; c++) lanes[c] = all(0);
  for (int32_t from = 0; from < m->inputs; from += INTEGERS) {
    const int32_t to = m->inputs - from < INTEGERS ? m->inputs : from + INTEGERS;
    byte_sums sum[AT_ONCE][4];
    UNROLLED for (int c = 0; c < columns; c++)
      UNROLLED for (int r = 0; r < 4; r++) sum[c][r] = (byte_sums){0};
    for (int32_t k = from; k < to; k += 16)
      UNROLLED for (int r = 0; r < 4; r++)
        UNROLLED for (int c = 0; c < columns; c++)
          sum[c][r] += products_of_bytes(bytes + 4 * (size_t)k + 16 * r, x + c * x_stride + k);
    UNROLLED for (int c = 0; c < columns; c++) lanes[c] += folded(sum[c]);
  }
  UNROLLED for (int c = 0; c < columns; c++) {
    const four scale = load_four(m->scales + row) * spread_four(steps[c]);
    store_four(y + c * y_stride + row, biased(m, row, sums_of(lanes[c]) * scale));
  }
}

// y = x times a matrix in int8, each column's input rounded to 15 bits first.
static void product_of_bytes(struct Worker *w, const struct Room *room, const struct Matrix *m, const float *x,
                             size_t x_stride, float *y, size_t y_stride, int columns) {
  for (int c = 0; c < columns; c++) {
    floats peaks = all(0);
    for (int32_t k = 0; k < m->inputs; k += LINE) {
      const floats one = load(x + c * x_stride + k);
      peaks = larger(peaks, larger(one, -one));
    }
    const float peak = largest_of(peaks), inverse = peak > 0 ? 16383.0f / peak : 0;
    w->steps[c] = peak / 16383.0f;
    for (int32_t k = 0; k < m->inputs; k += LINE)
      store_whole(w->whole + c * room->inputs + k, load(x + c * x_stride + k) * all(inverse));
  }
  for (int32_t row = 0; row < m->rows; row += 4)
    for (int c = 0; c < columns;) {
      const int16_t *from = w->whole + c * room->inputs;
      if (columns - c >= 2) {
        tile_of_bytes(m, row, from, room->inputs, w->steps + c, y + c * y_stride, y_stride, 2);
        c += 2;
      } else {
        tile_of_bytes(m, row, from, room->inputs, w->steps + c, y + c * y_stride, y_stride, 1);
        c += 1;
      }
    }
}

// y (columns, y_stride) = x (columns, x_stride) times a matrix; x is filled up with zeros to whole lines.
static void product(const struct Core *core, struct Worker *w, const struct Matrix *m, const float *x,
                    size_t x_stride, float *y, size_t y_stride, int columns) {
  if (core->header->weights == INT8) {
    product_of_bytes(w, &core->room, m, x, x_stride, y, y_stride, columns);
  } else if (core->header->weights == FP32) {
    product_of_floats(m, FP32, 1, x, x_stride, y, y_stride, columns);
  } else if (HALF_SCALE == 1) {
    product_of_floats(m, FP16, 1, x, x_stride, y, y_stride, columns);
  } else { // the input is made larger, once, unless that is too large: then each weight is
    const size_t stride = core->room.inputs;
    floats peaks = all(0);
    for (int c = 0; c < columns; c++)
      for (int32_t k = 0; k < m->inputs; k += LINE) {
        const floats one = load(x + c * x_stride + k);
        peaks = larger(peaks, larger(one, -one));
        store(w->scaled + c * stride + k, one * all(HALF_SCALE));
      }
    if (largest_of(peaks) < LARGE) product_of_floats(m, FP16, 1, w->scaled, stride, y, y_stride, columns);
    else product_of_floats(m, FP16, HALF_SCALE, x, x_stride, y, y_stride, columns);
  }
}

INLINE float square_root(float x) { return __builtin_sqrtf(x); }

static void normalise(const struct Core *core, const float *x, const struct Norm *norm, float *y) {
  const int32_t n = core->header->hidden;
  double sum = 0, squares = 0;
  float mean = 0;
  if (core->header->block == GPT2) {
    for (int32_t k = 0; k < n; k++) sum += x[k];
    mean = (float)(sum / n);
  }
  for (int32_t k = 0; k < n; k++) {
    const float from = x[k] - mean;
    squares += (double)from * from;
  }
  const float scale = 1.0f / square_root((float)(squares / n) + core->header->epsilon);
  for (int32_t k = 0; k < n; k++) {
    const float value = (x[k] - mean) * scale * norm->gain[k];
    y[k] = norm->bias ? value + norm->bias[k] : value;
  }
}

static void normalise_all(const struct Core *core, struct Worker *w, const struct Norm *norm, int columns) {
  const size_t room = core->room.hidden;
  for (int c = 0; c < columns; c++) normalise(core, w->residual + c * room, norm, w->normed + c * room);
}

// One head's query or key: its norm, its turn to the position, and where it belongs.
static void place_head(const struct Core *core, const float *x, const float *gain, int32_t position, float *to) {
  const int32_t n = core->header->width;
  float scale = 1;
  if (gain) {
    double squares = 0;
    for (int32_t k = 0; k < n; k++) squares += (double)x[k] * x[k];
    scale = 1.0f / square_root((float)(squares / n) + core->header->epsilon);
  }
  if (!core->turns) {
    for (int32_t k = 0; k < n; k++) to[k] = x[k];
    return;
  }
  const float *turn = core->turns + (size_t)position * n;
  for (int32_t k = 0; k < n; k += 2) {
    float real = x[k], imaginary = x[k + 1];
    if (gain) real = real * scale * gain[k], imaginary = imaginary * scale * gain[k + 1];
    to[k] = real * turn[k] - imaginary * turn[k + 1];
    to[k + 1] = real * turn[k + 1] + imaginary * turn[k];
  }
}

// A column's keys or values of one head, from position `from` on up to `*to` where they lie side by side.
INLINE const float *stretch(const struct Core *core, int32_t layer, const struct Column *column, int32_t which,
                            int32_t head, int32_t from, int32_t *to) {
  const int32_t slot = column->slot, keys = column->position + 1, elsewhere = core->borrowed[slot];
  *to = from < elsewhere && elsewhere < keys ? elsewhere : keys;
  return cached(core, layer, from < elsewhere ? core->owner[slot] : slot, which, head, from);
}

// What one query (room) thinks of `count` keys that lie side by side, four at a time.
static void score(const float *query, const float *key, size_t room, float scale, int32_t count, float *scores) {
  for (int32_t p = 0; p < count; p += 4) {
    const int32_t left = count - p < 4 ? count - p : 4;
    const float *keys[4];
    for (int32_t n = 0; n < 4; n++) keys[n] = key + (size_t)(p + (n < left ? n : 0)) * room;
    four sum[4] = {{0}, {0}, {0}, {0}};
    for (size_t k = 0; k < room; k += 4)
      UNROLLED for (int n = 0; n < 4; n++) sum[n] += load_four(query + k) * load_four(keys[n] + k);
    const four found = sums_of(join(sum)) * spread_four(scale);
    for (int32_t n = 0; n < left; n++) scores[p + n] = found[n];
  }
}

// Adds `count` values that lie side by side, each times its score, to sum (16 * wide).
INLINE void add_values(const float *value, size_t room, const float *scores, int32_t count, float *sum, const int wide) {
  floats found[4];
  UNROLLED for (int n = 0; n < wide; n++) found[n] = load(sum + LINE * n);
  for (int32_t p = 0; p < count; p++, value += room)
    UNROLLED for (int n = 0; n < wide; n++) found[n] += all(scores[p]) * load(value + LINE * n);
  UNROLLED for (int n = 0; n < wide; n++) store(sum + LINE * n, found[n]);
}

// What a column's query (room.head) of one head gathers from its slot: y (width).
static void attend(const struct Core *core, struct Worker *w, int32_t layer, const struct Column *column,
                   int32_t head, const float *query, float *y) {
  const int32_t keys = column->position + 1, end = round_up(keys, LINE);
  const size_t room = core->room.head;
  const float scale = 1.0f / square_root((float)core->header->width);
  float *scores = w->scores, *sum = w->sums;
  for (int32_t p = 0, to; p < keys; p = to) {
    const float *key = stretch(core, layer, column, 0, head, p, &to);
    score(query, key, room, scale, to - p, scores + p);
  }
  for (int32_t p = keys; p < end; p++) scores[p] = -3e38f;
  floats peaks = all(-3e38f);
  for (int32_t p = 0; p < end; p += LINE) peaks = larger(peaks, load(scores + p));
  const float peak = largest_of(peaks);
  double total = 0;
  for (int32_t p = 0; p < keys; p += LINE) {
    store(scores + p, exponential(load(scores + p) - all(peak)));
    for (int32_t k = p; k < p + LINE && k < keys; k++) total += scores[k];
  }
  const float inverse = (float)(1 / total);
  for (size_t k = 0; k < room; k++) sum[k] = 0;
  for (int32_t p = 0, to; p < keys; p = to) {
    const float *value = stretch(core, layer, column, 1, head, p, &to);
    size_t k = 0;
    for (; k + WIDE * LINE <= room; k += WIDE * LINE) add_values(value + k, room, scores + p, to - p, sum + k, WIDE);
    for (; k < room; k += LINE) add_values(value + k, room, scores + p, to - p, sum + k, 1);
  }
  for (int32_t k = 0; k < core->header->width; k++) y[k] = sum[k] * inverse;
}

static void attention(const struct Core *core, struct Worker *w, int32_t number, int columns,
                      const struct Column *column) {
  const struct Header *h = core->header;
  const struct Layer *layer = core->layer + number;
  const struct Room *room = &core->room;
  const int32_t width = h->width, shared = h->heads / h->kv_heads; // queries of a key
  const float *gain = layer->norm_query_key;
  normalise_all(core, w, &layer->norm_attention, columns);
  product(core, w, &layer->qkv, w->normed, room->hidden, w->qkv, room->qkv, columns);
  for (int c = 0; c < columns; c++) {
    const float *query = w->qkv + c * room->qkv, *key = query + h->heads * width, *value = key + h->kv_heads * width;
    const int32_t position = column[c].position, slot = column[c].slot;
    for (int32_t n = 0; n < h->heads; n++)
      place_head(core, query + n * width, gain, position, w->query + (c * h->heads + n) * room->head);
    for (int32_t n = 0; n < h->kv_heads; n++) {
      place_head(core, key + n * width, gain ? gain + width : 0, position, cached(core, number, slot, 0, n, position));
      float *to = cached(core, number, slot, 1, n, position);
      for (int32_t k = 0; k < width; k++) to[k] = value[n * width + k];
    }
  }
  const size_t stride = layer->out.inputs;
  for (int c = 0; c < columns; c++)
    for (int32_t n = 0; n < h->heads; n++)
      attend(core, w, number, column + c, n / shared, w->query + (c * h->heads + n) * room->head,
             w->gathered + c * stride + n * width);
  product(core, w, &layer->out, w->gathered, stride, w->normed, room->hidden, columns);
}

static void feed_forward(const struct Core *core, struct Worker *w, int32_t number, int columns) {
  const struct Layer *layer = core->layer + number;
  const size_t stride = layer->up.rows, room = core->room.mlp;
  normalise_all(core, w, &layer->norm_mlp, columns);
  product(core, w, &layer->up, w->normed, core->room.hidden, w->up, stride, columns);
  for (int c = 0; c < columns; c++) {
    const float *x = w->up + c * stride;
    float *y = w->active + c * room;
    for (size_t k = 0; k < room; k += LINE) { // the rows of `up` are filled up like the inputs of `down`
      const floats one = load(x + k);
      if (core->header->block != GPT2) { // SiLU
        store(y + k, one / (all(1) + exponential(-one)) * load(x + room + k));
      } else { // GELU in its tanh form (Hendrycks and Gimpel 2016)
        const floats inner = all(0.7978845608028654f) * (one + all(0.044715f) * (one * (one * one)));
        const floats tanh = all(1) - all(2) / (all(1) + exponential(inner + inner));
        store(y + k, all(0.5f) * one * (all(1) + tanh));
      }
    }
  }
  product(core, w, &layer->down, w->active, room, w->normed, core->room.hidden, columns);
}

// What a column begins with: its row of the table, and its position's.
static void embed(const struct Core *core, const struct Column *column, float *x) {
  const struct Matrix *table = &core->model.table;
  const int32_t row = core->model.table_row_of[column->id], hidden = core->header->hidden;
  const size_t tile = (size_t)(row / 4 * 4) * table->inputs;
  const float *position = core->model.positions ? core->model.positions + (size_t)column->position * hidden : 0;
  for (int32_t k = 0; k < hidden; k += 4) {
    float found[LINE] = {0};
    const size_t at = tile + 4 * (size_t)k + row % 4 * 4;
    if (core->header->weights == FP16) {
      store(found, load_halves((const int16_t *)table->weights + tile + 4 * (size_t)k) * all(HALF_SCALE));
      for (int n = 0; n < 4; n++) found[n] = found[row % 4 * 4 + n];
    } else if (core->header->weights == FP32) {
      store_four(found, load_four((const float *)table->weights + at));
    } else {
      const int8_t *bytes = (const int8_t *)table->weights + tile + k / 16 * 64 + row % 4 * 16 + k % 16;
      for (int n = 0; n < 4; n++) found[n] = bytes[n] * table->scales[row];
    }
    for (int32_t n = 0; n < 4 && k + n < hidden; n++)
      x[k + n] = position ? found[n] + position[k + n] : found[n];
  }
}

static void add_to_residual(const struct Core *core, struct Worker *w, int columns) {
  for (size_t k = 0; k < columns * core->room.hidden; k += LINE)
    store(w->residual + k, load(w->residual + k) + load(w->normed + k));
}

// Feeds up to COLUMNS columns; then the logits of those with a question lie in w->logits, one after
// another. Returns how many.
static int feed(const struct Core *core, struct Worker *w, int columns, const struct Column *column) {
  const size_t room = core->room.hidden;
  for (int c = 0; c < columns; c++) embed(core, column + c, w->residual + c * room);
  for (int32_t number = 0; number < core->header->layers; number++) {
    attention(core, w, number, columns, column);
    add_to_residual(core, w, columns);
    feed_forward(core, w, number, columns);
    add_to_residual(core, w, columns);
  }
  int asked = 0;
  for (int c = 0; c < columns; c++)
    if (column[c].question >= 0) normalise(core, w->residual + c * room, &core->model.norm_end, w->normed + asked++ * room);
  product(core, w, &core->model.head, w->normed, room, w->logits, core->room.unique, asked);
  return asked;
}

// Feeds columns; of those with a question writes the answers, or the logits where there are no answers.
static void respond(struct Core *core, int32_t worker, int32_t count, const struct Column *column,
                    const struct Question *questions, struct Answer *answers, float *logits) {
  struct Worker *w = core->worker + worker;
  for (int32_t from = 0; from < count; from += COLUMNS) {
    const int columns = count - from < COLUMNS ? count - from : COLUMNS;
    feed(core, w, columns, column + from);
    const float *found = w->logits;
    for (int c = 0; c < columns; c++) {
      const int32_t question = column[from + c].question;
      if (question < 0) continue;
      if (answers) choice_answer(&core->head, found, questions + question, answers + question, w->choice);
      else __builtin_memcpy(logits + (size_t)question * core->head.unique, found, 4 * (size_t)core->head.unique);
      found += core->room.unique;
    }
  }
}

void core_step(struct Core *core, int32_t worker, int32_t count, const struct Column *column,
               const struct Question *questions, struct Answer *answers) {
  respond(core, worker, count, column, questions, answers, 0);
}

void core_logits(struct Core *core, int32_t worker, int32_t count, const struct Column *column, float *logits) {
  respond(core, worker, count, column, 0, 0, logits);
}
