// Some channels of a feature map at once: as many as a register of the processor holds.
//
// Feature maps lie as (N, H, W, C) in float or bfloat16 and are computed in float. C is at least LANES, and the last
// LANES of C channels may overlap those before them: both then compute and write the same.

#pragma once
#include <cstdint>
#include <cstring>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

using Floats = float __attribute__((vector_size(LANES * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(LANES * sizeof(int32_t))));
using Words = uint32_t __attribute__((vector_size(LANES * sizeof(uint32_t))));
using Halves = uint16_t __attribute__((vector_size(LANES * sizeof(uint16_t))));
using Bytes = uint8_t __attribute__((vector_size(LANES)));
constexpr int NOWHERE = 4;  // the place of the largest of 2 x 2 values, 0..3, if ReLU let none through

struct bfloat16 {
    uint16_t bits;
};

inline Floats load(const float* from) {
    Floats values;
    memcpy(&values, from, sizeof values);
    return values;
}

inline Floats load(const bfloat16* from) {
    Halves bits;
    memcpy(&bits, from, sizeof bits);
    return (Floats)(__builtin_convertvector(bits, Words) << 16);
}

inline Ints load(const uint8_t* from) {
    Bytes bytes;
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, Ints);
}

inline void store(float* to, Floats values) { memcpy(to, &values, sizeof values); }

inline void store(bfloat16* to, Floats values) {
#ifdef __AVX512BF16__
    Halves upper = (Halves)_mm512_cvtneps_pbh((__m512)values);
#else
    Words bits = (Words)values, number = (Words)(values == values);
    bits += number & (0x7fff + ((bits >> 16) & 1));  // to the nearest, ties to even; what is not a number stays so
    Halves upper = __builtin_convertvector(bits >> 16, Halves);
#endif
    memcpy(to, &upper, sizeof upper);
}

inline void store(uint8_t* to, Ints values) {
    Bytes bytes = __builtin_convertvector(values, Bytes);
    memcpy(to, &bytes, sizeof bytes);
}

inline int64_t blocks(int64_t channels) { return (channels + LANES - 1) / LANES; }
inline int64_t block_start(int64_t block, int64_t channels) {
    return block * LANES + LANES <= channels ? block * LANES : channels - LANES;
}

inline Floats relu(Floats x) { return x <= 0 ? Floats{} : x; }  // what is not a number stays so

// The largest of four and its place. As in torch: of equals the first, and what is not a number wins.
inline Floats largest(const Floats* four, bool with_relu, Ints* place) {
    Floats most = four[0];
    Ints at = {};
    for (int p = 1; p < 4; p++) {
        Ints more = (four[p] > most) | (four[p] != four[p]);
        most = more ? four[p] : most;
        at = more ? Ints{} + p : at;
    }
    if (with_relu) {
        at = most <= 0 ? Ints{} + NOWHERE : at;
        most = relu(most);
    }
    *place = at;
    return most;
}

// Each 2 x 2 values of maps (n, H, W, C), LANES channels at once: visit(block, where the first of the four is, where
// their result goes). An odd last row or column is in no square.
template <class Visit>
void each_square(int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads, Visit visit) {
    int64_t h = H / 2, w = W / 2;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < n * h; row++)
        for (int64_t col = 0; col < w; col++)
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t c = block_start(b, C);
                visit(b, ((row / h * H + row % h * 2) * W + col * 2) * C + c, (row * w + col) * C + c);
            }
}
