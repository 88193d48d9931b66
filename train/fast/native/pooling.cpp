// The largest of each 2 x 2 values, after ReLU or without.

#include "lanes.h"

template <class T>
static void pool(const T* x, T* out, uint8_t* places, int64_t n, int64_t H, int64_t W, int64_t C, int64_t with_relu,
                 int64_t threads) {
    each_square(n, H, W, C, threads, [=](int64_t, int64_t from, int64_t to) {
        const T* q = x + from;
        Floats four[] = {load(q), load(q + C), load(q + W * C), load(q + W * C + C)};
        Ints at;
        store(out + to, largest(four, with_relu, &at));
        store(places + to, at);
    });
}

template <class T>
static void pool_backward(const T* grad, const uint8_t* places, T* grad_x, int64_t n, int64_t H, int64_t W, int64_t C,
                          int64_t threads) {
    int64_t h = H / 2, w = W / 2;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        T* image = grad_x + i * H * W * C;
        if (H % 2) memset(image + (H - 1) * W * C, 0, W * C * sizeof(T));
        for (int64_t row = 0; row < h; row++) {
            if (W % 2)
                for (int y = 0; y < 2; y++) memset(image + ((row * 2 + y) * W + W - 1) * C, 0, C * sizeof(T));
            for (int64_t col = 0; col < w; col++)
                for (int64_t b = 0; b < blocks(C); b++) {
                    int64_t c = block_start(b, C), o = ((i * h + row) * w + col) * C + c;
                    T* q = image + (row * 2 * W + col * 2) * C + c;
                    Floats g = load(grad + o);
                    Ints at = load(places + o);
                    store(q, at == 0 ? g : Floats{});
                    store(q + C, at == 1 ? g : Floats{});
                    store(q + W * C, at == 2 ? g : Floats{});
                    store(q + W * C + C, at == 3 ? g : Floats{});
                }
        }
    }
}

#define POOLING(T)                                                                                                    \
    void pool_##T(const T* x, T* out, uint8_t* places, int64_t n, int64_t H, int64_t W, int64_t C, int64_t with_relu, \
                  int64_t threads) {                                                                                  \
        pool(x, out, places, n, H, W, C, with_relu, threads);                                                         \
    }                                                                                                                 \
    void pool_backward_##T(const T* grad, const uint8_t* places, T* grad_x, int64_t n, int64_t H, int64_t W,          \
                           int64_t C, int64_t threads) {                                                              \
        pool_backward(grad, places, grad_x, n, H, W, C, threads);                                                     \
    }

extern "C" {
POOLING(float)
POOLING(bfloat16)
}
