// Convolution of 3 x 3 with 2.25 times fewer multiplications, and with ReLU and 2 x 2 pooling if asked for: a tile of
// its results is what pooling takes the largest of. See tiles.h for the method.

#include "products.h"
#include "tiles.h"

constexpr int64_t STRIP = 24;  // tiles worked on at a time, so that their points stay in the cache
constexpr int64_t GROUP = 96;  // tiles after which the filters' gradients are summed
constexpr float NOISE = 5e-7f;  // of the largest point: the rounding error of sums in float32

// The filters' points as the second matrix of products that are summed over `from` channels. Channels and taps of a
// filter are `strides` apart: those summed over, the others, taps. To be called within a parallel region.
template <class T>
static void turn_filters(const float* filters, const Points<Bits<T>>& u, int64_t from, int64_t to,
                         const int64_t* strides) {
    constexpr int N = Unit<T>::NUMBERS;
#pragma omp for schedule(static)
    for (int64_t p = 0; p < units<T>(from); p++)
        for (int64_t b = 0; b < blocks(to); b++) {
            Floats points[N][POINTS];
            for (int64_t k = 0; k < N; k++) {
                Floats g[9] = {};
                const float* first = filters + (p * N + k) * strides[0] + block_start(b, to) * strides[1];
                for (int tap = 0; tap < 9 && p * N + k < from; tap++)
                    for (int lane = 0; lane < LANES; lane++) g[tap][lane] = first[lane * strides[1] + tap * strides[2]];
                turned<FilterPoints>(g, points[k]);
            }
            for (int q = 0; q < POINTS; q++) Unit<T>::store(u[q] + (p * blocks(to) + b) * LANES, &points[0][q], POINTS);
        }
}

template <class T>
static void forward(const Layer& layer, const T* x, const Points<Bits<T>>& u, const float* bias, T* out,
                    uint8_t* places, int64_t first, int64_t last) {
    constexpr int N = Unit<T>::NUMBERS;
    int64_t C = layer.inputs, O = layer.outputs, row = units<T>(C), width = blocks(O);
    Points<T> v(STRIP * row * N);
    Points<float> m(STRIP * width * LANES);
    auto copy = room<T>(16 * C);
    v.clear();  // an odd number of channels leaves half a pair empty
    for (int64_t start = first; start < last; start += STRIP) {
        int64_t count = std::min(STRIP, last - start);
        for (int64_t t = 0; t < count; t++) {
            Patch<T> patch(Tile(layer, start + t), x, copy.get());
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t c = block_start(b, C);
                Floats points[POINTS];
                patch.points(c, points);
                for (int q = 0; q < POINTS; q++) store(v[q] + t * row * N + c, points[q]);
            }
        }
        for (int q = 0; q < POINTS; q++)
            multiply<T>(count, {(Bits<T>*)v[q], row, 1}, u[q], m[q], width * LANES, row, width);
        for (int64_t t = 0; t < count; t++) {
            Tile tile(layer, start + t);
            for (int64_t b = 0; b < width; b++) {
                int64_t c = block_start(b, O);
                Floats points[POINTS], four[4], shift = bias ? load(bias + c) : Floats{};
                for (int q = 0; q < POINTS; q++) points[q] = load(m[q] + (t * width + b) * LANES);
                turned<Results>(points, four);
                for (int p = 0; p < 4; p++) {
                    four[p] += shift;
                    if (!layer.pool && tile.result(p) >= 0) store(out + tile.result(p) * O + c, four[p]);
                }
                if (layer.pool) {
                    Ints at;
                    store(out + tile.pooled() * O + c, largest(four, true, &at));
                    store(places + tile.pooled() * O + c, at);
                }
            }
        }
    }
}

// The gradients of inputs and filters that follow from those of some tiles' results.
template <class T>
struct Gradients {
    static constexpr int N = Unit<T>::NUMBERS;

    const Layer& layer;
    const T *x, *grad;
    const uint8_t* places;
    T* grad_x;
    float* sums;  // of each point of the filters, then of the bias

    int64_t C = layer.inputs, O = layer.outputs, in = blocks(C), width = blocks(O), row = units<T>(O);
    int64_t H = std::max(layer.H + 2 * layer.padding, layer.rows() * 2 + 2);
    int64_t W = std::max(layer.W + 2 * layer.padding, layer.cols() * 2 + 2);
    Points<T> d{STRIP * row * N};                         // of the results' gradients, in units of channels
    Points<Bits<T>> by_tiles{GROUP / N * width * LANES};  // the same in units of tiles
    Points<Bits<T>> v{GROUP / N * C};                     // of the inputs, in units of tiles
    Points<float> m{STRIP * in * LANES};                  // of the inputs' gradients
    Room<float> image = room<float>(H * W * in * LANES);  // an image's gradient, with its padding
    Room<T> copy = room<T>(N * 16 * C);

    void clear_image() { memset(image.get(), 0, H * W * in * LANES * sizeof(float)); }

    void add(const Points<Bits<T>>& u, int64_t first, int64_t last) {
        memset(sums, 0, (POINTS * C + 1) * width * LANES * sizeof(float));
        d.clear(), clear_image();
        for (int64_t start = first, waiting = 0; start < last; start += STRIP) {
            int64_t count = std::min(STRIP, last - start);
            for (int64_t t = 0; t < count; t += N) turn(start, t, std::min(t + N, count), (waiting + t) / N);
            for (int q = 0; q < POINTS; q++)
                multiply<T>(count, {(Bits<T>*)d[q], row, 1}, u[q], m[q], in * LANES, row, in);
            for (int64_t t = 0; t < count; t++) add_to_image(Tile(layer, start + t), t);
            waiting += count;
            if (waiting + STRIP <= GROUP && start + STRIP < last) continue;
            for (int q = 0; q < POINTS; q++)
                multiply<T>(C, {v[q], 1, C}, by_tiles[q], sums + q * C * width * LANES, width * LANES,
                            units<T>(waiting), width, true);
            waiting = 0;
        }
    }

    // Points of the tiles from t on that make up a unit. Where there are no more, from `end` on, gradients are zero.
    void turn(int64_t start, int64_t t, int64_t end, int64_t unit) {
        auto tile = [&](int64_t k) { return Tile(layer, start + std::min(t + k, end - 1)); };
        Floats points[N][POINTS];
        Patch<T> patches[N];
        for (int k = 0; k < N; k++) patches[k] = Patch<T>(tile(k), x, copy.get() + k * 16 * C);
        for (int64_t b = 0; b < in; b++) {
            int64_t c = block_start(b, C);
            for (int k = 0; k < N; k++) patches[k].points(c, points[k]);
            for (int q = 0; q < POINTS; q++) Unit<T>::store(v[q] + unit * C + c, &points[0][q], POINTS);
        }
        for (int64_t b = 0; b < width; b++) {
            int64_t c = block_start(b, O);
            Floats sum = load(sums + (POINTS * C * width + b) * LANES);
            for (int k = 0; k < N; k++) {
                Floats four[4] = {};
                if (t + k < end) results(tile(k), c, four);
                sum += (four[0] + four[1]) + (four[2] + four[3]);
                turned<ResultGradients>(four, points[k]);
            }
            store(sums + (POINTS * C * width + b) * LANES, sum);
            for (int q = 0; q < POINTS; q++) {
                for (int k = 0; k < N; k++) store(d[q] + (t + k) * row * N + c, points[k][q]);
                Unit<T>::store(by_tiles[q] + (unit * width + b) * LANES, &points[0][q], POINTS);
            }
        }
    }

    void results(const Tile& tile, int64_t c, Floats* four) {
        if (layer.pool) {
            Floats g = load(grad + tile.pooled() * O + c);
            Ints at = load(places + tile.pooled() * O + c);
            for (int p = 0; p < 4; p++) four[p] = at == p ? g : Floats{};
        } else
            for (int p = 0; p < 4; p++)
                if (tile.result(p) >= 0) four[p] = load(grad + tile.result(p) * O + c);
    }

    void add_to_image(const Tile& tile, int64_t t) {
        for (int64_t b = 0; b < in; b++) {
            Floats points[POINTS], sixteen[16];
            for (int q = 0; q < POINTS; q++) points[q] = load(m[q] + (t * in + b) * LANES);
            turned<InputGradients>(points, sixteen);
            for (int k = 0; k < 16; k++) {
                float* to = image.get() + (((tile.row * 2 + k / 4) * W + tile.col * 2 + k % 4) * in + b) * LANES;
                store(to, load(to) + sixteen[k]);
            }
        }
        if (!tile.is_last()) return;
        for (int64_t y = 0; y < layer.H; y++)
            for (int64_t x = 0; x < layer.W; x++)
                for (int64_t b = 0; b < in; b++) {
                    const float* from = image.get() + (((y + layer.padding) * W + x + layer.padding) * in + b) * LANES;
                    store(grad_x + ((tile.image * layer.H + y) * layer.W + x) * C + block_start(b, C), load(from));
                }
        clear_image();
    }
};

template <class T>
static void winograd(const T* x, const float* filters, const float* bias, T* out, uint8_t* places, const Layer& layer,
                     int64_t channel_stride, int64_t tap_stride, int64_t threads) {
    Points<Bits<T>> u(units<T>(layer.inputs) * blocks(layer.outputs) * LANES);
    int64_t strides[] = {channel_stride, layer.inputs * 9, tap_stride};
#pragma omp parallel num_threads(threads)
    {
        turn_filters<T>(filters, u, layer.inputs, layer.outputs, strides);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < threads; t++)
            forward(layer, x, u, bias, out, places, layer.first(t, threads), layer.first(t + 1, threads));
    }
}

static Floats size(Floats x) { return x < 0 ? -x : x; }

// A weight that bears on nothing in this batch has a gradient of zero. Sums of points give their rounding error instead,
// and Adam's step for that may be as long as for a gradient. So what is below their rounding becomes zero.
static void clear_noise(const Floats* points, Floats* g) {
    Floats most = {};
    for (int q = 0; q < POINTS; q++) most = size(points[q]) > most ? size(points[q]) : most;
    for (int tap = 0; tap < 9; tap++) g[tap] = size(g[tap]) < most * NOISE ? Floats{} : g[tap];
}

template <class T>
static void winograd_backward(const T* x, const T* grad, const uint8_t* places, const float* filters, T* grad_x,
                              float* grad_filters, float* grad_bias, const Layer& layer, int64_t channel_stride,
                              int64_t tap_stride, int64_t threads) {
    int64_t inputs = layer.inputs, outputs = layer.outputs;
    Points<Bits<T>> u(units<T>(outputs) * blocks(inputs) * LANES);
    int64_t strides[] = {inputs * 9, channel_stride, tap_stride};
    int64_t width = blocks(outputs), size = (POINTS * inputs + 1) * width * LANES;
    auto sums = room<float>(threads * size);  // each thread's, of all points of the filters and of the bias
    auto sum = [&](int64_t block) {
        Floats all = {};
        for (int64_t t = 0; t < threads; t++) all += load(sums.get() + t * size + block * LANES);
        return all;
    };
#pragma omp parallel num_threads(threads)
    {
        turn_filters<T>(filters, u, outputs, inputs, strides);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < threads; t++)
            Gradients<T>{layer, x, grad, places, grad_x, sums.get() + t * size}.add(u, layer.first(t, threads),
                                                                                    layer.first(t + 1, threads));
#pragma omp for schedule(static)
        for (int64_t c = 0; c < inputs; c++)
            for (int64_t b = 0; b < width; b++) {
                Floats points[POINTS], g[9];
                for (int q = 0; q < POINTS; q++) points[q] = sum((q * inputs + c) * width + b);
                turned<FilterGradients>(points, g);
                clear_noise(points, g);
                float* to = grad_filters + block_start(b, outputs) * inputs * 9 + c * channel_stride;
                for (int tap = 0; tap < 9; tap++)
                    for (int lane = 0; lane < LANES; lane++) to[lane * inputs * 9 + tap * tap_stride] = g[tap][lane];
            }
    }
    for (int64_t b = 0; b < width; b++) store(grad_bias + block_start(b, outputs), sum(POINTS * inputs * width + b));
}

#define WINOGRAD(T)                                                                                                    \
    void winograd_##T(const T* x, const float* filters, const float* bias, T* out, uint8_t* places, int64_t n,         \
                      int64_t H, int64_t W, int64_t inputs, int64_t outputs, int64_t padding, int64_t channel_stride,  \
                      int64_t tap_stride, int64_t threads) {                                                           \
        Layer layer{n, H, W, inputs, outputs, padding, places != nullptr};                                             \
        winograd(x, filters, bias, out, places, layer, channel_stride, tap_stride, threads);                           \
    }                                                                                                                  \
    void winograd_backward_##T(const T* x, const T* grad, const uint8_t* places, const float* filters, T* grad_x,      \
                               float* grad_filters, float* grad_bias, int64_t n, int64_t H, int64_t W, int64_t inputs, \
                               int64_t outputs, int64_t padding, int64_t channel_stride, int64_t tap_stride,           \
                               int64_t threads) {                                                                      \
        Layer layer{n, H, W, inputs, outputs, padding, places != nullptr};                                             \
        winograd_backward(x, grad, places, filters, grad_x, grad_filters, grad_bias, layer, channel_stride,            \
                          tap_stride, threads);                                                                        \
    }

extern "C" {
int64_t parallel() {  // whether threads help: some compilers know no OpenMP
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

WINOGRAD(float)
#ifdef __AVX512BF16__
WINOGRAD(bfloat16)
#endif
}
