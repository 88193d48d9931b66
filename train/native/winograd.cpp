// Convolution of 3 x 3 with 2.25 times fewer multiplications, in bfloat16; with ReLU and 2 x 2 pooling if asked for: a
// tile of its results is what pooling takes the largest of. See tiles.h for the method.

#ifdef __AVX512BF16__

#include "products.h"
#include "tiles.h"

constexpr int64_t STRIP = 24;  // tiles worked on at a time, so that their points stay in the cache
constexpr int64_t GROUP = 96;  // tiles after which the filters' gradients are summed

// The filters' points as the second matrix of products that are summed over `from` channels. Channels and taps of a
// filter are `strides` apart: those summed over, the others, taps. To be called within a parallel region.
static void turn_filters(const float* filters, const Points<Pair>& u, int64_t from, int64_t to, const int64_t* strides) {
#pragma omp for schedule(static)
    for (int64_t p = 0; p < pairs(from); p++)
        for (int64_t b = 0; b < blocks(to); b++) {
            Floats points[2][POINTS];
            for (int64_t k = 0; k < 2; k++) {
                Floats g[9] = {};
                const float* first = filters + (p * 2 + k) * strides[0] + block_start(b, to) * strides[1];
                for (int tap = 0; tap < 9 && p * 2 + k < from; tap++)
                    for (int lane = 0; lane < LANES; lane++) g[tap][lane] = first[lane * strides[1] + tap * strides[2]];
                turned<FilterPoints>(g, points[k]);
            }
            for (int q = 0; q < POINTS; q++)
                store_pairs(u[q] + (p * blocks(to) + b) * LANES, points[0][q], points[1][q]);
        }
}

static void forward(const Layer& layer, const bfloat16* x, const Points<Pair>& u, const float* bias, bfloat16* out,
                    uint8_t* places, int64_t first, int64_t last) {
    int64_t C = layer.inputs, O = layer.outputs, row = pairs(C), width = blocks(O);
    Points<bfloat16> v(STRIP * row * 2);
    Points<float> m(STRIP * width * LANES);
    auto copy = room<bfloat16>(16 * C);
    v.clear();  // an odd number of channels leaves half a pair empty
    for (int64_t start = first; start < last; start += STRIP) {
        int64_t count = std::min(STRIP, last - start);
        for (int64_t t = 0; t < count; t++) {
            Patch patch(Tile(layer, start + t), x, copy.get());
            for (int64_t b = 0; b < blocks(C); b++) {
                int64_t c = block_start(b, C);
                Floats points[POINTS];
                patch.points(c, points);
                for (int q = 0; q < POINTS; q++) store(v[q] + t * row * 2 + c, points[q]);
            }
        }
        for (int q = 0; q < POINTS; q++) multiply(count, {(Pair*)v[q], row, 1}, u[q], m[q], row, width, false);
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
struct Gradients {
    const Layer& layer;
    const bfloat16 *x, *grad;
    const uint8_t* places;
    bfloat16* grad_x;
    float* sums;  // of each point of the filters, then of the bias

    int64_t C = layer.inputs, O = layer.outputs, in = blocks(C), width = blocks(O), row = pairs(O);
    int64_t H = std::max(layer.H + 2 * layer.padding, layer.rows() * 2 + 2);
    int64_t W = std::max(layer.W + 2 * layer.padding, layer.cols() * 2 + 2);
    Points<bfloat16> d{STRIP * row * 2};               // of the results' gradients, in pairs of channels
    Points<Pair> in_twos{GROUP / 2 * width * LANES};   // the same in pairs of tiles
    Points<Pair> v{GROUP / 2 * C};                     // of the inputs, in pairs of tiles
    Points<float> m{STRIP * in * LANES};               // of the inputs' gradients
    Room<float> image = room<float>(H * W * in * LANES);  // an image's gradient, with its padding
    Room<bfloat16> copy = room<bfloat16>(32 * C);

    void clear_image() { memset(image.get(), 0, H * W * in * LANES * sizeof(float)); }

    void add(const Points<Pair>& u, int64_t first, int64_t last) {
        memset(sums, 0, (POINTS * C + 1) * width * LANES * sizeof(float));
        d.clear(), clear_image();
        for (int64_t start = first, waiting = 0; start < last; start += STRIP) {
            int64_t count = std::min(STRIP, last - start);
            for (int64_t t = 0; t < count; t += 2) turn(start, t, std::min(t + 1, count - 1), (waiting + t) / 2);
            for (int q = 0; q < POINTS; q++) multiply(count, {(Pair*)d[q], row, 1}, u[q], m[q], row, in, false);
            for (int64_t t = 0; t < count; t++) add_to_image(Tile(layer, start + t), t);
            waiting += count;
            if (waiting + STRIP <= GROUP && start + STRIP < last) continue;
            for (int q = 0; q < POINTS; q++)
                multiply(C, {v[q], 1, C}, in_twos[q], sums + q * C * width * LANES, pairs(waiting), width, true);
            waiting = 0;
        }
    }

    // Points of two tiles of the strip, which make up that pair. If both are the same, the second's gradient is zero.
    void turn(int64_t start, int64_t t, int64_t second, int64_t pair) {
        Tile tiles[] = {Tile(layer, start + t), Tile(layer, start + second)};
        Patch patches[] = {Patch(tiles[0], x, copy.get()), Patch(tiles[1], x, copy.get() + 16 * C)};
        Floats points[2][POINTS];
        for (int64_t b = 0; b < in; b++) {
            int64_t c = block_start(b, C);
            for (int k = 0; k < 2; k++) patches[k].points(c, points[k]);
            for (int q = 0; q < POINTS; q++) store_pairs(v[q] + pair * C + c, points[0][q], points[1][q]);
        }
        for (int64_t b = 0; b < width; b++) {
            int64_t c = block_start(b, O);
            Floats sum = load(sums + (POINTS * C * width + b) * LANES);
            for (int k = 0; k < 2; k++) {
                Floats four[4] = {};
                if (k == 0 || second != t) results(tiles[k], c, four);
                sum += (four[0] + four[1]) + (four[2] + four[3]);
                turned<ResultGradients>(four, points[k]);
            }
            store(sums + (POINTS * C * width + b) * LANES, sum);
            for (int q = 0; q < POINTS; q++) {
                for (int k = 0; k < 2; k++) store(d[q] + (t + k) * row * 2 + c, points[k][q]);
                store_pairs(in_twos[q] + (pair * width + b) * LANES, points[0][q], points[1][q]);
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

extern "C" void winograd(const bfloat16* x, const float* filters, const float* bias, bfloat16* out, uint8_t* places,
                         int64_t n, int64_t H, int64_t W, int64_t inputs, int64_t outputs, int64_t padding,
                         int64_t channel_stride, int64_t tap_stride, int64_t threads) {
    Layer layer{n, H, W, inputs, outputs, padding, places != nullptr};
    Points<Pair> u(pairs(inputs) * blocks(outputs) * LANES);
    int64_t strides[] = {channel_stride, inputs * 9, tap_stride};
#pragma omp parallel num_threads(threads)
    {
        turn_filters(filters, u, inputs, outputs, strides);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < threads; t++) {
            int64_t first = t * n / threads * layer.tiles(), last = (t + 1) * n / threads * layer.tiles();
            forward(layer, x, u, bias, out, places, first, last);
        }
    }
}

extern "C" void winograd_backward(const bfloat16* x, const bfloat16* grad, const uint8_t* places, const float* filters,
                                  bfloat16* grad_x, float* grad_filters, float* grad_bias, int64_t n, int64_t H,
                                  int64_t W, int64_t inputs, int64_t outputs, int64_t padding, int64_t channel_stride,
                                  int64_t tap_stride, int64_t threads) {
    Layer layer{n, H, W, inputs, outputs, padding, places != nullptr};
    Points<Pair> u(pairs(outputs) * blocks(inputs) * LANES);
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
        turn_filters(filters, u, outputs, inputs, strides);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < threads; t++) {
            int64_t first = t * n / threads * layer.tiles(), last = (t + 1) * n / threads * layer.tiles();
            Gradients{layer, x, grad, places, grad_x, sums.get() + t * size}.add(u, first, last);
        }
#pragma omp for schedule(static)
        for (int64_t c = 0; c < inputs; c++)
            for (int64_t b = 0; b < width; b++) {
                Floats points[POINTS], g[9];
                for (int q = 0; q < POINTS; q++) points[q] = sum((q * inputs + c) * width + b);
                turned<FilterGradients>(points, g);
                float* to = grad_filters + block_start(b, outputs) * inputs * 9 + c * channel_stride;
                for (int tap = 0; tap < 9; tap++)
                    for (int lane = 0; lane < LANES; lane++) to[lane * inputs * 9 + tap * tap_stride] = g[tap][lane];
            }
    }
    for (int64_t b = 0; b < width; b++)
        store(grad_bias + block_start(b, outputs), sum(POINTS * inputs * width + b));
}

#endif
