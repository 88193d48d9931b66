// Products of matrices in bfloat16, summed in float, for processors with AVX512-BF16.
//
// The instruction multiplies pairs and adds both products, so what is summed over lies in pairs: numbers 2k and 2k + 1
// of a row of the first matrix; rows 2k and 2k + 1 of the second, whose columns stand in blocks of sixteen.

#pragma once
#include <array>
#include <utility>

#include "lanes.h"

using Pair = uint32_t __attribute__((may_alias));  // two numbers in bfloat16

inline int64_t pairs(int64_t count) { return (count + 1) / 2; }

// Sixteen numbers of a row and of the next, pair by pair.
inline void store_pairs(Pair* to, Floats first, Floats second) {
    __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                     20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, both));
}

struct Left {  // the first matrix: where it begins, and how far apart its rows and its pairs are
    const Pair* at;
    int64_t row, step;
};

// R rows by N blocks of columns: as many sums as the registers hold.
template <int R, int N>
static void piece(Left left, const Pair* right, float* out, int64_t steps, int64_t width, bool add) {
    Floats sums[R][N];
    for (int r = 0; r < R; r++)
        for (int b = 0; b < N; b++) sums[r][b] = add ? load(out + (r * width + b) * LANES) : Floats{};
    for (int64_t k = 0; k < steps; k++) {
        __m512bh columns[N];
        for (int b = 0; b < N; b++) columns[b] = (__m512bh)_mm512_loadu_si512(right + (k * width + b) * LANES);
        for (int r = 0; r < R; r++) {
            __m512bh pair = (__m512bh)_mm512_set1_epi32(left.at[r * left.row + k * left.step]);
            for (int b = 0; b < N; b++) sums[r][b] = (Floats)_mm512_dpbf16_ps((__m512)sums[r][b], pair, columns[b]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int b = 0; b < N; b++) store(out + (r * width + b) * LANES, sums[r][b]);
}

// N blocks of columns, the rows in equal pieces of at most sizeof...(R).
template <int N, int... R>
static void columns(std::integer_sequence<int, R...>, int64_t rows, Left left, const Pair* right, float* out,
                    int64_t steps, int64_t width, bool add) {
    constexpr std::array pieces{piece<R + 1, N>...};
    int64_t most = sizeof...(R), count = (rows + most - 1) / most;
    for (int64_t p = 0; p < count; p++) {
        int64_t from = p * rows / count, to = (p + 1) * rows / count;
        Left here{left.at + from * left.row, left.row, left.step};
        pieces[to - from - 1](here, right, out + from * width * LANES, steps, width, add);
    }
}

// out (rows, width * 16) = left (rows, steps * 2) times right (steps * 2, width * 16), or is added to.
static void multiply(int64_t rows, Left left, const Pair* right, float* out, int64_t steps, int64_t width, bool add) {
    std::make_integer_sequence<int, 12> twelve;
    std::make_integer_sequence<int, 6> six;
    for (int64_t b = 0; b < width; b += 4) {
        const Pair* from = right + b * LANES;
        float* to = out + b * LANES;
        switch (width - b) {
            case 1: columns<1>(twelve, rows, left, from, to, steps, width, add); break;
            case 2: columns<2>(twelve, rows, left, from, to, steps, width, add); break;
            case 3: columns<3>(six, rows, left, from, to, steps, width, add); break;
            default: columns<4>(six, rows, left, from, to, steps, width, add);
        }
    }
}
