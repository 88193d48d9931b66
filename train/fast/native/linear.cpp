// A fully connected layer in bfloat16, with the flattening before it and, if asked for, the ReLU after it.
//
// Flattening turns feature maps that lie as (H, W, C) into (C, H, W), as the weights have it. With small batches the
// weights take more time on their way to the processor than in it: each is read once each way, and becomes bfloat16
// there.

#ifdef __AVX512BF16__

#include <algorithm>

#include "products.h"
#include "room.h"

using Number = bfloat16;
using Pair = Bits<Number>;
constexpr int64_t ROWS = 6;   // of the weights at a time, on the way forward
constexpr int64_t CHUNK = 8;  // blocks of inputs at a time, on the way back

inline int64_t padded(int64_t count) { return blocks(count) * LANES; }

// Room for a flattened image: rows that lie 4 KB apart would want the same places of the cache.
extern "C" int64_t flat_row(int64_t inputs) { return padded(inputs) + 2 * LANES; }

template <class T>
inline Floats load_some(const T* from, int64_t count) {
    if (count >= LANES) return load(from);
    T some[LANES] = {};
    for (int64_t lane = 0; lane < count; lane++) some[lane] = from[lane];
    return load(some);
}

// 8 x 8 numbers, of rows that lie so far apart.
static void transpose_square(const Number* from, int64_t from_row, Number* to, int64_t to_row) {
    __m128i a[8], b[8];
    for (int k = 0; k < 8; k++) a[k] = _mm_loadu_si128((const __m128i*)(from + k * from_row));
    for (int k = 0; k < 4; k++)
        b[k * 2] = _mm_unpacklo_epi16(a[k], a[k + 4]), b[k * 2 + 1] = _mm_unpackhi_epi16(a[k], a[k + 4]);
    for (int k = 0; k < 4; k++)
        a[k * 2] = _mm_unpacklo_epi16(b[k], b[k + 4]), a[k * 2 + 1] = _mm_unpackhi_epi16(b[k], b[k + 4]);
    for (int k = 0; k < 4; k++)
        b[k * 2] = _mm_unpacklo_epi16(a[k], a[k + 4]), b[k * 2 + 1] = _mm_unpackhi_epi16(a[k], a[k + 4]);
    for (int k = 0; k < 8; k++) _mm_storeu_si128((__m128i*)(to + k * to_row), b[k]);
}

// (rows, columns) -> (columns, rows), whose rows lie that far apart
static void transpose(const Number* from, int64_t from_row, Number* to, int64_t to_row, int64_t rows, int64_t columns) {
    if (rows < 8 || columns < 8) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) to[c * to_row + r] = from[r * from_row + c];
        return;
    }
    for (int64_t r = 0; r < rows; r += 8)
        for (int64_t c = 0; c < columns; c += 8) {
            int64_t y = std::min(r, rows - 8), x = std::min(c, columns - 8);  // the last may overlap those before
            transpose_square(from + y * from_row + x, from_row, to + x * to_row + y, to_row);
        }
}

extern "C" void linear_bfloat16(const Number* x, const float* weight, const float* bias, Number* flat, Number* out,
                       int64_t with_relu, int64_t n, int64_t pixels, int64_t channels, int64_t outputs,
                       int64_t threads) {
    int64_t inputs = pixels * channels, row = flat_row(inputs), steps = units<Number>(inputs),
            width = blocks(n);
    auto images = room<Pair>(steps * width * LANES);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            transpose(x + i * inputs, channels, flat + i * row, pixels, pixels, channels);
            std::fill(flat + i * row + inputs, flat + (i + 1) * row, Number{});
        }
#pragma omp for schedule(static)
        for (int64_t k = 0; k < steps; k++)
            for (int64_t i = 0; i < width * LANES; i++)
                images[k * width * LANES + i] = i < n ? ((const Pair*)(flat + i * row))[k] : 0;
        auto weights = room<Number>(ROWS * row), results = room<Number>(width * LANES);
        auto sums = room<float>(ROWS * width * LANES);
#pragma omp for schedule(static)
        for (int64_t start = 0; start < outputs; start += ROWS) {
            int64_t count = std::min(ROWS, outputs - start);
            for (int64_t r = 0; r < count; r++)
                for (int64_t k = 0; k < inputs; k += LANES)
                    store(weights.get() + r * row + k, load_some(weight + (start + r) * inputs + k, inputs - k));
            Left<Number> left{(Pair*)weights.get(), row / 2, 1};
            multiply<Number>(count, left, images.get(), sums.get(), width * LANES, steps, width);
            for (int64_t r = 0; r < count; r++) {
                for (int64_t b = 0; b < width; b++) {
                    Floats values = load(sums.get() + (r * width + b) * LANES) + bias[start + r];
                    store(results.get() + b * LANES, with_relu ? relu(values) : values);
                }
                for (int64_t i = 0; i < n; i++) out[i * outputs + start + r] = results[i];
            }
        }
    }
}

extern "C" void linear_backward_bfloat16(const Number* flat, const Number* out, const Number* grad, const float* weight,
                                Number* grad_x, float* grad_weight, float* grad_bias, int64_t with_relu, int64_t n,
                                int64_t pixels, int64_t channels, int64_t outputs, int64_t threads) {
    int64_t inputs = pixels * channels, row = flat_row(inputs), g_row = padded(outputs), n_row = padded(n);
    auto by_image = room<Number>(n * g_row), by_output = room<Number>(outputs * n_row),
         grad_flat = room<Number>(n * row);
    auto bias = room<float>(g_row);
    std::fill(bias.get(), bias.get() + g_row, 0.0f);
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < outputs; o += LANES) {
            Floats g = load_some(grad + i * outputs + o, outputs - o);
            if (with_relu) g = load_some(out + i * outputs + o, outputs - o) <= 0 ? Floats{} : g;
            store(by_image.get() + i * g_row + o, g);
            store(bias.get() + o, load(bias.get() + o) + g);
        }
    std::copy(bias.get(), bias.get() + outputs, grad_bias);
    std::fill(by_output.get(), by_output.get() + outputs * n_row, Number{});
    transpose(by_image.get(), g_row, by_output.get(), n_row, n, outputs);
#pragma omp parallel num_threads(threads)
    {
        auto images = room<Pair>(n_row / 2 * CHUNK * LANES), weights = room<Pair>(g_row / 2 * CHUNK * LANES);
        auto sums = room<float>(std::max(n, outputs) * CHUNK * LANES);
        // rows 2k and 2k + 1 of some blocks side by side; beyond the last row are zeros
        auto pair_up = [](auto* from, int64_t from_row, int64_t rows, int64_t count, Pair* to) {
            int64_t width = blocks(count);
            for (int64_t k = 0; k < rows; k += 2)
                for (int64_t b = 0; b < width; b++, to += LANES) {
                    auto first = from + k * from_row + b * LANES;
                    Floats two[2] = {load_some(first, count - b * LANES)};
                    if (k + 1 < rows) two[1] = load_some(first + from_row, count - b * LANES);
                    Unit<Number>::store(to, two, 1);
                }
        };
#pragma omp for schedule(static)
        for (int64_t start = 0; start < inputs; start += CHUNK * LANES) {
            int64_t count = std::min(CHUNK * LANES, inputs - start), width = blocks(count);
            bool whole = count == width * LANES;  // else what is beyond the end would be the next row's
            float* to = whole ? grad_weight + start : sums.get();
            pair_up(flat + start, row, n, count, images.get());
            multiply<Number>(outputs, {(Pair*)by_output.get(), n_row / 2, 1}, images.get(), to,
                             whole ? inputs : width * LANES, units<Number>(n), width);
            for (int64_t o = 0; o < outputs && !whole; o++)
                memcpy(grad_weight + o * inputs + start, to + o * width * LANES, count * sizeof(float));
            pair_up(weight + start, inputs, outputs, count, weights.get());
            multiply<Number>(n, {(Pair*)by_image.get(), g_row / 2, 1}, weights.get(), sums.get(), width * LANES,
                             units<Number>(outputs), width);
            for (int64_t i = 0; i < n; i++)
                for (int64_t b = 0; b < width; b++)
                    store(grad_flat.get() + i * row + start + b * LANES, load(sums.get() + (i * width + b) * LANES));
        }
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++)
            transpose(grad_flat.get() + i * row, pixels, grad_x + i * inputs, channels, channels, pixels);
    }
}

#endif
