// BatchNorm over a batch, ReLU and, where `places` is given, the largest of each 2 x 2 values.
//
// Sergey Ioffe and Christian Szegedy, Batch Normalization, 2015. With x' = (x - mean) / deviation and g the gradient
// that ReLU and pooling let through, the gradient of x is scale / deviation (g - mean(g) - x' mean(g x')).

#include <cmath>
#include <vector>

#include "lanes.h"

// What each channel is multiplied by, and what is added: a block of channels each.
struct Line {
    std::vector<Floats> factor, offset;
};

template <class Value>  // Value: channel -> float
static Floats gather(int64_t start, Value value) {
    Floats values;
    for (int lane = 0; lane < LANES; lane++) values[lane] = value(start + lane);
    return values;
}

static Line normalising(const float* mean, const float* inverse, const float* scale, const float* shift, int64_t C) {
    Line line;
    for (int64_t b = 0; b < blocks(C); b++) {
        int64_t c = block_start(b, C);
        line.factor.push_back(load(scale + c) * load(inverse + c));
        line.offset.push_back(load(shift + c) - load(mean + c) * line.factor.back());
    }
    return line;
}

// Two sums over all places of each channel: visit(image, block, sums) adds an image's. Summed in a fixed order.
template <class Visit>
static std::vector<Floats> summed(int64_t n, int64_t C, int64_t threads, Visit visit) {
    int64_t count = blocks(C) * 2;
    std::vector<Floats> all(threads * count);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t t = 0; t < threads; t++)
        for (int64_t i = t * n / threads; i < (t + 1) * n / threads; i++)
            for (int64_t b = 0; b < blocks(C); b++) {
                Floats sums[2] = {};
                visit(i, b, sums);
                for (int k = 0; k < 2; k++) all[t * count + b * 2 + k] += sums[k];
            }
    for (int64_t t = 1; t < threads; t++)
        for (int64_t k = 0; k < count; k++) all[k] += all[t * count + k];
    all.resize(count);
    return all;
}

template <class T>
static void measure(const T* x, float eps, float momentum, float* running_mean, float* running_variance, float* mean,
                    float* inverse, int64_t n, int64_t area, int64_t C, int64_t threads) {
    // about the running mean, near which the mean will be: so the difference of large squares keeps its digits
    std::vector<Floats> sums = summed(n, C, threads, [=](int64_t i, int64_t b, Floats* sums) {
        int64_t c = block_start(b, C);
        Floats about = load(running_mean + c), sum[4] = {}, squares[4] = {};  // four chains hide the adders' latency
        const T* q = x + i * area * C + c;
        for (int64_t p = 0; p < area; p += 4)
            for (int chain = 0; chain < 4; chain++) {
                Floats v = p + chain < area ? load(q + (p + chain) * C) - about : Floats{};
                sum[chain] += v;
                squares[chain] += v * v;
            }
        sums[0] = sum[0] + sum[1] + (sum[2] + sum[3]);
        sums[1] = squares[0] + squares[1] + (squares[2] + squares[3]);
    });
    float count = n * area;
    for (int64_t c = 0; c < C; c++) {
        int64_t b = c / LANES, lane = c - block_start(b, C);
        float off = sums[b * 2][lane] / count, variance = sums[b * 2 + 1][lane] / count - off * off;
        mean[c] = running_mean[c] + off;
        inverse[c] = 1 / std::sqrt((variance < 0 ? 0 : variance) + eps);
        running_mean[c] += momentum * off;
        running_variance[c] += momentum * (variance * count / (count - 1) - running_variance[c]);
    }
}

template <class T>
static void normalise(const T* x, const float* scale, const float* shift, float eps, float momentum,
                      float* running_mean, float* running_variance, float* mean, float* inverse, T* out,
                      uint8_t* places, int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads) {
    measure(x, eps, momentum, running_mean, running_variance, mean, inverse, n, H * W, C, threads);
    Line line = normalising(mean, inverse, scale, shift, C);
    auto at = [&](const T* q, int64_t b) { return load(q) * line.factor[b] + line.offset[b]; };
    if (places) {
        each_square(n, H, W, C, threads, [&](int64_t b, int64_t from, int64_t to) {
            const T* q = x + from;
            Floats four[] = {at(q, b), at(q + C, b), at(q + W * C, b), at(q + W * C + C, b)};
            Ints place;
            store(out + to, largest(four, true, &place));
            store(places + to, place);
        });
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t pixel = 0; pixel < n * H * W; pixel++)
        for (int64_t b = 0; b < blocks(C); b++) {
            int64_t o = pixel * C + block_start(b, C);
            store(out + o, relu(at(x + o, b)));
        }
}

template <class T>
static void normalise_backward(const T* x, const T* grad, const uint8_t* places, const float* scale, const float* shift,
                               const float* mean, const float* inverse, T* grad_x, float* grad_scale, float* grad_shift,
                               int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads) {
    Line line = normalising(mean, inverse, scale, shift, C);
    int64_t h = places ? H / 2 : H, w = places ? W / 2 : W;
    // what comes through ReLU and pooling: unpooled to the value itself, else to one of four
    auto through = [&](Floats value, Floats g, int64_t b) {
        return value * line.factor[b] + line.offset[b] <= 0 ? Floats{} : g;
    };
    std::vector<Floats> sums = summed(n, C, threads, [&](int64_t i, int64_t b, Floats* sums) {
        int64_t c = block_start(b, C), area = h * w;
        Floats middle = load(mean + c), all[4] = {}, products[4] = {};
        if (!places) {
            for (int64_t p = 0; p < area; p += 4)
                for (int chain = 0; chain < 4; chain++) {
                    if (p + chain >= area) break;
                    int64_t o = (i * area + p + chain) * C + c;
                    Floats value = load(x + o), g = through(value, load(grad + o), b);
                    all[chain] += g;
                    products[chain] += g * (value - middle);
                }
        } else
            for (int64_t row = 0; row < h; row++)
                for (int64_t col = 0; col < w; col++) {
                    int64_t o = ((i * h + row) * w + col) * C + c;
                    const T* q = x + ((i * H + row * 2) * W + col * 2) * C + c;
                    Ints at = load(places + o);
                    Floats g = at == NOWHERE ? Floats{} : load(grad + o);
                    Floats left = at == 0 ? load(q) : load(q + C),
                           right = at == 2 ? load(q + W * C) : load(q + W * C + C);
                    all[0] += g;
                    products[0] += g * ((at < 2 ? left : right) - middle);
                }
        sums[0] = (all[0] + all[1]) + (all[2] + all[3]);
        sums[1] = (products[0] + products[1]) + (products[2] + products[3]);
    });
    float count = n * H * W;
    Line rest;  // the gradient of x is line.factor * g + rest.factor * x + rest.offset
    for (int64_t b = 0; b < blocks(C); b++) {
        int64_t c = block_start(b, C);
        Floats inverse_of = load(inverse + c),
               slope = -line.factor[b] * inverse_of * inverse_of * sums[b * 2 + 1] / count;
        rest.factor.push_back(slope);
        rest.offset.push_back(-line.factor[b] * sums[b * 2] / count - slope * load(mean + c));
        store(grad_scale + c, sums[b * 2 + 1] * inverse_of);
        store(grad_shift + c, sums[b * 2]);
    }
    auto write = [&](int64_t o, Floats value, Floats g, int64_t b) {
        store(grad_x + o, line.factor[b] * g + rest.factor[b] * value + rest.offset[b]);
    };
    if (!places) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t pixel = 0; pixel < n * H * W; pixel++)
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t o = pixel * C + block_start(b, C);
                Floats value = load(x + o);
                write(o, value, through(value, load(grad + o), b), b);
            }
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < n * H; row++)
        for (int64_t col = 0; col < W; col++) {
            int64_t y = row % H, pixel = (row * W + col) * C;
            bool pooled = y / 2 < h && col / 2 < w;  // an odd last row or column is in no square of four
            int64_t square = pooled ? ((row / H * h + y / 2) * w + col / 2) * C : 0;
            int32_t place = y % 2 * 2 + col % 2;
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t c = block_start(b, C);
                Floats g = {};
                if (pooled) g = load(places + square + c) == place ? load(grad + square + c) : g;
                write(pixel + c, load(x + pixel + c), g, b);
            }
        }
}

#define NORMALISATION(T)                                                                                               \
    void normalise_##T(const T* x, const float* scale, const float* shift, float eps, float momentum,                  \
                       float* running_mean, float* running_variance, float* mean, float* inverse, T* out,              \
                       uint8_t* places, int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads) {                 \
        normalise(x, scale, shift, eps, momentum, running_mean, running_variance, mean, inverse, out, places, n, H, W, \
                  C, threads);                                                                                         \
    }                                                                                                                  \
    void normalise_backward_##T(const T* x, const T* grad, const uint8_t* places, const float* scale,                  \
                                const float* shift, const float* mean, const float* inverse, T* grad_x,                \
                                float* grad_scale, float* grad_shift, int64_t n, int64_t H, int64_t W, int64_t C,      \
                                int64_t threads) {                                                                     \
        normalise_backward(x, grad, places, scale, shift, mean, inverse, grad_x, grad_scale, grad_shift, n, H, W, C,   \
                           threads);                                                                                   \
    }

extern "C" {
NORMALISATION(float)
NORMALISATION(bfloat16)
}
