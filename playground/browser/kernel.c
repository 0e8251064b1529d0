// The forward pass of a storyteller for WebAssembly: up to four tokens at once, each with a slot and a
// position, through the blocks that the trainer exports (GPT-2, Llama, Qwen3).
//
// What the page relies on: a token's numbers do not depend on the columns beside it, and there is no
// fast-math, so every browser, and wasmtime in the tests, computes the same bits. Decisions, measured:
//
// - Weights lie in tiles of four rows, sixteen bytes of each in turn, so that memory is read straight
//   through: three times as fast as row after row.
// - fp16 weights stay fp16. A half, sign-extended, shifted left by 13 and masked, is a float 2^-112
//   times too small; the input is made 2^112 times larger before. Exact, subnormals too.
// - int8 weights have a scale for each row, their input 15 bits and a scale; products are summed in
//   whole numbers.
//
// JavaScript fills `struct Model` (layout in pack.py), calls setup() once, then for each step writes
// (row of the table, slot, position) of the columns, calls step() and, for columns that need an
// answer, logits(). Built by build_kernel.py; the bytes of kernel.wasm are checked in the tests.

#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define INLINE static inline __attribute__((always_inline))
#define COLUMNS 4  // tokens of a step, at most
#define LINE 16    // numbers to which the inputs of a product are filled up with zeros
#define INTEGERS 2048 // int8 products that 32 bits hold in four lanes

typedef v128_t four;

struct Matrix {
  const void *weights;  // tiles; NULL where the model has no such matrix
  const float *scales;  // of each row, int8 only
  const float *bias;    // or NULL
  int32_t rows, inputs; // rows filled up to a multiple of 4, inputs of LINE
};

struct Layer {
  const float *norm_attention, *norm_attention_bias, *norm_query_key, *norm_mlp, *norm_mlp_bias;
  struct Matrix qkv, out, up, down;
};

struct Model {
  int32_t hidden, heads, width, mlp, layers, context, slots, unique; // unique: rows of the head
  int32_t is_rms, is_gated, is_int8;
  float epsilon;
  struct Matrix table, head;
  const float *positions; // (context, hidden) or NULL
  const float *turns;     // (context, width / 2, 2): cosine and sine; or NULL
  const float *norm_end, *norm_end_bias;
  const float *counts;    // (unique rounded up to 4): ids of each row
  struct Layer *layer;
};

static struct Model model;
static struct { int32_t row, slot, position; } column[COLUMNS];
static double answer[3]; // of sums()

// Working memory, laid out by setup(); each buffer holds COLUMNS rows.
static float *residual, *normed, *qkv, *query, *gathered, *up, *active, *scaled, *scores, *out_logits;
static int16_t *integers;
static float *cache; // (layers, slots, 2, heads, context, head_room)
static int32_t *owner, *borrowed; // of each slot: where its first positions lie, and how many do
static int32_t hidden_room, head_room, mlp_room, inputs_room, unique_room;

INLINE int32_t round_up(int32_t n, int32_t to) { return (n + to - 1) / to * to; }
INLINE four load(const float *from) { return wasm_v128_load(from); }
INLINE void store(float *to, four x) { wasm_v128_store(to, x); }
INLINE four add(four a, four b) { return wasm_f32x4_add(a, b); }
INLINE four sub(four a, four b) { return wasm_f32x4_sub(a, b); }
INLINE four mul(four a, four b) { return wasm_f32x4_mul(a, b); }
INLINE four all(float x) { return wasm_f32x4_splat(x); }

INLINE float sum_of(four x) {
  return (wasm_f32x4_extract_lane(x, 0) + wasm_f32x4_extract_lane(x, 1)) +
         (wasm_f32x4_extract_lane(x, 2) + wasm_f32x4_extract_lane(x, 3));
}

// The sums of four vectors, in one; each is added up as in sum_of().
INLINE four sums_of(four a, four b, four c, four d) {
  four ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 2, 6), ab_high = wasm_i32x4_shuffle(a, b, 1, 5, 3, 7);
  four cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 2, 6), cd_high = wasm_i32x4_shuffle(c, d, 1, 5, 3, 7);
  four ab = add(ab_low, ab_high), cd = add(cd_low, cd_high); // a01 b01 a23 b23
  return add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

// e^x by Cephes' polynomial (Moshier), within 2 units in the last place.
INLINE four exponential(four x) {
  x = wasm_f32x4_min(wasm_f32x4_max(x, all(-87.3f)), all(88.0f));
  four n = wasm_f32x4_nearest(mul(x, all(1.44269504088896341f)));
  x = sub(sub(x, mul(n, all(0.693359375f))), mul(n, all(-2.12194440e-4f)));
  four y = all(1.9875691500e-4f);
  y = add(mul(y, x), all(1.3981999507e-3f));
  y = add(mul(y, x), all(8.3334519073e-3f));
  y = add(mul(y, x), all(4.1665795894e-2f));
  y = add(mul(y, x), all(1.6666665459e-1f));
  y = add(mul(y, x), all(5.0000001201e-1f));
  y = add(add(mul(y, mul(x, x)), x), all(1.0f));
  four power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
  return mul(y, power);
}

// Four halves, sign-extended, as floats 2^-112 times too small.
INLINE four small(four halves) {
  return wasm_v128_and(wasm_i32x4_shl(halves, 13), wasm_i32x4_splat((int32_t)0x8fffe000));
}

INLINE four biased(const struct Matrix *m, int32_t row, four x) {
  return m->bias ? add(x, load(m->bias + row)) : x;
}

// y (columns, rows) of scaled x (columns, inputs), all columns at once.
INLINE void product_of_halves(const struct Matrix *m, const float *x, float *y, int32_t stride, const int columns) {
  const int32_t inputs = m->inputs;
  const int at_once = columns == 1 ? 4 : 2; // rows: no more sums than there are registers
  for (int32_t row = 0; row < m->rows; row += 4) {
    const int16_t *tile = (const int16_t *)m->weights + row * inputs;
    four found[COLUMNS][4];
    for (int first = 0; first < 4; first += at_once) {
      four sum[COLUMNS][4];
      for (int c = 0; c < columns; c++)
        for (int r = 0; r < at_once; r++) sum[c][r] = all(0);
      for (int32_t k = 0; k < inputs; k += 8) {
        for (int r = 0; r < at_once; r++) {
          four halves = wasm_v128_load(tile + k * 4 + (first + r) * 8);
          four low = small(wasm_i32x4_extend_low_i16x8(halves)), high = small(wasm_i32x4_extend_high_i16x8(halves));
          for (int c = 0; c < columns; c++) {
            const float *input = x + c * inputs_room + k;
            sum[c][r] = add(sum[c][r], mul(low, load(input)));
            sum[c][r] = add(sum[c][r], mul(high, load(input + 4)));
          }
        }
      }
      for (int c = 0; c < columns; c++)
        for (int r = 0; r < at_once; r++) found[c][first + r] = sum[c][r];
    }
    for (int c = 0; c < columns; c++)
      store(y + c * stride + row, biased(m, row, sums_of(found[c][0], found[c][1], found[c][2], found[c][3])));
  }
}

INLINE four sum_of_integers(four sum, const int8_t *weights, const int16_t *input) {
  four bytes = wasm_v128_load(weights);
  sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(bytes), wasm_v128_load(input)));
  return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(bytes), wasm_v128_load(input + 8)));
}

// y (rows) of x (inputs), one column: the input rounded to 15 bits.
static void product_of_bytes(const struct Matrix *m, const float *x, float *y) {
  const int32_t inputs = m->inputs;
  four peaks = all(0);
  for (int32_t k = 0; k < inputs; k += 4) peaks = wasm_f32x4_max(peaks, wasm_f32x4_abs(load(x + k)));
  float peak = 0;
  for (int lane = 0; lane < 4; lane++) {
    float one = ((float *)&peaks)[lane];
    if (one > peak) peak = one;
  }
  float step = peak / 16383.0f, inverse = peak > 0 ? 16383.0f / peak : 0;
  for (int32_t k = 0; k < inputs; k += 8) {
    four low = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x + k), all(inverse))));
    four high = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x + k + 4), all(inverse))));
    wasm_v128_store(integers + k, wasm_i16x8_narrow_i32x4(low, high));
  }
  for (int32_t row = 0; row < m->rows; row += 4) {
    const int8_t *tile = (const int8_t *)m->weights + row * inputs;
    four a = all(0), b = all(0), c = all(0), d = all(0);
    for (int32_t from = 0; from < inputs; from += INTEGERS) {
      int32_t to = from + INTEGERS < inputs ? from + INTEGERS : inputs;
      four ia = wasm_i32x4_splat(0), ib = ia, ic = ia, id = ia;
      for (int32_t k = from; k < to; k += 16) {
        const int8_t *bytes = tile + k * 4;
        const int16_t *input = integers + k;
        ia = sum_of_integers(ia, bytes, input);
        ib = sum_of_integers(ib, bytes + 16, input);
        ic = sum_of_integers(ic, bytes + 32, input);
        id = sum_of_integers(id, bytes + 48, input);
      }
      a = add(a, wasm_f32x4_convert_i32x4(ia));
      b = add(b, wasm_f32x4_convert_i32x4(ib));
      c = add(c, wasm_f32x4_convert_i32x4(ic));
      d = add(d, wasm_f32x4_convert_i32x4(id));
    }
    four scale = mul(load(m->scales + row), all(step));
    store(y + row, biased(m, row, mul(sums_of(a, b, c, d), scale)));
  }
}

// y (columns, stride) = x (columns, x_stride) times a matrix; x is filled up with zeros to whole lines.
static void product(const struct Matrix *m, const float *x, int32_t x_stride, float *y, int32_t stride, int columns) {
  if (model.is_int8) {
    for (int c = 0; c < columns; c++) product_of_bytes(m, x + c * x_stride, y + c * stride);
    return;
  }
  for (int c = 0; c < columns; c++)
    for (int32_t k = 0; k < m->inputs; k += 4)
      store(scaled + c * inputs_room + k, mul(load(x + c * x_stride + k), all(0x1p112f)));
  if (columns == 1) product_of_halves(m, scaled, y, stride, 1);
  else product_of_halves(m, scaled, y, stride, COLUMNS); // what lies in the others is not looked at
}

static void norm(const float *x, const float *gain, const float *bias, float *y) {
  const int32_t n = model.hidden;
  double sum = 0, squares = 0;
  float mean = 0;
  if (!model.is_rms) {
    for (int32_t k = 0; k < n; k++) sum += x[k];
    mean = (float)(sum / n);
  }
  for (int32_t k = 0; k < n; k++) {
    float from = x[k] - mean;
    squares += (double)from * from;
  }
  float scale = 1.0f / __builtin_sqrtf((float)(squares / n) + model.epsilon);
  for (int32_t k = 0; k < n; k++) {
    float value = (x[k] - mean) * scale * gain[k];
    y[k] = bias ? value + bias[k] : value;
  }
}

INLINE float *cached(int32_t layer, int32_t slot, int32_t which, int32_t head, int32_t position) {
  int32_t at = ((layer * model.slots + slot) * 2 + which) * model.heads + head;
  return cache + (at * model.context + position) * head_room;
}

// One head's query or key: its norm, its turn to the position, and where it belongs.
static void place_head(const float *x, const float *gain, int32_t position, float *to) {
  const int32_t n = model.width;
  float scale = 1;
  if (gain) {
    double squares = 0;
    for (int32_t k = 0; k < n; k++) squares += (double)x[k] * x[k];
    scale = 1.0f / __builtin_sqrtf((float)(squares / n) + model.epsilon);
  }
  const float *turn = model.turns ? model.turns + position * n : 0;
  for (int32_t k = 0; k < n; k += 2) {
    float real = x[k], imaginary = x[k + 1];
    if (gain) real = real * scale * gain[k], imaginary = imaginary * scale * gain[k + 1];
    if (turn) {
      float cosine = turn[k], sine = turn[k + 1], before = real;
      real = before * cosine - imaginary * sine;
      imaginary = before * sine + imaginary * cosine;
    }
    to[k] = real;
    to[k + 1] = imaginary;
  }
}

// A column's keys or values of one head, from position `from` on up to `*to` where they lie side by side.
INLINE const float *stretch(int32_t layer, int c, int32_t which, int32_t head, int32_t from, int32_t *to) {
  const int32_t slot = column[c].slot, keys = column[c].position + 1, elsewhere = borrowed[slot];
  *to = from < elsewhere && elsewhere < keys ? elsewhere : keys;
  return cached(layer, from < elsewhere ? owner[slot] : slot, which, head, from);
}

// What a column's query of one head gathers from its slot.
static void attend(int32_t layer, int c, int32_t head, float *y) {
  const int32_t keys = column[c].position + 1;
  const float *q = query + (c * model.heads + head) * head_room;
  const float scale = 1.0f / __builtin_sqrtf((float)model.width);
  float peak = -3e38f;
  for (int32_t p = 0, to; p < keys;) {
    const float *key = stretch(layer, c, 0, head, p, &to);
    for (; p < to; p++, key += head_room) {
      four sum = all(0);
      for (int32_t k = 0; k < head_room; k += 4) sum = add(sum, mul(load(q + k), load(key + k)));
      scores[p] = sum_of(sum) * scale;
      if (scores[p] > peak) peak = scores[p];
    }
  }
  for (int32_t p = keys; p < round_up(keys, 4); p++) scores[p] = -3e38f;
  double total = 0;
  for (int32_t p = 0; p < keys; p += 4) {
    store(scores + p, exponential(sub(load(scores + p), all(peak))));
    for (int32_t k = p; k < p + 4 && k < keys; k++) total += scores[k];
  }
  const float inverse = (float)(1 / total);
  float found[head_room];
  for (int32_t k = 0; k < head_room; k += 4) {
    four sum = all(0);
    for (int32_t p = 0, to; p < keys;) {
      const float *one = stretch(layer, c, 1, head, p, &to) + k;
      for (; p < to; p++, one += head_room) sum = add(sum, mul(all(scores[p]), load(one)));
    }
    store(found + k, mul(sum, all(inverse)));
  }
  for (int32_t k = 0; k < model.width; k++) y[k] = found[k];
}

static void attention(int32_t number, const struct Layer *layer, int columns) {
  const int32_t heads = model.heads, width = model.width;
  const int32_t stride = layer->qkv.rows;
  for (int c = 0; c < columns; c++) norm(residual + c * hidden_room, layer->norm_attention, layer->norm_attention_bias, normed + c * hidden_room);
  product(&layer->qkv, normed, hidden_room, qkv, stride, columns);
  for (int c = 0; c < columns; c++) {
    const float *from = qkv + c * stride;
    const int32_t position = column[c].position, slot = column[c].slot;
    for (int32_t h = 0; h < heads; h++) {
      const float *gain = layer->norm_query_key;
      place_head(from + h * width, gain, position, query + (c * heads + h) * head_room);
      place_head(from + (heads + h) * width, gain ? gain + width : 0, position, cached(number, slot, 0, h, position));
      float *value = cached(number, slot, 1, h, position);
      for (int32_t k = 0; k < width; k++) value[k] = from[(2 * heads + h) * width + k];
    }
  }
  const int32_t gathered_stride = layer->out.inputs;
  for (int c = 0; c < columns; c++)
    for (int32_t h = 0; h < heads; h++) attend(number, c, h, gathered + c * gathered_stride + h * width);
  product(&layer->out, gathered, gathered_stride, normed, hidden_room, columns);
}

static void feed_forward(const struct Layer *layer, int columns) {
  const int32_t stride = layer->up.rows, room = layer->down.inputs;
  for (int c = 0; c < columns; c++) norm(residual + c * hidden_room, layer->norm_mlp, layer->norm_mlp_bias, normed + c * hidden_room);
  product(&layer->up, normed, hidden_room, up, stride, columns);
  for (int c = 0; c < columns; c++) {
    const float *x = up + c * stride;
    float *y = active + c * room;
    for (int32_t k = 0; k < room; k += 4) { // the rows of `up` are filled up like its readers' inputs
      four one = load(x + k);
      if (model.is_gated) {
        four gate = wasm_f32x4_div(one, add(all(1), exponential(wasm_f32x4_neg(one)))); // SiLU
        store(y + k, mul(gate, load(x + room + k)));
      } else { // GELU in its tanh form (Hendrycks and Gimpel 2016)
        four inner = mul(all(0.7978845608028654f), add(one, mul(all(0.044715f), mul(one, mul(one, one)))));
        four tanh = sub(all(1), wasm_f32x4_div(all(2), add(all(1), exponential(add(inner, inner)))));
        store(y + k, mul(mul(all(0.5f), one), add(all(1), tanh)));
      }
    }
  }
  product(&layer->down, active, room, normed, hidden_room, columns);
}

// What a column begins with: its row of the table, and its position's.
static void embed(int c) {
  const struct Matrix *table = &model.table;
  const int32_t row = column[c].row, tile = row / 4 * 4 * table->inputs;
  float *x = residual + c * hidden_room;
  for (int32_t k = 0; k < model.hidden; k++) {
    if (model.is_int8) {
      const int8_t *bytes = (const int8_t *)table->weights + tile;
      x[k] = bytes[k / 16 * 64 + row % 4 * 16 + k % 16] * table->scales[row];
    } else {
      const int16_t *halves = (const int16_t *)table->weights + tile;
      int32_t bits = (int32_t)((uint32_t)(int32_t)halves[k / 8 * 32 + row % 4 * 8 + k % 8] << 13) & (int32_t)0x8fffe000;
      float value;
      __builtin_memcpy(&value, &bits, 4);
      x[k] = value * 0x1p112f;
    }
    if (model.positions) x[k] += model.positions[column[c].position * model.hidden + k];
  }
}

static void add_to_residual(int columns) {
  for (int c = 0; c < columns; c++)
    for (int32_t k = 0; k < hidden_room; k += 4) {
      float *x = residual + c * hidden_room + k;
      store(x, add(load(x), load(normed + c * hidden_room + k)));
    }
}

EXPORT("model") struct Model *the_model(void) { return &model; }
EXPORT("columns") void *the_columns(void) { return column; }
EXPORT("logits_at") float *the_logits(void) { return out_logits; }
EXPORT("answer") double *the_answer(void) { return answer; }

// Lays out the working memory from `at` on; returns its end, up to which memory must be zero.
EXPORT("setup") int32_t setup(int32_t at) {
  int32_t rows = round_up(3 * model.heads * model.width, 4), inputs = round_up(model.heads * model.width, LINE);
  hidden_room = round_up(model.hidden, LINE);
  head_room = round_up(model.width, 4);
  mlp_room = round_up(model.mlp, LINE);
  unique_room = round_up(model.unique, 4);
  inputs_room = inputs > hidden_room ? inputs : hidden_room;
  if (mlp_room > inputs_room) inputs_room = mlp_room;
  float *next = (float *)at;
#define TAKE(name, count) name = next, next += round_up(count, 4)
  TAKE(residual, COLUMNS * hidden_room);
  TAKE(normed, COLUMNS * hidden_room);
  TAKE(qkv, COLUMNS * rows);
  TAKE(query, COLUMNS * model.heads * head_room);
  TAKE(gathered, COLUMNS * inputs);
  TAKE(up, COLUMNS * 2 * mlp_room);
  TAKE(active, COLUMNS * mlp_room);
  TAKE(scaled, COLUMNS * inputs_room);
  TAKE(scores, round_up(model.context, 4));
  TAKE(out_logits, COLUMNS * unique_room);
  TAKE(cache, model.layers * model.slots * 2 * model.heads * model.context * head_room);
  integers = (int16_t *)next;
  owner = (int32_t *)(integers + inputs_room);
  borrowed = owner + model.slots;
  return (int32_t)(borrowed + model.slots);
}

// Lets a slot read its first positions where another one has them, which must have them itself and keep
// them. Eight stories with one beginning take its memory once.
EXPORT("borrow") void borrow(int32_t from, int32_t to, int32_t positions) {
  owner[to] = from;
  borrowed[to] = positions;
}

// Gives a slot its own copy of what it borrowed.
EXPORT("own") void own(int32_t slot) {
  const int32_t positions = borrowed[slot];
  borrowed[slot] = 0;
  for (int32_t number = 0; number < model.layers; number++)
    for (int32_t which = 0; which < 2; which++)
      for (int32_t h = 0; h < model.heads; h++)
        __builtin_memcpy(cached(number, slot, which, h, 0), cached(number, owner[slot], which, h, 0),
                         positions * head_room * sizeof(float));
}

// Feeds the first `columns` of `column`; those of one slot have rising positions.
EXPORT("step") void step(int32_t columns) {
  for (int c = 0; c < columns; c++) embed(c);
  for (int32_t number = 0; number < model.layers; number++) {
    const struct Layer *layer = model.layer + number;
    attention(number, layer, columns);
    add_to_residual(columns);
    feed_forward(layer, columns);
    add_to_residual(columns);
  }
}

// The logits of the columns from `first` on, each (unique rounded up to 4), at logits_at().
EXPORT("logits") void logits(int32_t first, int32_t columns) {
  for (int c = 0; c < columns; c++) norm(residual + (first + c) * hidden_room, model.norm_end, model.norm_end_bias, normed + c * hidden_room);
  product(&model.head, normed, hidden_room, out_logits, unique_room, columns);
  for (int c = 0; c < columns; c++)
    for (int32_t k = model.unique; k < unique_room; k++) out_logits[c * unique_room + k] = -3e38f;
}

// Of a column's logits, divided by a temperature: the largest, and over all ids the sums of
// exp(logit - largest) and of exp(logit - largest) (logit - largest), at answer().
EXPORT("sums") void sums(int32_t c, float inverse_temperature) {
  const float *x = out_logits + c * unique_room;
  four peaks = all(-3e38f);
  for (int32_t k = 0; k < unique_room; k += 4) peaks = wasm_f32x4_max(peaks, load(x + k));
  float peak = -3e38f;
  for (int lane = 0; lane < 4; lane++) {
    float one = ((float *)&peaks)[lane];
    if (one > peak) peak = one;
  }
  double total = 0, spread = 0;
  for (int32_t from = 0; from < unique_room; from += 64) {
    int32_t to = from + 64 < unique_room ? from + 64 : unique_room;
    four sum = all(0), product = all(0);
    for (int32_t k = from; k < to; k += 4) {
      four below = mul(sub(load(x + k), all(peak)), all(inverse_temperature));
      four weight = mul(exponential(below), load(model.counts + k));
      sum = add(sum, weight);
      product = add(product, mul(weight, wasm_f32x4_max(below, all(-88))));
    }
    total += sum_of(sum);
    spread += sum_of(product);
  }
  answer[0] = peak;
  answer[1] = total;
  answer[2] = spread;
}
