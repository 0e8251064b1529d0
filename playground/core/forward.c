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

// Columns, and tiles beside them, whose sums the registers hold.
#if defined(__AVX512F__)
enum { AT_ONCE = 8, TILES_OF_1 = 4, TILES_OF_2 = 4, TILES_OF_4 = 4, TILES_OF_8 = 2 };
#elif defined(__AVX2__)
enum { AT_ONCE = 4, TILES_OF_1 = 4, TILES_OF_2 = 2, TILES_OF_4 = 1, TILES_OF_8 = 1 };
#elif defined(__aarch64__)
enum { AT_ONCE = 4, TILES_OF_1 = 4, TILES_OF_2 = 2, TILES_OF_4 = 1, TILES_OF_8 = 1 };
#else // sixteen registers of four numbers: see half_tiles_of_floats()
#define HALF_TILES
enum { AT_ONCE = 4, TILES_OF_1 = 1, TILES_OF_2 = 1, TILES_OF_4 = 1, TILES_OF_8 = 1 };
#endif
#define MOST_TILES 4   // rows are shared out in as many tiles
#define INTEGERS 2048  // int8 products that 32 bits hold in four lanes
#define LARGE 65504.0f // about from here on, times HALF_SCALE is no number

INLINE four biased(const struct Matrix *m, int32_t row, four x) { return m->bias ? x + load_four(m->bias + row) : x; }

// Rows of y (columns, y_stride) from `row` on, a tile or several, for weights in fp16 and fp32.
INLINE void tiles_of_floats(const struct Matrix *m, const int kind, const float scale, int32_t row, const float *x,
                            size_t x_stride, float *y, size_t y_stride, const int tiles, const int columns) {
  const size_t tile = 4 * (size_t)m->inputs, from = (size_t)row * m->inputs;
  floats sum[AT_ONCE][MOST_TILES];
  UNROLLED for (int c = 0; c < columns; c++)
    UNROLLED for (int t = 0; t < tiles; t++) sum[c][t] = all(0);
  for (int32_t k = 0; k < m->inputs; k += 4) {
    floats weights[MOST_TILES];
    UNROLLED for (int t = 0; t < tiles; t++) {
      const size_t at = from + t * tile + 4 * (size_t)k;
      weights[t] = kind == FP16 ? load_halves((const int16_t *)m->weights + at) : load((const float *)m->weights + at);
      if (scale != 1) weights[t] *= all(scale);
    }
    UNROLLED for (int c = 0; c < columns; c++) {
      const floats input = spread(load_four(x + c * x_stride + k));
      UNROLLED for (int t = 0; t < tiles; t++) sum[c][t] += weights[t] * input;
    }
  }
  UNROLLED for (int c = 0; c < columns; c++)
    UNROLLED for (int t = 0; t < tiles; t++)
      store_four(y + c * y_stride + row + 4 * t, biased(m, row + 4 * t, sums_of(sum[c][t])));
}

#ifdef HALF_TILES
// The same of one tile, two of its rows after the other two, so that the registers hold the sums of four
// columns and each weight is read and widened once for all of them.
INLINE void half_tiles_of_floats(const struct Matrix *m, const int kind, const float scale, int32_t row, const float *x,
                                 size_t x_stride, float *y, size_t y_stride, const int columns) {
  eight sum[2][AT_ONCE];
  UNROLLED for (int half = 0; half < 2; half++) {
    UNROLLED for (int c = 0; c < columns; c++) sum[half][c] = (eight){0};
    for (int32_t k = 0; k < m->inputs; k += 4) {
      const size_t at = (size_t)row * m->inputs + 4 * (size_t)k + 8 * half;
      eight weights = kind == FP16 ? load_eight_halves((const int16_t *)m->weights + at) : load_eight((const float *)m->weights + at);
      if (scale != 1) weights *= scale;
      UNROLLED for (int c = 0; c < columns; c++) sum[half][c] += weights * spread_eight(load_four(x + c * x_stride + k));
    }
  }
  UNROLLED for (int c = 0; c < columns; c++)
    store_four(y + c * y_stride + row, biased(m, row, sums_of(joined(sum[0][c], sum[1][c]))));
}
#endif

// y (columns, y_stride) = x (columns, x_stride) times a matrix in fp16 or fp32. Columns go in powers of
// two, so that the compiler makes a loop for each width whose sums stay in registers.
INLINE void product_of_floats(const struct Matrix *m, const int kind, const float scale, const float *x,
                              size_t x_stride, float *y, size_t y_stride, int columns) {
  for (int32_t row = 0, end; row < m->rows; row = end) {
    end = m->rows - row < 4 * MOST_TILES ? m->rows : row + 4 * MOST_TILES;
    for (int c = 0, width; c < columns; c += width) {
      const int left = columns - c;
      const float *from = x + c * x_stride;
      float *to = y + c * y_stride;
      int32_t r = row;
#define ROWS(at_once, tiles) \
  for (; r + 4 * tiles <= end; r += 4 * tiles) tiles_of_floats(m, kind, scale, r, from, x_stride, to, y_stride, tiles, at_once); \
  for (; r < end; r += 4) tiles_of_floats(m, kind, scale, r, from, x_stride, to, y_stride, 1, at_once);
      if (AT_ONCE >= 8 && left >= 8) { width = 8; ROWS(8, TILES_OF_8) }
#ifdef HALF_TILES
      else if (left >= 3) {
        width = left < 4 ? left : 4;
        for (; r < end; r += 4)
          if (width == 4) half_tiles_of_floats(m, kind, scale, r, from, x_stride, to, y_stride, 4);
          else half_tiles_of_floats(m, kind, scale, r, from, x_stride, to, y_stride, 3);
      }
#else
      else if (AT_ONCE >= 4 && left >= 4) { width = 4; ROWS(4, TILES_OF_4) }
#endif
      else if (left >= 2) { width = 2; ROWS(2, TILES_OF_2) }
      else { width = 1; ROWS(1, TILES_OF_1) }
#undef ROWS
    }
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
    eight_whole sum[AT_ONCE][4];
    UNROLLED for (int c = 0; c < columns; c++)
      UNROLLED for (int r = 0; r < 4; r++) sum[c][r] = (eight_whole){0};
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

// What a column's query (room.head) of one head gathers from its slot: y (width).
static void attend(const struct Core *core, struct Worker *w, int32_t layer, const struct Column *column,
                   int32_t head, const float *query, float *y) {
  const int32_t keys = column->position + 1;
  const size_t room = core->room.head;
  const float scale = 1.0f / square_root((float)core->header->width);
  float *scores = w->scores, peak = -3e38f;
  for (int32_t p = 0, to; p < keys;) {
    const float *key = stretch(core, layer, column, 0, head, p, &to);
    for (; p < to; p++, key += room) {
      four sum = load_four(query) * load_four(key);
      for (size_t k = 4; k < room; k += 4) sum += load_four(query + k) * load_four(key + k);
      scores[p] = sum_of(sum) * scale;
      if (scores[p] > peak) peak = scores[p];
    }
  }
  for (int32_t p = keys; p < round_up(keys, LINE); p++) scores[p] = -3e38f;
  double total = 0;
  for (int32_t p = 0; p < keys; p += LINE) {
    store(scores + p, exponential(load(scores + p) - all(peak)));
    for (int32_t k = p; k < p + LINE && k < keys; k++) total += scores[k];
  }
  const float inverse = (float)(1 / total);
  for (size_t k = 0; k < room; k += LINE) {
    floats sum = all(0);
    for (int32_t p = 0, to; p < keys;) {
      const float *value = stretch(core, layer, column, 1, head, p, &to) + k;
      for (; p < to; p++, value += room) sum += all(scores[p]) * load(value);
    }
    float found[LINE];
    store(found, sum * all(inverse));
    for (size_t n = 0; n < LINE && k + n < (size_t)core->header->width; n++) y[k + n] = found[n];
  }
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

void core_step(struct Core *core, int32_t worker, int32_t count, const struct Column *column,
               const struct Question *questions, struct Answer *answers) {
  struct Worker *w = core->worker + worker;
  for (int32_t from = 0; from < count; from += COLUMNS) {
    const int columns = count - from < COLUMNS ? count - from : COLUMNS;
    feed(core, w, columns, column + from);
    const float *logits = w->logits;
    for (int c = 0; c < columns; c++) {
      const int32_t question = column[from + c].question;
      if (question < 0) continue;
      choice_answer(&core->head, logits, questions + question, answers + question, w->choice);
      logits += core->room.unique;
    }
  }
}

void core_logits(struct Core *core, int32_t worker, int32_t count, const struct Column *column, float *logits) {
  struct Worker *w = core->worker + worker;
  for (int32_t from = 0; from < count; from += COLUMNS) {
    const int columns = count - from < COLUMNS ? count - from : COLUMNS;
    feed(core, w, columns, column + from);
    const float *found = w->logits;
    for (int c = 0; c < columns; c++) {
      const int32_t question = column[from + c].question;
      if (question < 0) continue;
      for (int32_t k = 0; k < core->head.unique; k++) logits[(size_t)question * core->head.unique + k] = found[k];
      found += core->room.unique;
    }
  }
}
