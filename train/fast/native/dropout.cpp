// Dropout: each value becomes 0 with some probability, the others are scaled up. Forward and backward are the same.
//
// Which values stay follows from the seed and the value's place, through the mixing steps of MurmurHash3 (Austin
// Appleby, public domain). So nothing needs to be kept for the way back, and threads do not matter.

#include <algorithm>

#include "lanes.h"

inline Words mixed(Words x) {
    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

template <class T>
static void dropout(const T* x, T* out, int64_t count, float probability, int64_t seed, int64_t threads) {
    Words lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
    uint32_t low = uint32_t(seed), high = uint32_t(seed >> 32), least = uint32_t(probability * 4294967296.0);
    float scale = 1 / (1 - probability);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t start = 0; start < count; start += LANES) {
        Words random = mixed(mixed(lanes + uint32_t(start) + low) ^ high);
        T some[LANES] = {};
        int64_t here = std::min<int64_t>(LANES, count - start);
        memcpy(some, x + start, here * sizeof(T));
        store(some, random >= least ? load(some) * scale : Floats{});
        memcpy(out + start, some, here * sizeof(T));
    }
}

#define DROPOUT(T)                                                                                          \
    void dropout_##T(const T* x, T* out, int64_t count, float probability, int64_t seed, int64_t threads) { \
        dropout(x, out, count, probability, seed, threads);                                                 \
    }

extern "C" {
DROPOUT(float)
DROPOUT(bfloat16)
}
