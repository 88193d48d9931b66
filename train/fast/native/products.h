// Products of matrices in float, and in bfloat16 with sums in float on processors that have AVX512-BF16.
//
// Their instruction multiplies pairs and adds both products. So what is summed over lies in units, of two numbers in
// bfloat16, of one in float: of numbers 2k and 2k + 1 of a row of the first matrix; of rows 2k and 2k + 1 of the
// second, whose columns stand in blocks.

#pragma once
#include <algorithm>
#include <array>
#include <utility>

#include "lanes.h"

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

template <class T>
struct Unit;

template <>
struct Unit<float> {
    using Bits = float;
    using Column = Floats;
    static constexpr int NUMBERS = 1;

    static Column column(const Bits* from) { return load(from); }
    static void add(Floats& sum, Bits unit, Column column) { sum += unit * column; }
    static void store(Bits* to, const Floats* rows, int) { ::store(to, rows[0]); }
};

#ifdef __AVX512BF16__
template <>
struct Unit<bfloat16> {
    using Bits = uint32_t __attribute__((may_alias));
    using Column = __m512bh;
    static constexpr int NUMBERS = 2;

    static Column column(const Bits* from) { return (Column)_mm512_loadu_si512(from); }
    static void add(Floats& sum, Bits unit, Column column) {
        sum = (Floats)_mm512_dpbf16_ps((__m512)sum, (Column)_mm512_set1_epi32(unit), column);
    }
    // Sixteen numbers of a row and of the next, which stands so much further, pair by pair.
    static void store(Bits* to, const Floats* rows, int next) {
        __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)rows[next], (__m512)rows[0]);
        _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, both));
    }
};
#endif

template <class T>
using Bits = typename Unit<T>::Bits;

template <class T>
inline int64_t units(int64_t count) {
    return (count + Unit<T>::NUMBERS - 1) / Unit<T>::NUMBERS;
}

template <class T>
struct Left {  // the first matrix: where it begins, and how far apart its rows and its units are
    const Bits<T>* at;
    int64_t row, step;
};

// R rows by N blocks of columns: as many sums as the registers hold.
template <class T, int R, int N>
static void piece(Left<T> left, const Bits<T>* right, float* out, int64_t out_row, int64_t steps, int64_t width,
                  bool add) {
    Floats sums[R][N];
    for (int r = 0; r < R; r++)
        for (int b = 0; b < N; b++) sums[r][b] = add ? load(out + r * out_row + b * LANES) : Floats{};
    for (int64_t k = 0; k < steps; k++) {
        typename Unit<T>::Column columns[N];
        for (int b = 0; b < N; b++) columns[b] = Unit<T>::column(right + (k * width + b) * LANES);
        for (int r = 0; r < R; r++)
            for (int b = 0; b < N; b++) Unit<T>::add(sums[r][b], left.at[r * left.row + k * left.step], columns[b]);
    }
    for (int r = 0; r < R; r++)
        for (int b = 0; b < N; b++) store(out + r * out_row + b * LANES, sums[r][b]);
}

// N blocks of columns, the rows in equal pieces.
template <class T, int N, int... R>
static void columns(std::integer_sequence<int, R...>, int64_t rows, Left<T> left, const Bits<T>* right, float* out,
                    int64_t out_row, int64_t steps, int64_t width, bool add) {
    constexpr std::array pieces{piece<T, R + 1, N>...};
    int64_t most = sizeof...(R), count = (rows + most - 1) / most;
    for (int64_t p = 0; p < count; p++) {
        int64_t from = p * rows / count, to = (p + 1) * rows / count;
        Left<T> here{left.at + from * left.row, left.row, left.step};
        pieces[to - from - 1](here, right, out + from * out_row, out_row, steps, width, add);
    }
}

// out (rows, width * LANES) = left (rows, steps units) times right (steps units, width * LANES), or is added to.
template <class T, int N = REGISTERS / 8>
static void multiply(int64_t rows, Left<T> left, const Bits<T>* right, float* out, int64_t out_row, int64_t steps,
                     int64_t width, bool add = false, int64_t block = 0) {
    constexpr std::make_integer_sequence<int, std::min(12, (REGISTERS - 2 - N) / N)> most_rows;
    for (; block + N <= width; block += N)
        columns<T, N>(most_rows, rows, left, right + block * LANES, out + block * LANES, out_row, steps, width, add);
    if constexpr (N > 1)
        if (block < width) multiply<T, N - 1>(rows, left, right, out, out_row, steps, width, add, block);
}
