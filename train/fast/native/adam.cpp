// One step of Adam for all parameters of a network, in one pass over them.
//
// Diederik Kingma and Jimmy Ba, Adam: A Method for Stochastic Optimization, 2015; weight decay apart from the gradient
// as by Ilya Loshchilov and Frank Hutter, Decoupled Weight Decay Regularization, 2019.

#include <cmath>
#include <cstdint>

extern "C" void adam(float* const* weights, const float* const* grads, float* const* means, float* const* squares,
                     const int64_t* sizes, const float* decays, int64_t count, int64_t decoupled, float rate,
                     float beta1, float beta2, float epsilon, float correction1, float correction2, int64_t threads) {
    float root = std::sqrt(correction2), step = rate / correction1;
#pragma omp parallel num_threads(threads)
    for (int64_t k = 0; k < count; k++) {
        float *w = weights[k], *m = means[k], *v = squares[k];
        const float* grad = grads[k];
        float shrink = decoupled ? 1 - rate * decays[k] : 1, pull = decoupled ? 0 : decays[k];
#pragma omp for simd schedule(static) nowait
        for (int64_t i = 0; i < sizes[k]; i++) {
            float g = grad[i] + pull * w[i];
            m[i] += (1 - beta1) * (g - m[i]);
            v[i] = beta2 * v[i] + (1 - beta2) * g * g;
            w[i] = shrink * w[i] - step * m[i] / (std::sqrt(v[i]) / root + epsilon);
        }
    }
}
