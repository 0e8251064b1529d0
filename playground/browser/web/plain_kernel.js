// The forward pass in plain JavaScript, for browsers without WebAssembly's SIMD: what kernel.c does, a
// column at a time and several times slower. Sums are taken in another order, so a last digit may differ.

const LAYER = 25; // words of `struct Layer`
const TO_FLOAT = new Float32Array(2 ** 16); // of each half

for (let half = 0; half < TO_FLOAT.length; half += 1) {
  const exponent = (half >> 10) & 31, fraction = half & 1023;
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
  TO_FLOAT[half] = half >> 15 ? -size : size;
}

export class PlainKernel {
  constructor({ header, data }, slots) {
    const value = (k) => header.words[k][1];
    [this.hidden, this.heads, this.width, this.mlp, this.depth, this.context] = [0, 1, 2, 3, 4, 5].map(value);
    this.slots = slots;
    this.unique = value(7);
    [this.isRms, this.isGated, this.isInt8] = [8, 9, 10].map((k) => Boolean(value(k)));
    this.epsilon = value(11);
    this.data = data;
    const words = header.words.map(([, one]) => one);
    this.table = this.matrix(words.slice(12, 17));
    this.head = words[17] === words[12] ? this.table : this.matrix(words.slice(17, 22));
    this.positions = this.floats(words[22], this.context * this.hidden);
    this.turns = this.floats(words[23], this.context * this.width);
    this.normEnd = this.norm(words[24], words[25]);
    this.counts = this.floats(words[26], this.unique);
    const layers = header.layers.map(([, one]) => one);
    this.layers = Array.from({ length: this.depth }, (_, k) => this.layer(layers.slice(k * LAYER, (k + 1) * LAYER)));
    const numbers = this.heads * this.width;
    this.cache = Array.from({ length: this.depth * slots * 2 }, () => new Float32Array(this.context * numbers));
    this.states = [];
    this.found = [];
  }

  layer([attention, attentionBias, both, mlp, mlpBias, ...matrices]) {
    const [qkv, out, up, down] = [0, 5, 10, 15].map((k) => this.matrix(matrices.slice(k, k + 5)));
    return {
      attention: this.norm(attention, attentionBias), both: this.floats(both, 2 * this.width),
      mlp: this.norm(mlp, mlpBias), qkv, out, up, down,
    };
  }

  floats(offset, count) {
    return offset < 0 ? null : new Float32Array(this.data.slice(offset, offset + 4 * count).buffer);
  }

  norm(gain, bias) {
    return { gain: this.floats(gain, this.hidden), bias: this.floats(bias, this.hidden) };
  }

  // Row after row, in fp32.
  matrix([at, scalesAt, biasAt, rows, inputs]) {
    const weights = new Float32Array(rows * inputs), scales = this.floats(scalesAt, rows);
    const together = this.isInt8 ? 16 : 8, size = this.isInt8 ? 1 : 2;
    const copy = this.data.slice(at, at + rows * inputs * size).buffer;
    const stored = this.isInt8 ? new Int8Array(copy) : new Uint16Array(copy);
    let from = 0;
    for (let tile = 0; tile < rows; tile += 4) {
      for (let k = 0; k < inputs; k += together) {
        for (let row = tile; row < tile + 4; row += 1) {
          for (let n = 0; n < together; n += 1, from += 1) {
            weights[row * inputs + k + n] = scales ? stored[from] * scales[row] : TO_FLOAT[stored[from]];
          }
        }
      }
    }
    return { weights, bias: this.floats(biasAt, rows), rows, inputs };
  }

  feed(columns) {
    this.states = columns.map(([row, slot, position]) => this.column(row, slot, position));
  }

  // See kernel.js; here memory is no matter, so a borrowed beginning is copied at once.
  borrow(from, to, positions) {
    const numbers = positions * this.heads * this.width;
    for (let layer = 0; layer < this.depth; layer += 1) {
      for (const which of [0, 1]) {
        this.cached(layer, to, which).set(this.cached(layer, from, which).subarray(0, numbers));
      }
    }
  }

  own() {}

  logits(first, count) {
    this.found = this.states.slice(first, first + count).map((state) =>
      product(this.head, this.normed(state, this.normEnd)).subarray(0, this.unique));
    return this.found;
  }

  sums(k, temperature = 1) {
    const logits = this.found[k];
    let peak = -Infinity, total = 0, spread = 0;
    for (const logit of logits) peak = Math.max(peak, logit);
    for (let row = 0; row < logits.length; row += 1) {
      const below = (logits[row] - peak) / temperature, weight = Math.exp(below) * this.counts[row];
      total += weight;
      spread += weight * below;
    }
    return { peak, total, spread };
  }

  cached(layer, slot, which) {
    return this.cache[(layer * this.slots + slot) * 2 + which];
  }

  column(row, slot, position) {
    const x = this.table.weights.slice(row * this.table.inputs, row * this.table.inputs + this.hidden);
    if (this.positions) for (let k = 0; k < this.hidden; k += 1) x[k] += this.positions[position * this.hidden + k];
    this.layers.forEach((layer, number) => {
      const qkv = product(layer.qkv, this.normed(x, layer.attention));
      const seen = this.attend(number, layer, qkv, slot, position);
      add(x, product(layer.out, seen));
      add(x, product(layer.down, this.activated(product(layer.up, this.normed(x, layer.mlp)), layer.down.inputs)));
    });
    return x;
  }

  normed(x, { gain, bias }) {
    const n = this.hidden, found = new Float32Array(Math.ceil(n / 16) * 16);
    let mean = 0, squares = 0;
    if (!this.isRms) {
      for (const one of x) mean += one;
      mean /= n;
    }
    for (const one of x) squares += (one - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / n + this.epsilon);
    for (let k = 0; k < n; k += 1) found[k] = (x[k] - mean) * scale * gain[k] + (bias ? bias[k] : 0);
    return found;
  }

  // One head's query or key: its norm, and its turn to the position.
  placed(x, at, gain, position) {
    const n = this.width, found = x.slice(at, at + n);
    if (gain) {
      const squares = found.reduce((sum, one) => sum + one * one, 0);
      const scale = 1 / Math.sqrt(squares / n + this.epsilon);
      for (let k = 0; k < n; k += 1) found[k] *= scale * gain[k];
    }
    for (let k = 0; this.turns && k < n; k += 2) {
      const cosine = this.turns[position * n + k], sine = this.turns[position * n + k + 1];
      const [real, imaginary] = [found[k], found[k + 1]];
      found[k] = real * cosine - imaginary * sine;
      found[k + 1] = real * sine + imaginary * cosine;
    }
    return found;
  }

  attend(number, { both, out }, qkv, slot, position) {
    const { heads, width } = this, all = heads * width, found = new Float32Array(out.inputs);
    const keys = this.cached(number, slot, 0), values = this.cached(number, slot, 1);
    const gains = both ? [both.subarray(0, width), both.subarray(width)] : [null, null];
    for (let h = 0; h < heads; h += 1) {
      keys.set(this.placed(qkv, all + h * width, gains[1], position), position * all + h * width);
    }
    values.set(qkv.subarray(2 * all, 3 * all), position * all);
    const scores = new Float64Array(position + 1), scale = 1 / Math.sqrt(width);
    for (let h = 0; h < heads; h += 1) {
      const query = this.placed(qkv, h * width, gains[0], position);
      let peak = -Infinity, total = 0;
      for (let p = 0; p <= position; p += 1) {
        let sum = 0;
        for (let k = 0; k < width; k += 1) sum += query[k] * keys[p * all + h * width + k];
        scores[p] = sum * scale;
        peak = Math.max(peak, scores[p]);
      }
      for (let p = 0; p <= position; p += 1) total += scores[p] = Math.exp(scores[p] - peak);
      for (let p = 0; p <= position; p += 1) {
        const weight = scores[p] / total;
        for (let k = 0; k < width; k += 1) found[h * width + k] += weight * values[p * all + h * width + k];
      }
    }
    return found;
  }

  activated(up, room) {
    const found = new Float32Array(room);
    for (let k = 0; k < room; k += 1) {
      const x = up[k];
      if (this.isGated) found[k] = (x / (1 + Math.exp(-x))) * up[room + k];
      else found[k] = 0.5 * x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    }
    return found;
  }
}

function product({ weights, bias, rows, inputs }, x) {
  const found = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let a = 0, b = 0, c = 0, d = 0;
    for (let k = 0, at = row * inputs; k < inputs; k += 4, at += 4) {
      a += weights[at] * x[k];
      b += weights[at + 1] * x[k + 1];
      c += weights[at + 2] * x[k + 2];
      d += weights[at + 3] * x[k + 3];
    }
    found[row] = a + b + (c + d) + (bias ? bias[row] : 0);
  }
  return found;
}

function add(x, y) {
  for (let k = 0; k < x.length; k += 1) x[k] += y[k];
}
