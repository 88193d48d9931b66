// Pictures of a batch, from uint8 as a data set keeps them to float as a network takes them.

#include <cstdint>

extern "C" void gather(const uint8_t* pixels, const int64_t* which, float* out, int64_t count, int64_t size, float mean,
                       float deviation, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; i++) {
        const uint8_t* from = pixels + which[i] * size;
        float* to = out + i * size;
        for (int64_t k = 0; k < size; k++) to[k] = (from[k] / 255.0f - mean) / deviation;
    }
}
