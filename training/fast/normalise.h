// Batch normalisation, split into statistics, a scale and shift per channel, and its backward coefficients.
#pragma once
#include "vector.h"
#include <cmath>

/// Per channel, padded: y = u * scale + shift normalises; mean and inverse deviation are kept for backward.
struct Norm {
  float *mean, *inverse, *scale, *shift;
  Norm(float *block, int64_t stride) : mean(block), inverse(block + stride), scale(block + 2 * stride), shift(block + 3 * stride) {}
};

/// Sums and sums of squares of `count` vectors, taken about a pivot so that a large mean costs no precision.
struct Moments {
  Vec pivot, sum = splat(0), square = splat(0);
  explicit Moments(Vec pivot) : pivot(pivot) {}
  void add(Vec v) {
    v -= pivot;
    sum += v;
    square += v * v;
  }
  /// Adds the plain sums to totals[0..8] and totals[width..width + 8].
  void add_to(double *totals, int64_t width, int64_t count) const {
    for (int i = 0; i < LANES; i++) {
      double p = pivot[i], s = sum[i], q = square[i];
      totals[i] += s + count * p;
      totals[width + i] += q + 2 * p * s + count * p * p;
    }
  }
};

/// Adds sums and sums of squares of u[rows][width] to totals[0..width] and totals[width..2 * width].
static inline void add_moments(const float *u, int64_t rows, int64_t width, double *totals) {
  for (int64_t c = 0; c < width; c += LANES) {
    Moments moments(load(u + c));
    for (int64_t r = 0; r < rows; r++) moments.add(load(u + r * width + c));
    moments.add_to(totals + c, width, rows);
  }
}

/// Fills `norm` from the totals over `count` values a channel and moves the running statistics. Pad lanes get scale 0.
static inline void finish(const Partial<double> &totals, int64_t count, int64_t channels, const float *gamma,
                          const float *beta, float *running_mean, float *running_variance, float momentum, float epsilon,
                          Norm norm) {
  int64_t width = padded(channels);
  for (int64_t c = 0; c < width; c++) {
    double mean = totals.sum(c) / count, variance = std::max(0., totals.sum(width + c) / count - mean * mean);
    norm.mean[c] = mean;
    norm.inverse[c] = 1 / std::sqrt(variance + epsilon);
    norm.scale[c] = c < channels ? gamma[c] * norm.inverse[c] : 0;
    norm.shift[c] = c < channels ? beta[c] - norm.mean[c] * norm.scale[c] : 0;
    if (c < channels) {
      running_mean[c] += momentum * (mean - running_mean[c]);
      running_variance[c] += momentum * (variance * count / std::max<int64_t>(1, count - 1) - running_variance[c]);
    }
  }
}

/// Coefficients with du = a * dy + b * u + d, dy being the gradient after the activation's mask.
struct Backward {
  std::vector<float> a, b, d;
  /// From sums of dy and of dy * u over `count` values a channel; also writes the gradients of gamma and beta.
  Backward(const Partial<double> &dy, const Partial<double> &dy_u, int64_t count, int64_t channels, Norm norm,
           float *gamma_gradient, float *beta_gradient)
      : a(padded(channels)), b(a.size()), d(a.size()) {
    for (int64_t c = 0; c < channels; c++) {
      double beta = dy.sum(c), gamma = (dy_u.sum(c) - norm.mean[c] * beta) * norm.inverse[c];
      gamma_gradient[c] = gamma;
      beta_gradient[c] = beta;
      a[c] = norm.scale[c];
      b[c] = -norm.scale[c] * norm.inverse[c] * gamma / count;
      d[c] = -norm.scale[c] * beta / count - b[c] * norm.mean[c];
    }
  }
};
