// Vectors of one size on every platform: sixteen floats or eight doubles. The compiler cuts them to
// what the processor has, four floats at a time or all sixteen, and lane after lane the arithmetic is
// the same: that is why every platform computes the same bits. Clang and GCC both have them.
//
// Built with -ffp-contract=off: a fused multiply-add would round once where others round twice.

#ifndef VECTOR_H
#define VECTOR_H

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#define INLINE static inline __attribute__((always_inline))
// Unrolls a loop over sums or lanes, which then lie in registers. For WebAssembly the compiler does not do it by
// itself, and a lane with a variable number is a detour through memory.
#define UNROLLED _Pragma("GCC unroll 16")

typedef float four __attribute__((vector_size(16)));
typedef float floats __attribute__((vector_size(64)));
typedef uint32_t words __attribute__((vector_size(64)));
typedef int16_t shorts __attribute__((vector_size(32)));
typedef float eight __attribute__((vector_size(32)));
typedef double doubles __attribute__((vector_size(64)));
typedef int64_t longs __attribute__((vector_size(64)));
typedef int32_t four_whole __attribute__((vector_size(16)));
typedef int32_t eight_whole __attribute__((vector_size(32)));

// Loads and stores take any address.
#define LOADER(type, name) \
  INLINE type name(const void *from) { type x; __builtin_memcpy(&x, from, sizeof x); return x; }
LOADER(four, load_four)
LOADER(floats, load)
LOADER(eight, load_eight)
INLINE void store_four(float *to, four x) { __builtin_memcpy(to, &x, sizeof x); }
INLINE void store(float *to, floats x) { __builtin_memcpy(to, &x, sizeof x); }

INLINE floats all(float x) { return (floats){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
INLINE eight all_eight(float x) { return (eight){x, x, x, x, x, x, x, x}; }
INLINE doubles all_double(double x) { return (doubles){x, x, x, x, x, x, x, x}; }
INLINE floats spread(four x) { // the same four numbers for each of four rows
  return __builtin_shufflevector(x, x, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}
INLINE eight spread_to_two(four x) { return __builtin_shufflevector(x, x, 0, 1, 2, 3, 0, 1, 2, 3); }

// `yes` where a mask has ones, else `no`.
INLINE floats choose(words mask, floats yes, floats no) {
  return (floats)((mask & (words)yes) | (~mask & (words)no));
}
INLINE floats smaller(floats x, floats y) { return choose((words)(x < y), x, y); }
INLINE floats larger(floats x, floats y) { return choose((words)(x > y), x, y); }

// The four sums of four lanes each, always (0 + 1) + (2 + 3).
INLINE four sums_of(floats x) {
  const eight even = __builtin_shufflevector(x, x, 0, 2, 8, 10, 4, 6, 12, 14);
  const eight odd = __builtin_shufflevector(x, x, 1, 3, 9, 11, 5, 7, 13, 15);
  const eight pairs = even + odd; // of rows 0, 2, 1, 3
  const four low = __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6), high = __builtin_shufflevector(pairs, pairs, 1, 3, 5, 7);
  const four sums = low + high;
  return __builtin_shufflevector(sums, sums, 0, 2, 1, 3);
}
INLINE floats join(const four *x) {
  const eight low = __builtin_shufflevector(x[0], x[1], 0, 1, 2, 3, 4, 5, 6, 7);
  const eight high = __builtin_shufflevector(x[2], x[3], 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
INLINE void store_two_sums(float *to, eight x) {
  to[0] = (x[0] + x[1]) + (x[2] + x[3]);
  to[1] = (x[4] + x[5]) + (x[6] + x[7]);
}
INLINE float sum_of(four x) { return (x[0] + x[1]) + (x[2] + x[3]); }

INLINE float largest_of(floats x) { // the lanes of ordinary numbers
  float found = x[0];
  UNROLLED for (int lane = 1; lane < 16; lane++)
    if (x[lane] > found) found = x[lane];
  return found;
}
INLINE four spread_four(float x) { return (four){x, x, x, x}; }

// Sixteen halves as floats. WebAssembly and old x86-64 have no instruction for it: there a half,
// sign-extended, shifted left by 13 and masked, is a float 2^-112 times too small. Exact, subnormals
// too. HALF_SCALE is what the other factor of a product is made larger by, exactly.
#if defined(__F16C__) || defined(__aarch64__)
#define HALF_SCALE 1.0f
INLINE floats load_halves(const int16_t *from) {
  typedef _Float16 halves __attribute__((vector_size(32)));
  halves x;
  __builtin_memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, floats);
}
INLINE eight load_eight_halves(const int16_t *from) {
  typedef _Float16 halves __attribute__((vector_size(16)));
  halves x;
  __builtin_memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, eight);
}
#else
#define HALF_SCALE 0x1p112f
INLINE floats load_halves(const int16_t *from) {
  typedef int32_t wholes __attribute__((vector_size(64)));
  shorts x;
  __builtin_memcpy(&x, from, sizeof x);
  return (floats)(((words)__builtin_convertvector(x, wholes) << 13) & 0x8fffe000u);
}
INLINE eight load_eight_halves(const int16_t *from) {
  typedef int16_t halves __attribute__((vector_size(16)));
  typedef uint32_t bits __attribute__((vector_size(32)));
  halves x;
  __builtin_memcpy(&x, from, sizeof x);
  return (eight)(((bits)__builtin_convertvector(x, eight_whole) << 13) & 0x8fffe000u);
}
#endif

// Products of sixteen int8 and sixteen int16 numbers, in as many sums as a register holds: whole numbers, so that
// their order does not matter.
#if defined(__AVX2__)
typedef eight_whole byte_sums; // lane l has the products 2l and 2l + 1
INLINE byte_sums products_of_bytes(const int8_t *bytes, const int16_t *input) {
  __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)bytes));
  return (byte_sums)_mm256_madd_epi16(wide, _mm256_loadu_si256((const __m256i *)input));
}
INLINE four_whole four_sums(byte_sums sum) {
  return __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
}
#else
typedef four_whole byte_sums; // lane l has the products 2l, 2l + 1, 2l + 8 and 2l + 9
INLINE byte_sums products_of_bytes(const int8_t *bytes, const int16_t *input) {
#if defined(__wasm_simd128__)
  v128_t x = wasm_v128_load(bytes);
  return (byte_sums)wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(x), wasm_v128_load(input)) +
         (byte_sums)wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(x), wasm_v128_load(input + 8));
#else
  byte_sums found;
  for (int lane = 0; lane < 4; lane++) {
    const int k = 2 * lane;
    found[lane] = bytes[k] * input[k] + bytes[k + 1] * input[k + 1] + bytes[k + 8] * input[k + 8] + bytes[k + 9] * input[k + 9];
  }
  return found;
#endif
}
INLINE four_whole four_sums(byte_sums sum) { return sum; }
#endif

// Four rows of sums as floats, four lanes each.
INLINE floats folded(const byte_sums *sum) {
  four rows[4];
  UNROLLED for (int row = 0; row < 4; row++) rows[row] = __builtin_convertvector(four_sums(sum[row]), four);
  return join(rows);
}

// Numbers of at most 15 bits, rounded half to even, as in exponential().
INLINE void store_whole(int16_t *to, floats x) {
  const words shifted = (words)(x + all(12582912.0f)) - (words)all(12582912.0f);
  typedef int32_t wholes __attribute__((vector_size(64)));
  const shorts found = __builtin_convertvector((wholes)shifted, shorts);
  __builtin_memcpy(to, &found, sizeof found);
}

// e^x by Cephes' polynomial (Moshier), within 2 units in the last place. Adding and taking away
// 1.5 * 2^23 rounds to a whole number, half to even, which then is in the lowest bits.
INLINE floats exponential(floats x) {
  const floats magic = all(12582912.0f);
  x = smaller(larger(x, all(-87.3f)), all(88.0f));
  floats shifted = x * all(1.44269504088896341f) + magic, n = shifted - magic;
  x = (x - n * all(0.693359375f)) - n * all(-2.12194440e-4f);
  floats y = all(1.9875691500e-4f);
  y = y * x + all(1.3981999507e-3f);
  y = y * x + all(8.3334519073e-3f);
  y = y * x + all(4.1665795894e-2f);
  y = y * x + all(1.6666665459e-1f);
  y = y * x + all(5.0000001201e-1f);
  y = (y * (x * x) + x) + all(1.0f);
  return y * (floats)(((words)shifted + 127u) << 23);
}

// e^x in double precision for x <= 0; 0 below -700. Taylor's polynomial on |x| <= log(2) / 2, where
// its first missing term is below 1e-17.
INLINE doubles exponential_double(doubles x) {
  const doubles magic = all_double(6755399441055744.0); // 1.5 * 2^52
  longs is_small = (longs)(x < all_double(-700.0));
  x = (doubles)((is_small & (longs)all_double(-700.0)) | (~is_small & (longs)x));
  doubles shifted = x * all_double(1.4426950408889634) + magic, n = shifted - magic;
  x = (x - n * all_double(0.693147180369123816490)) - n * all_double(1.90821492927058770002e-10);
  doubles y = all_double(1.0 / 6227020800);
#define TERM(factorial) y = y * x + all_double(1.0 / factorial)
  TERM(479001600); TERM(39916800); TERM(3628800); TERM(362880); TERM(40320); TERM(5040);
  TERM(720); TERM(120); TERM(24); TERM(6); TERM(2); TERM(1); TERM(1);
#undef TERM
  typedef uint64_t bits __attribute__((vector_size(64)));
  y = y * (doubles)(((bits)shifted + 1023u) << 52);
  return (doubles)(~is_small & (longs)y);
}
INLINE double exp_of(double x) { return exponential_double(all_double(x))[0]; }

INLINE doubles not_below(doubles x, double least) {
  const longs is_below = (longs)(x < all_double(least));
  return (doubles)((is_below & (longs)all_double(least)) | (~is_below & (longs)x));
}
INLINE double sum_of_doubles(doubles x) { return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])); }

// The logarithm of a normal number: 2 atanh((m - 1) / (m + 1)) of its fraction m in [0.7, 1.42).
INLINE double log_of(double x) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, 8);
  const uint64_t half = 0x3fe6a09e667f3bcd; // sqrt(1/2)
  const int64_t exponent = (int64_t)(bits - half) >> 52;
  bits -= (uint64_t)exponent << 52;
  double m;
  __builtin_memcpy(&m, &bits, 8);
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * square;
  return (double)exponent * 1.90821492927058770002e-10 + (2 * s * sum + 2 * s) +
         (double)exponent * 0.693147180369123816490;
}

#endif
