// The forward pass: up to COLUMNS tokens at once, each with a slot and a position, through the blocks
// that the trainer exports.
//
// - Weights lie in tiles of four rows, four numbers of each in turn (int8: sixteen), so that memory is
//   read straight through and one vector holds four numbers of each row of a tile.
// - A row's product has four lanes: lane l sums up k = l, l + 4, ... one after the other, and the lanes
//   are added up as in sums_of(). Nothing depends on how many rows or columns are computed at once.
// - Threads share the rows of a product, the heads of an attention and the choices of a step of few
//   columns; of a longer step each takes whole stories.
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
#define ITEM 32768     // weights of an item of a product that threads share: some microseconds
#define LATE 0.5       // of a small step spent waiting: another program interrupted a thread that helps
#define LATE_WINDOW 30 // small steps: after two late ones within so many, the threads share none for a while
#define WITHOUT_HELP 500 // milliseconds: that while
#define GROUPS 64      // of a long step's stories that are shared at once
#define INTEGERS 2048  // int8 products that 32 bits hold in four lanes
#define LARGE 65504.0f // about from here on, times HALF_SCALE is infinite

// A short wait between two looks at what another thread writes; the time then, in milliseconds of about three
// million cycles.
static double pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause(); // from 2 to 50 ns
  return __builtin_ia32_rdtsc() / 3e6;
#elif defined(__aarch64__)
  uint64_t now, second;
  __asm__ volatile("isb\n mrs %0, cntvct_el0\n mrs %1, cntfrq_el0" : "=r"(now), "=r"(second)); // `yield` does nothing
  return now * 1e3 / second;
#else
  return 0; // WebAssembly: one thread
#endif
}

// Claims an item of the shared task and computes it; returns 0 if none is left. Only who has claimed an item reads the
// task, which stays until all its items are finished.
static int compute_item(const struct Core *core, struct Worker *w) {
  struct Team *team = core->team;
  int32_t unclaimed = __atomic_load_n(&team->unclaimed, __ATOMIC_RELAXED);
  do
    if (unclaimed <= 0) return 0;
  while (!__atomic_compare_exchange_n(&team->unclaimed, &unclaimed, unclaimed - 1, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
  team->task(core, w, team->of, team->items - unclaimed);
  __atomic_fetch_sub(&team->unfinished, 1, __ATOMIC_RELEASE);
  return 1;
}

// Computes all items of a task, together with the threads that help.
static void share(const struct Core *core, struct Worker *w, Task *task, const void *of, int32_t items) {
  struct Team *team = core->team;
  if (w->is_alone || items < 2) {
    for (int32_t item = 0; item < items; item++) task(core, w, of, item);
    return;
  }
  w->is_alone = 1; // what a task itself would share
  team->task = task, team->of = of, team->items = items;
  __atomic_store_n(&team->unfinished, items, __ATOMIC_RELAXED);
  __atomic_store_n(&team->unclaimed, items, __ATOMIC_RELEASE);
  while (compute_item(core, w)) {}
  if (__atomic_load_n(&team->unfinished, __ATOMIC_ACQUIRE)) {
    const double from = pause();
    double now = from;
    while (__atomic_load_n(&team->unfinished, __ATOMIC_ACQUIRE)) now = pause();
    w->waited += now - from;
  }
  w->is_alone = 0;
}

void core_help(Core *core) {
  struct Team *team = core->team;
  struct Worker *w = 0;
  for (int32_t n = 1; n < core->threads && !w; n++)
    if (!__atomic_exchange_n(&core->worker[n].is_used, 1, __ATOMIC_ACQUIRE)) w = core->worker + n;
  if (!w) return;
  w->is_alone = 1;
  for (double now = pause(), last = now; now < last + 1 && !__atomic_load_n(&team->is_over, __ATOMIC_RELAXED);) {
    const int has_computed = compute_item(core, w);
    now = pause();
    if (has_computed) last = now;
  }
  __atomic_store_n(&w->is_used, 0, __ATOMIC_RELEASE);
}

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

// y (columns, y_stride) = x (columns, x_stride) times the rows from `row` to `end` of a matrix in fp16 or fp32. Columns
// go in powers of two, so that the compiler makes a loop for each width whose sums stay in registers.
INLINE void product_of_floats(const struct Matrix *m, const int kind, const float scale, const float *x,
                              size_t x_stride, float *y, size_t y_stride, int columns, int32_t row, int32_t end) {
  for (; row < end; row += 4)
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

// The inputs of a product (columns, x_stride) times a power of two; the largest of them.
static float scaled(const struct Matrix *m, const float *x, size_t x_stride, float *y, size_t y_stride, int columns) {
  floats peaks = all(0);
  for (int c = 0; c < columns; c++)
    for (int32_t k = 0; k < m->inputs; k += LINE) {
      const floats one = load(x + c * x_stride + k);
      peaks = larger(peaks, larger(one, -one));
      store(y + c * y_stride + k, one * all(HALF_SCALE));
    }
  return largest_of(peaks);
}

// The inputs of a product rounded to 15 bits, and what one of them is, for each column.
static void rounded(const struct Matrix *m, const float *x, size_t x_stride, int16_t *y, size_t y_stride, float *steps,
                    int columns) {
  for (int c = 0; c < columns; c++) {
    floats peaks = all(0);
    for (int32_t k = 0; k < m->inputs; k += LINE) {
      const floats one = load(x + c * x_stride + k);
      peaks = larger(peaks, larger(one, -one));
    }
    const float peak = largest_of(peaks), inverse = peak > 0 ? 16383.0f / peak : 0;
    steps[c] = peak / 16383.0f;
    for (int32_t k = 0; k < m->inputs; k += LINE)
      store_whole(y + c * y_stride + k, load(x + c * x_stride + k) * all(inverse));
  }
}

// What of a product all threads read, and where they write.
struct Product {
  const struct Matrix *m;
  const float *x, *steps; // steps: int8
  const int16_t *whole;   // int8
  float *y, scale;        // scale: fp16
  size_t x_stride, y_stride;
  int columns;
  int32_t rows; // of an item
};

static void product_of_rows(const struct Core *core, struct Worker *w, const void *of, int32_t item) {
  (void)w;
  const struct Product *p = of;
  const int32_t from = item * p->rows, end = p->m->rows - from < p->rows ? p->m->rows : from + p->rows;
  if (core->header->weights == FP32) {
    product_of_floats(p->m, FP32, 1, p->x, p->x_stride, p->y, p->y_stride, p->columns, from, end);
  } else if (core->header->weights == FP16) {
    if (p->scale == 1) product_of_floats(p->m, FP16, 1, p->x, p->x_stride, p->y, p->y_stride, p->columns, from, end);
    else product_of_floats(p->m, FP16, HALF_SCALE, p->x, p->x_stride, p->y, p->y_stride, p->columns, from, end);
  } else {
    for (int32_t row = from; row < end; row += 4)
      for (int c = 0, width; c < p->columns; c += width) {
        const int16_t *x = p->whole + c * p->x_stride;
        float *y = p->y + c * p->y_stride;
        width = p->columns - c < 2 ? 1 : 2;
        if (width == 2) tile_of_bytes(p->m, row, x, p->x_stride, p->steps + c, y, p->y_stride, 2);
        else tile_of_bytes(p->m, row, x, p->x_stride, p->steps + c, y, p->y_stride, 1);
      }
  }
}

// y (columns, y_stride) = x (columns, x_stride) times a matrix; x is filled up with zeros to whole lines.
static void product(const struct Core *core, struct Worker *w, const struct Matrix *m, const float *x,
                    size_t x_stride, float *y, size_t y_stride, int columns) {
  const size_t stride = core->room.inputs;
  const int32_t rows = round_up((ITEM + m->inputs - 1) / m->inputs, 4);
  struct Product p = {m, x, w->steps, w->whole, y, 1, x_stride, y_stride, columns, rows};
  if (core->header->weights == INT8) {
    rounded(m, x, x_stride, w->whole, stride, w->steps, columns);
    p.x_stride = stride;
  } else if (core->header->weights == FP16 && HALF_SCALE != 1) {
    // The input is made larger, once, unless that is too large: then each weight is.
    if (scaled(m, x, x_stride, w->scaled, stride, columns) < LARGE) p.x = w->scaled, p.x_stride = stride;
    else p.scale = HALF_SCALE;
  }
  share(core, w, product_of_rows, &p, (m->rows + p.rows - 1) / p.rows);
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

// What the threads that share an attention read: the columns of a worker's memory in a layer.
struct Attention {
  struct Worker *w;
  const struct Column *column;
  int32_t layer;
};

static void attend_with_head(const struct Core *core, struct Worker *w, const void *of, int32_t item) {
  const struct Attention *a = of;
  const struct Header *h = core->header;
  const int32_t c = item / h->heads, n = item % h->heads, shared = h->heads / h->kv_heads; // queries of a key
  attend(core, w, a->layer, a->column + c, n / shared, a->w->query + item * core->room.head,
         a->w->gathered + c * core->layer[a->layer].out.inputs + n * h->width);
}

static void attention(const struct Core *core, struct Worker *w, int32_t number, int columns,
                      const struct Column *column) {
  const struct Header *h = core->header;
  const struct Layer *layer = core->layer + number;
  const struct Room *room = &core->room;
  const int32_t width = h->width;
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
  const struct Attention shared = {w, column, number};
  share(core, w, attend_with_head, &shared, columns * h->heads);
  product(core, w, &layer->out, w->gathered, layer->out.inputs, w->normed, room->hidden, columns);
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

// A step: its columns, their questions, and the answers, or the logits where there are no answers.
struct Step {
  const struct Column *column;
  const struct Question *questions;
  struct Answer *answers;
  float *logits;
  const int32_t *bounds; // of groups of columns, each of whole stories
};

// Logits of a worker's memory, and the questions about them.
struct Choices {
  const struct Step *step;
  const float *logits;
  int32_t questions[COLUMNS];
};

static void respond(const struct Core *core, struct Worker *w, const void *of, int32_t item) {
  const struct Choices *choices = of;
  const struct Step *step = choices->step;
  const int32_t question = choices->questions[item];
  const float *found = choices->logits + item * core->room.unique;
  if (step->answers) choice_answer(&core->head, found, step->questions + question, step->answers + question, w->choice);
  else __builtin_memcpy(step->logits + (size_t)question * core->head.unique, found, 4 * (size_t)core->head.unique);
}

// Feeds the columns from one on up to another, and responds.
static void feed_stories(const struct Core *core, struct Worker *w, const struct Step *step, int32_t from, int32_t end) {
  for (; from < end; from += COLUMNS) {
    const int columns = end - from < COLUMNS ? end - from : COLUMNS;
    struct Choices choices = {step, w->logits, {0}};
    int asked = 0;
    for (int c = 0; c < columns; c++)
      if (step->column[from + c].question >= 0) choices.questions[asked++] = step->column[from + c].question;
    feed(core, w, columns, step->column + from);
    share(core, w, respond, &choices, asked);
  }
}

static void feed_group(const struct Core *core, struct Worker *w, const void *of, int32_t item) {
  const struct Step *step = of;
  feed_stories(core, w, step, step->bounds[item], step->bounds[item + 1]);
}

// Where the group of columns that begins with one ends: whole stories, up to `width` columns or one story.
static int32_t group_end(const struct Column *column, int32_t from, int32_t count, int32_t width) {
  int32_t end = from;
  for (int32_t k = from + 1; k <= count && (end == from || k - from <= width); k++)
    if (k == count || column[k].slot != column[k - 1].slot) end = k;
  return end;
}

// 1 + the index of the first column whose numbers are not in their ranges, or 0.
static int32_t wrong_column(const struct Core *core, const struct Step *step, int32_t count, int32_t asked) {
  for (int32_t n = 0; n < count; n++) {
    const struct Column *c = step->column + n;
    const int is_good = c->id >= 0 && c->id < core->header->ids && c->slot >= 0 && c->slot < core->slots &&
                        c->position >= 0 && c->position < core->context && c->question >= -1 && c->question < asked;
    if (!is_good) return n + 1;
  }
  return 0;
}

// Of few columns, or of one story, all threads compute each column; on a busy machine, where one may be interrupted
// with an item that the others need, the calling thread does. Of more columns each thread takes groups of stories.
static int32_t take_step(struct Core *core, int32_t count, int32_t asked, struct Step *step) {
  struct Worker *w = core->worker;
  const int32_t wrong = wrong_column(core, step, count, asked);
  if (wrong) return wrong;
  struct Team *team = core->team;
  const int is_small = count <= COLUMNS || step->column[0].slot == step->column[count - 1].slot;
  const double start = pause();
  w->is_alone = core->threads == 1 || (is_small && start < team->alone_until);
  __atomic_store_n(&team->is_over, w->is_alone, __ATOMIC_RELAXED);
  if (is_small) {
    w->waited = 0;
    feed_stories(core, w, step, 0, count);
    const double end = pause();
    if (w->waited <= LATE * (end - start)) {
      if (team->late_window) team->late_window--;
    } else if (team->late_window) {
      team->late_window = 0, team->alone_until = end + WITHOUT_HELP;
    } else {
      team->late_window = LATE_WINDOW;
    }
    return 0;
  }
  const int32_t even = (count + core->threads - 1) / core->threads, width = even < COLUMNS ? even : COLUMNS;
  for (int32_t end = 0; end < count;) {
    int32_t bounds[GROUPS + 1] = {end}, groups = 0;
    while (groups < GROUPS && end < count) bounds[++groups] = end = group_end(step->column, end, count, width);
    step->bounds = bounds;
    share(core, w, feed_group, step, groups);
  }
  __atomic_store_n(&team->is_over, 1, __ATOMIC_RELAXED);
  return 0;
}

int32_t core_wants_help(const Core *core, int32_t count) {
  return core->threads > 1 && (count > COLUMNS || pause() >= core->team->alone_until);
}

int32_t core_step(struct Core *core, int32_t count, const struct Column *column, int32_t asked,
                  const struct Question *questions, struct Answer *answers) {
  const int32_t wrong = take_step(core, count, asked, &(struct Step){column, questions, answers, 0, 0});
  if (wrong) return wrong;
  for (int32_t n = 0; n < asked; n++)
    if (answers[n].id == UNSOUND) return UNSOUND;
  return 0;
}

int32_t core_logits(struct Core *core, int32_t count, const struct Column *column, int32_t asked, float *logits) {
  return take_step(core, count, asked, &(struct Step){column, 0, 0, logits, 0});
}
