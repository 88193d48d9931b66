// Winograd's convolution of 3 x 3: tiles of 2 x 2 results, computed in 16 points instead of 36 products.
//
// Andrew Lavin and Scott Gray, Fast Algorithms for Convolutional Neural Networks, 2015: F(2 x 2, 3 x 3). A tile's 2 x 2
// results depend on 4 x 4 inputs d and on the filter g. Both are turned into points, V = B'dB and U = GgG'; what is
// multiplied point by point and summed over the channels, M = UV, turned back gives the results A'MA. Gradients take
// the same way back: from results f to points AfA', and from there to inputs and filters.

#pragma once
#include <algorithm>

#include "lanes.h"
#include "room.h"

constexpr int POINTS = 16;

// G and its like: what becomes of a column, or a row, of numbers that lie s apart.
struct InputPoints {  // B'
    static constexpr int FROM = 4, TO = 4;
    static void turn(const Floats* d, int s, Floats* v, int t) {
        v[0] = d[0] - d[2 * s], v[t] = d[s] + d[2 * s], v[2 * t] = d[2 * s] - d[s], v[3 * t] = d[s] - d[3 * s];
    }
};

struct FilterPoints {  // G
    static constexpr int FROM = 3, TO = 4;
    static void turn(const Floats* g, int s, Floats* u, int t) {
        Floats ends = (g[0] + g[2 * s]) * 0.5f, middle = g[s] * 0.5f;
        u[0] = g[0], u[t] = ends + middle, u[2 * t] = ends - middle, u[3 * t] = g[2 * s];
    }
};

struct Results {  // A'
    static constexpr int FROM = 4, TO = 2;
    static void turn(const Floats* m, int s, Floats* f, int t) {
        f[0] = m[0] + m[s] + m[2 * s], f[t] = m[s] - m[2 * s] - m[3 * s];
    }
};

struct InputGradients {  // B
    static constexpr int FROM = 4, TO = 4;
    static void turn(const Floats* v, int s, Floats* d, int t) {
        d[0] = v[0], d[t] = v[s] - v[2 * s] + v[3 * s], d[2 * t] = v[s] + v[2 * s] - v[0], d[3 * t] = -v[3 * s];
    }
};

struct FilterGradients {  // G'
    static constexpr int FROM = 4, TO = 3;
    static void turn(const Floats* u, int s, Floats* g, int t) {
        Floats sum = (u[s] + u[2 * s]) * 0.5f;
        g[0] = u[0] + sum, g[t] = (u[s] - u[2 * s]) * 0.5f, g[2 * t] = sum + u[3 * s];
    }
};

struct ResultGradients {  // A
    static constexpr int FROM = 2, TO = 4;
    static void turn(const Floats* f, int s, Floats* d, int t) {
        d[0] = f[0], d[t] = f[0] + f[s], d[2 * t] = f[0] - f[s], d[3 * t] = -f[s];
    }
};

template <class How>
static inline void turned(const Floats* from, Floats* to) {
    Floats half[How::TO * How::FROM];
    for (int x = 0; x < How::FROM; x++) How::turn(from + x, How::FROM, half + x, How::FROM);
    for (int y = 0; y < How::TO; y++) How::turn(half + y * How::FROM, 1, to + y * How::TO, 1);
}

// A matrix of `count` numbers for each point. They are not multiples of 4 KB apart, or all would want the same few
// places of the cache.
template <class T>
struct Points {
    int64_t step;
    Room<T> all;

    Points(int64_t count) : step((count + 63) / 64 * 64 + 64 / sizeof(T)), all(room<T>(POINTS * step)) {}
    T* operator[](int point) const { return all.get() + point * step; }
    void clear() { memset((void*)all.get(), 0, POINTS * step * sizeof(T)); }
};

struct Layer {
    int64_t n, H, W, inputs, outputs, padding;
    bool pool;

    int64_t out_H() const { return H + 2 * padding - 2; }
    int64_t out_W() const { return W + 2 * padding - 2; }
    int64_t rows() const { return (out_H() + !pool) / 2; }  // of tiles; pooling leaves an odd last row or column out
    int64_t cols() const { return (out_W() + !pool) / 2; }
    int64_t tiles() const { return rows() * cols(); }

    // Number of a thread's first tile: whole images each.
    int64_t first(int64_t thread, int64_t threads) const { return thread * n / threads * tiles(); }
};

struct Tile {
    const Layer& layer;
    int64_t image, row, col;

    Tile(const Layer& layer, int64_t number)
        : layer(layer),
          image(number / layer.tiles()),
          row(number % layer.tiles() / layer.cols()),
          col(number % layer.tiles() % layer.cols()) {}

    bool is_last() const { return row + 1 == layer.rows() && col + 1 == layer.cols(); }
    int64_t pooled() const { return (image * layer.rows() + row) * layer.cols() + col; }

    // Where result 0..3 belongs; -1 if it is beyond the border.
    int64_t result(int p) const {
        int64_t y = row * 2 + p / 2, x = col * 2 + p % 2;
        return y < layer.out_H() && x < layer.out_W() ? (image * layer.out_H() + y) * layer.out_W() + x : -1;
    }
};

// The 4 x 4 inputs of a tile, and how far apart their rows are. At the border a copy of them, with zeros around.
template <class T>
struct Patch {
    const T* at;
    int64_t channels, row;

    Patch() = default;
    Patch(const Tile& tile, const T* x, T* copy) : channels(tile.layer.inputs) {
        int64_t H = tile.layer.H, W = tile.layer.W;
        int64_t top = tile.row * 2 - tile.layer.padding, left = tile.col * 2 - tile.layer.padding;
        x += tile.image * H * W * channels;
        if (top >= 0 && left >= 0 && top + 4 <= H && left + 4 <= W) {
            at = x + (top * W + left) * channels, row = W * channels;
            return;
        }
        at = copy, row = 4 * channels;
        memset((void*)copy, 0, 4 * row * sizeof(T));
        int64_t from = std::max<int64_t>(left, 0), size = (std::min(left + 4, W) - from) * channels * sizeof(T);
        for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + 4, H); y++)
            memcpy((void*)(copy + (y - top) * row + (from - left) * channels), x + (y * W + from) * channels, size);
    }

    void points(int64_t channel, Floats* points) const {
        Floats d[16];
        for (int k = 0; k < 16; k++) d[k] = load(at + k / 4 * row + k % 4 * channels + channel);
        turned<InputPoints>(d, points);
    }
};
