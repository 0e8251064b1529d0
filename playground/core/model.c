// Opens a model file: checks it, finds its arrays, and lays out the core's memory.

#include "model.h"
#include "vector.h"

#define FASTEST 16 // radians of a position, at most; 1 is usual

// The arrays of a file, one after another, each at the next multiple of 64 bytes. Offsets are 64 bits
// wide and the limits of header_is_good() keep their sum below 2^62, so nothing overflows.
struct Reader {
  const char *file; // NULL: only count
  int64_t at;       // of the next array
  int is_good;      // whether every number so far is one that the core computes with
  int checks;       // whether to look at the numbers at all
};

static const void *take(struct Reader *reader, int64_t bytes) {
  const char *found = reader->file ? reader->file + reader->at : 0;
  reader->at = round_up(reader->at + bytes, 64);
  return found;
}

static const float *take_floats(struct Reader *reader, int64_t count) {
  const uint32_t *bits = take(reader, 4 * count);
  if (reader->checks)
    for (int64_t k = 0; k < count; k++) reader->is_good &= (bits[k] & 0x7f800000) != 0x7f800000;
  return (const float *)bits;
}

static const int32_t *take_rows(struct Reader *reader, int64_t count, int32_t rows) {
  const uint32_t *found = take(reader, 4 * count);
  if (reader->checks)
    for (int64_t k = 0; k < count; k++) reader->is_good &= found[k] < (uint32_t)rows;
  return (const int32_t *)found;
}

static struct Matrix take_matrix(struct Reader *reader, const struct Header *h, int64_t rows, int64_t inputs, int has_bias) {
  struct Matrix m = {0};
  m.rows = round_up(rows, 4);
  m.inputs = round_up(inputs, LINE);
  const int64_t count = (int64_t)m.rows * m.inputs;
  if (h->weights == FP32) m.weights = take_floats(reader, count);
  else m.weights = take(reader, h->weights == FP16 ? 2 * count : count);
  if (h->weights == FP16 && reader->checks) {
    const uint16_t *bits = m.weights;
    for (int64_t k = 0; k < count; k++) reader->is_good &= (bits[k] & 0x7c00) != 0x7c00;
  }
  if (h->weights == INT8) m.scales = take_floats(reader, m.rows);
  if (has_bias) m.bias = take_floats(reader, m.rows);
  return m;
}

static struct Norm take_norm(struct Reader *reader, const struct Header *h) {
  struct Norm norm = {0};
  norm.gain = take_floats(reader, h->hidden);
  if (h->block == GPT2) norm.bias = take_floats(reader, h->hidden);
  return norm;
}

static struct Layer take_layer(struct Reader *reader, const struct Header *h) {
  const int has_bias = h->block == GPT2;
  const int64_t mlp = round_up(h->mlp, LINE);
  struct Layer layer = {0};
  layer.norm_attention = take_norm(reader, h);
  if (h->block == QWEN3) layer.norm_query_key = take_floats(reader, 2 * h->width);
  layer.norm_mlp = take_norm(reader, h);
  layer.qkv = take_matrix(reader, h, (int64_t)(h->heads + 2 * h->kv_heads) * h->width, h->hidden, has_bias);
  layer.out = take_matrix(reader, h, h->hidden, (int64_t)h->heads * h->width, has_bias);
  layer.up = take_matrix(reader, h, has_bias ? mlp : 2 * mlp, h->hidden, has_bias);
  layer.down = take_matrix(reader, h, h->hidden, mlp, has_bias);
  return layer;
}

// FILE_ARRAYS: what is behind a header, in order; core.h refers to this. `layer` (layers,) may be NULL.
static struct Model take_model(struct Reader *reader, const struct Header *h, struct Layer *layer) {
  struct Model model = {0};
  reader->at = sizeof *h;
  model.table_row_of = take_rows(reader, h->ids, h->table_rows);
  model.table = take_matrix(reader, h, h->table_rows, h->hidden, 0);
  model.head_row_of = model.table_row_of;
  model.head = model.table;
  if (h->head_rows) {
    model.head_row_of = take_rows(reader, h->ids, h->head_rows);
    model.head = take_matrix(reader, h, h->head_rows, h->hidden, 0);
  }
  if (h->block == GPT2) model.positions = take_floats(reader, (int64_t)h->context * h->hidden);
  else model.frequencies = take_floats(reader, h->width / 2);
  model.norm_end = take_norm(reader, h);
  for (int32_t number = 0; number < h->layers; number++) {
    const struct Layer found = take_layer(reader, h);
    if (layer) layer[number] = found;
  }
  return model;
}

static int within(int32_t value, int32_t least, int32_t most) { return value >= least && value <= most; }

static int32_t check_header(const struct Header *h, size_t size) {
  if (size < sizeof *h) return DAMAGED;
  for (int k = 0; k < 8; k++)
    if (h->magic[k] != MAGIC[k]) return DAMAGED;
  const int is_sound =
      within(h->block, GPT2, QWEN3) && within(h->weights, FP16, FP32) && h->hidden > 0 && h->heads > 0 &&
      h->kv_heads > 0 && h->width > 0 && h->mlp > 0 && h->layers > 0 && h->context > 0 && h->ids > 0 &&
      h->table_rows > 0 && h->table_rows <= h->ids && within(h->head_rows, 0, h->ids) &&
      h->heads % h->kv_heads == 0 && (h->block == GPT2 || h->width % 2 == 0) && h->epsilon >= 0 && h->epsilon < 1;
  if (!is_sound) return DAMAGED;
  const int32_t most = 1 << 20;
  const int fits = h->hidden <= most && h->heads <= most && h->width <= most && h->mlp <= most && h->layers <= 4096 &&
                   h->context <= 16 * most && h->ids <= 16 * most && (int64_t)h->heads * h->width <= most;
  return fits ? 0 : TOO_LARGE;
}

int32_t core_check(const void *file, size_t size) {
  const struct Header *h = file;
  const int32_t wrong = check_header(h, size);
  if (wrong) return wrong;
  for (int k = 0; k < 16; k++)
    if (h->reserved[k]) return DAMAGED;
  struct Reader reader = {0, 0, 1, 0};
  take_model(&reader, h, 0);
  if (reader.at != h->size || (uint64_t)reader.at > size) return DAMAGED;
  reader.file = file;
  reader.checks = 1;
  const struct Model model = take_model(&reader, h, 0);
  if (h->block != GPT2 && reader.is_good)
    for (int32_t k = 0; k < h->width / 2; k++)
      if (model.frequencies[k] < 0 || model.frequencies[k] > FASTEST) return DAMAGED;
  return reader.is_good ? 0 : DAMAGED;
}

// Memory, one array after another at multiples of 64 bytes: as Reader, but of what is written to.
struct Layout {
  char *memory; // NULL: only count
  uint64_t at;
  int fits; // into 62 bits
};

static void *place(struct Layout *layout, uint64_t count, uint64_t size) {
  const uint64_t left = ((uint64_t)1 << 62) - layout->at;
  if (size && count > left / size) layout->fits = 0;
  if (!layout->fits) return 0;
  void *found = layout->memory ? layout->memory + layout->at : 0;
  layout->at = round_up(layout->at + count * size, 64);
  return found;
}

static void place_worker(struct Layout *layout, const struct Core *core, struct Worker *w) {
  const struct Header *h = core->header;
  const struct Room *room = &core->room;
  w->residual = place(layout, COLUMNS * room->hidden, 4);
  w->normed = place(layout, COLUMNS * room->hidden, 4);
  w->qkv = place(layout, COLUMNS * room->qkv, 4);
  w->query = place(layout, COLUMNS * h->heads * room->head, 4);
  w->gathered = place(layout, COLUMNS * round_up((int64_t)h->heads * h->width, LINE), 4);
  w->up = place(layout, COLUMNS * 2 * room->mlp, 4);
  w->active = place(layout, COLUMNS * room->mlp, 4);
  w->scaled = place(layout, COLUMNS * room->inputs, 4);
  w->scores = place(layout, round_up(core->context, LINE), 4);
  w->sums = place(layout, room->head, 4);
  w->logits = place(layout, COLUMNS * room->unique, 4);
  w->whole = place(layout, COLUMNS * room->inputs, 2);
  w->steps = place(layout, COLUMNS, 4);
  w->choice = place(layout, choice_room(core->head.ids, core->head.unique), 1);
}

// Lays out everything; core->layer and core->worker are written to only where there is memory.
static void place_all(struct Layout *layout, struct Core *core) {
  const struct Header *h = core->header;
  int64_t inputs = round_up((int64_t)h->heads * h->width, LINE);
  core->room.hidden = round_up(h->hidden, LINE);
  core->room.head = round_up(h->width, LINE);
  core->room.mlp = round_up(h->mlp, LINE);
  core->room.qkv = round_up((int64_t)(h->heads + 2 * h->kv_heads) * h->width, LINE);
  core->head.ids = h->ids;
  core->head.unique = h->head_rows ? h->head_rows : h->table_rows;
  core->room.unique = round_up(core->head.unique, LINE);
  core->room.inputs = core->room.hidden > core->room.mlp ? core->room.hidden : core->room.mlp;
  if ((size_t)inputs > core->room.inputs) core->room.inputs = inputs;
  place(layout, 1, sizeof *core);
  core->layer = place(layout, h->layers, sizeof *core->layer);
  core->worker = place(layout, core->threads, sizeof *core->worker);
  core->team = place(layout, 1, sizeof *core->team);
  core->owner = place(layout, core->slots, 4);
  core->borrowed = place(layout, core->slots, 4);
  core->turns = h->block == GPT2 ? 0 : place(layout, (uint64_t)core->context * h->width, 4);
  core->head.starts = (uintptr_t)place(layout, (uint64_t)core->head.unique + 1, 4);
  core->head.members = (uintptr_t)place(layout, h->ids, 4);
  for (int32_t number = 0; number < core->threads; number++) {
    struct Worker unused;
    place_worker(layout, core, layout->memory ? core->worker + number : &unused);
  }
  const uint64_t position = (uint64_t)h->layers * 2 * h->kv_heads * core->room.head * 4; // bytes
  core->cache = place(layout, (uint64_t)core->slots * core->context, position);
}

size_t core_room(const void *file, int32_t slots, int32_t context, int32_t threads) {
  struct Core core = {0};
  core.header = file;
  if (slots < 1 || threads < 1 || threads > 1 << 16 || context < 1 || context > core.header->context) return 0;
  core.slots = slots, core.context = context, core.threads = threads;
  struct Layout layout = {0, 0, 1};
  place_all(&layout, &core);
  return layout.fits && layout.at <= SIZE_MAX ? (size_t)layout.at : 0;
}

// Sine and cosine of a number up to some millions: quarter turns are taken off in three parts (Cody and
// Waite), the rest goes into Taylor's polynomials.
static void sine_cosine(double x, double *sine, double *cosine) {
  const double magic = 6755399441055744.0; // rounds to a whole number, see vector.h
  const double shifted = x * 0.63661977236758134308 + magic, n = shifted - magic;
  double r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) - n * 2.02226624871116645580e-21;
  const double square = r * r;
  double s = 1, c = 1;
  for (int k = 20; k >= 2; k -= 2) {
    s = 1 - s * square / (k * (k + 1));
    c = 1 - c * square / (k * (k - 1));
  }
  s *= r;
  switch ((int64_t)n & 3) {
    case 0: *sine = s, *cosine = c; break;
    case 1: *sine = c, *cosine = -s; break;
    case 2: *sine = -s, *cosine = -c; break;
    default: *sine = -c, *cosine = s;
  }
}

// Ids row after row, each row's in rising order.
static void list_members(const int32_t *row_of, const struct Head *head, int32_t *starts, int32_t *members) {
  for (int32_t id = 0; id < head->ids; id++) starts[row_of[id] + 1]++;
  for (int32_t row = 0; row < head->unique; row++) starts[row + 1] += starts[row];
  for (int32_t id = 0; id < head->ids; id++) members[starts[row_of[id]]++] = id;
  for (int32_t row = head->unique; row > 0; row--) starts[row] = starts[row - 1];
  starts[0] = 0;
}

Core *core_open(const void *file, void *memory, int32_t slots, int32_t context, int32_t threads) {
  struct Core *core = memory;
  const struct Header *h = file;
  core->header = h, core->slots = slots, core->context = context, core->threads = threads;
  struct Layout layout = {memory, 0, 1};
  place_all(&layout, core);
  struct Reader reader = {file, 0, 1, 0};
  core->model = take_model(&reader, h, core->layer);
  core->head.unique_of = (uintptr_t)core->model.head_row_of;
  list_members(core->model.head_row_of, &core->head, (int32_t *)(uintptr_t)core->head.starts,
               (int32_t *)(uintptr_t)core->head.members);
  for (int32_t p = 0; core->turns && p < context; p++)
    for (int32_t k = 0; k < h->width / 2; k++) {
      double sine, cosine; // of an angle in fp32, as transformers has it
      sine_cosine((float)p * core->model.frequencies[k], &sine, &cosine);
      float *turn = core->turns + ((size_t)p * (h->width / 2) + k) * 2;
      turn[0] = (float)cosine, turn[1] = (float)sine;
    }
  return core;
}

void core_head(const Core *core, struct Head *head) { *head = core->head; }

void core_borrow(Core *core, int32_t from, int32_t slot, int32_t positions) {
  core->owner[slot] = from;
  core->borrowed[slot] = positions;
}

void core_own(Core *core, int32_t slot) {
  const int32_t positions = core->borrowed[slot];
  core->borrowed[slot] = 0;
  for (int32_t number = 0; number < core->header->layers; number++)
    for (int32_t which = 0; which < 2; which++)
      for (int32_t h = 0; h < core->header->kv_heads; h++)
        __builtin_memcpy(cached(core, number, slot, which, h, 0), cached(core, number, core->owner[slot], which, h, 0),
                         positions * core->room.head * sizeof(float));
}
