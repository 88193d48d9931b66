// The first layers of a network in one: convolution of pictures of one channel, with as much padding as keeps their
// size, ReLU, and the largest of each 2 x 2 values. The feature maps before the pooling are never written.

#include <vector>

#include "lanes.h"

// A picture (H, W) with its padding around it, and one row and column more for the last places.
static std::vector<float> padded(const float* picture, int64_t H, int64_t W, int K) {
    int64_t side = W + K - 1;
    std::vector<float> frame((H + K - 1) * side);
    for (int64_t y = 0; y < H; y++) memcpy(&frame[(y + K / 2) * side + K / 2], picture + y * W, W * sizeof(float));
    return frame;
}

template <int K, class T>
static void convolve_pool(const float* x, const float* weight, const float* bias, T* out, uint8_t* places, int64_t n,
                          int64_t H, int64_t W, int64_t C, int64_t threads) {
    int64_t h = H / 2, w = W / 2, side = W + K - 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        std::vector<float> frame = padded(x + i * H * W, H, W, K);
        for (int64_t b = 0; b < blocks(C); b++) {
            int64_t c = block_start(b, C);
            Floats filter[K][K], bias_of = load(bias + c);
            for (int k = 0; k < K * K; k++)
                for (int lane = 0; lane < LANES; lane++) filter[k / K][k % K][lane] = weight[(c + lane) * K * K + k];
            for (int64_t row = 0; row < h; row++)
                for (int64_t col = 0; col < w; col++) {
                    const float* q = &frame[row * 2 * side + col * 2];
                    Floats four[] = {bias_of, bias_of, bias_of, bias_of};
                    for (int y = 0; y < K; y++)
                        for (int x = 0; x < K; x++)
                            for (int p = 0; p < 4; p++) four[p] += filter[y][x] * q[(y + p / 2) * side + x + p % 2];
                    int64_t o = ((i * h + row) * w + col) * C + c;
                    Ints at;
                    store(out + o, largest(four, true, &at));
                    store(places + o, at);
                }
        }
    }
}

template <int K, class T>
static void convolve_pool_backward(const float* x, const T* grad, const uint8_t* places, float* grad_weight,
                                   float* grad_bias, int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads) {
    int64_t h = H / 2, w = W / 2, side = W + K - 1, sums = blocks(C) * (K * K + 1);
    std::vector<Floats> all(threads * sums);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t t = 0; t < threads; t++)
        for (int64_t i = t * n / threads; i < (t + 1) * n / threads; i++) {
            std::vector<float> frame = padded(x + i * H * W, H, W, K);
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t c = block_start(b, C);
                Floats filter[K][K] = {}, bias = {};
                for (int64_t row = 0; row < h; row++)
                    for (int64_t col = 0; col < w; col++) {
                        const float* q = &frame[row * 2 * side + col * 2];
                        int64_t o = ((i * h + row) * w + col) * C + c;
                        Floats g = load(grad + o), four[4];
                        Ints at = load(places + o);
                        for (int p = 0; p < 4; p++) bias += four[p] = at == p ? g : Floats{};
                        for (int y = 0; y < K; y++)
                            for (int x = 0; x < K; x++)
                                for (int p = 0; p < 4; p++) filter[y][x] += four[p] * q[(y + p / 2) * side + x + p % 2];
                    }
                Floats* mine = &all[t * sums + b * (K * K + 1)];
                for (int k = 0; k < K * K; k++) mine[k] += filter[k / K][k % K];
                mine[K * K] += bias;
            }
        }
    for (int64_t b = 0; b < blocks(C); b++)
        for (int k = 0; k <= K * K; k++) {
            Floats sum = {};
            for (int64_t t = 0; t < threads; t++) sum += all[t * sums + b * (K * K + 1) + k];
            for (int lane = 0; lane < LANES; lane++) {
                int64_t c = block_start(b, C) + lane;
                (k < K * K ? grad_weight[c * K * K + k] : grad_bias[c]) = sum[lane];
            }
        }
}

#define CONVOLUTION(K, T)                                                                                           \
    void convolve_pool_##K##_##T(const float* x, const float* weight, const float* bias, T* out, uint8_t* places,   \
                                 int64_t n, int64_t H, int64_t W, int64_t C, int64_t threads) {                     \
        convolve_pool<K>(x, weight, bias, out, places, n, H, W, C, threads);                                        \
    }                                                                                                               \
    void convolve_pool_backward_##K##_##T(const float* x, const T* grad, const uint8_t* places, float* grad_weight, \
                                          float* grad_bias, int64_t n, int64_t H, int64_t W, int64_t C,             \
                                          int64_t threads) {                                                        \
        convolve_pool_backward<K>(x, grad, places, grad_weight, grad_bias, n, H, W, C, threads);                    \
    }

extern "C" {
CONVOLUTION(3, float)
CONVOLUTION(3, bfloat16)
CONVOLUTION(5, float)
CONVOLUTION(5, bfloat16)
}
