// 1×1 convolution with batch normalisation and ReLU, and what follows it: nothing, the channel shuffle, or a max pool.
// Activations are [rows][padded(channels)], rows = images × height × width.
#include "matrix.h"
#include "normalise.h"
#include <cstring>
#include <omp.h>

/// Rows that are worked on while they stay in the second-level cache.
static int64_t block_rows(int64_t width) { return std::max<int64_t>(TILE_ROWS, 24576 / width / TILE_ROWS * TILE_ROWS); }

template <class Body> static void for_blocks(int64_t first, int64_t last, int64_t step, Body body) {
  for (int64_t r = first; r < last; r += step) body(r, std::min(step, last - r));
}

/// Sums of masked dy and of masked dy * u, the mask being u * scale + shift > 0.
static void add_masked(const float *dy, const float *u, int64_t rows, int64_t width, Norm norm, double *sum, double *product) {
  for (int64_t c = 0; c < width; c += LANES) {
    Vec scale = load(norm.scale + c), shift = load(norm.shift + c), s = splat(0), p = splat(0);
    for (int64_t r = 0; r < rows; r++) {
      Vec v = load(u + r * width + c), g = keep(v * scale + shift > 0.f, load(dy + r * width + c));
      s += g;
      p += g * v;
    }
    for (int i = 0; i < LANES; i++) sum[c + i] += s[i], product[c + i] += p[i];
  }
}

extern "C" {

void set_threads(int count) { omp_set_num_threads(count); }

/// u = x · weightᵀ and its normalisation. weight is [out][in], norm is [4][padded(out)].
void pointwise_forward(const float *x, const float *weight, const float *gamma, const float *beta, float *running_mean,
                       float *running_variance, float *u, float *norm, int64_t rows, int64_t in, int64_t out,
                       float momentum, float epsilon) {
  Packed right({weight, 1, in}, in, out);
  int64_t x_width = padded(in), u_width = padded(out);
  Partial<double> totals(2 * u_width);
  for_slices(rows, [&](int s, int64_t first, int64_t last) {
    for_blocks(first, last, block_rows(x_width + u_width), [&](int64_t r, int64_t n) {
      multiply(x + r * x_width, n, right, u + r * u_width);
      add_moments(u + r * u_width, n, u_width, totals[s]);
    });
  });
  finish(totals, rows, out, gamma, beta, running_mean, running_variance, momentum, epsilon, Norm(norm, u_width));
}

/// y = relu(u * scale + shift).
void activate(const float *u, float *norm, float *y, int64_t rows, int64_t channels) {
  int64_t width = padded(channels);
  Norm n(norm, width);
  for_slices(rows, [&](int, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++)
      for (int64_t c = 0; c < width; c += LANES)
        store(y + r * width + c, relu(load(u + r * width + c) * load(n.scale + c) + load(n.shift + c)));
  });
}

/// Shuffles channels of the shortcut and of relu(u * scale + shift) into each other, both `half` wide.
/// With `second`, the result's two halves go to first and second, else all of it to first.
void activate_shuffle(const float *shortcut, const float *u, float *norm, float *first_half, float *second_half,
                      int64_t rows, int64_t half) {
  int64_t width = padded(half), full = padded(2 * half);
  Norm n(norm, width);
  for_slices(rows, [&](int, int64_t first, int64_t last) {
    std::vector<float> active(width), mixed(2 * width + full);
    for (int64_t r = first; r < last; r++) {
      for (int64_t c = 0; c < width; c += LANES)
        store(&active[c], relu(load(u + r * width + c) * load(n.scale + c) + load(n.shift + c)));
      const float *other = shortcut + r * width;
      for (int64_t c = 0; c < half; c++) mixed[2 * c] = other[c], mixed[2 * c + 1] = active[c];
      if (second_half) {
        memcpy(first_half + r * width, &mixed[0], half * sizeof(float));
        memcpy(second_half + r * width, &mixed[half], half * sizeof(float));
        memset(first_half + r * width + half, 0, (width - half) * sizeof(float));
        memset(second_half + r * width + half, 0, (width - half) * sizeof(float));
      } else {
        memcpy(first_half + r * full, &mixed[0], 2 * half * sizeof(float));
        memset(first_half + r * full + 2 * half, 0, (full - 2 * half) * sizeof(float));
      }
    }
  });
}

/// Backward of the shuffle alone: gradients of the shortcut and of the activation.
void unshuffle(const float *first_half, const float *second_half, float *shortcut, float *active, int64_t rows,
               int64_t half) {
  int64_t width = padded(half), full = padded(2 * half);
  for_slices(rows, [&](int, int64_t first, int64_t last) {
    std::vector<float> mixed(2 * width);
    for (int64_t r = first; r < last; r++) {
      if (second_half) {
        memcpy(&mixed[0], first_half + r * width, half * sizeof(float));
        memcpy(&mixed[half], second_half + r * width, half * sizeof(float));
      } else memcpy(&mixed[0], first_half + r * full, 2 * half * sizeof(float));
      float *a = shortcut + r * width, *b = active + r * width;
      for (int64_t c = 0; c < half; c++) a[c] = mixed[2 * c], b[c] = mixed[2 * c + 1];
      for (int64_t c = half; c < width; c++) a[c] = b[c] = 0;
    }
  });
}

/// y = max pool 3×3, stride 2, padding 1 of relu(u * scale + shift); `choice` notes the winning tap, 9 for none.
void activate_pool(const float *u, float *norm, float *y, uint8_t *choice, int64_t images, int64_t height, int64_t width,
                   int64_t channels) {
  int64_t stored = padded(channels), rows = (height + 1) / 2, columns = (width + 1) / 2;
  Norm n(norm, stored);
  for_slices(images, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < columns; q++)
          for (int64_t c = 0; c < stored; c += LANES) {
            Vec best = splat(0), scale = load(n.scale + c), shift = load(n.shift + c);
            Mask tap = (Mask)splat(0) + 9;
            for (int64_t k = 0; k < 9; k++) {
              int64_t h = 2 * r - 1 + k / 3, w = 2 * q - 1 + k % 3;
              if (h < 0 || h >= height || w < 0 || w >= width) continue;
              Vec v = load(u + ((i * height + h) * width + w) * stored + c) * scale + shift;
              Mask better = v > best;
              best = better ? v : best;
              tap = better ? (Mask)splat(0) + (int32_t)k : tap;
            }
            int64_t at = ((i * rows + r) * columns + q) * stored + c;
            store(y + at, best);
            for (int l = 0; l < LANES; l++) choice[at + l] = tap[l];
          }
  });
}

/// Backward of the pool alone: du (before the normalisation's backward) from dy.
void unpool(const float *dy, const uint8_t *choice, float *du, int64_t images, int64_t height, int64_t width,
            int64_t channels) {
  int64_t stored = padded(channels), rows = (height + 1) / 2, columns = (width + 1) / 2;
  for_slices(images, [&](int, int64_t first, int64_t last) {
    memset(du + first * height * width * stored, 0, (last - first) * height * width * stored * sizeof(float));
    for (int64_t i = first; i < last; i++)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < columns; q++) {
          int64_t at = ((i * rows + r) * columns + q) * stored;
          for (int64_t c = 0; c < stored; c++) {
            int k = choice[at + c];
            if (k == 9) continue;
            du[((i * height + 2 * r - 1 + k / 3) * width + 2 * q - 1 + k % 3) * stored + c] += dy[at + c];
          }
        }
  });
}

/// Backward of normalisation, ReLU and convolution. dx may be null.
void pointwise_backward(const float *dy, const float *x, const float *u, const float *weight, float *norm, float *dx,
                        float *weight_gradient, float *gamma_gradient, float *beta_gradient, int64_t rows, int64_t in,
                        int64_t out) {
  int64_t x_width = padded(in), u_width = padded(out), step = block_rows(x_width + u_width);
  Norm n(norm, u_width);
  Partial<double> sum(u_width), product(u_width);
  for_slices(rows, [&](int s, int64_t first, int64_t last) {
    for_blocks(first, last, step, [&](int64_t r, int64_t count) {
      add_masked(dy + r * u_width, u + r * u_width, count, u_width, n, sum[s], product[s]);
    });
  });
  Backward back(sum, product, rows, out, n, gamma_gradient, beta_gradient);
  Packed right({weight, in, 1}, out, dx ? in : 0);
  Partial<float> gradient(u_width * x_width);
  for_slices(rows, [&](int s, int64_t first, int64_t last) {
    std::vector<float> du(step * u_width);
    for_blocks(first, last, step, [&](int64_t r, int64_t count) {
      for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < u_width; c += LANES) {
          int64_t at = (r + i) * u_width + c;
          Vec v = load(u + at), g = keep(v * load(n.scale + c) + load(n.shift + c) > 0.f, load(dy + at));
          store(&du[i * u_width + c], load(&back.a[c]) * g + load(&back.b[c]) * v + load(&back.d[c]));
        }
      multiply_transposed(du.data(), u_width, x + r * x_width, x_width, count, gradient[s]);
      if (dx) multiply(du.data(), count, right, dx + r * x_width);
    });
  });
  for (int64_t o = 0; o < out; o++)
    for (int64_t i = 0; i < in; i++) weight_gradient[o * in + i] = gradient.sum(o * x_width + i);
}

/// Rows of 3×3 patches, stride 2, padding 1, from x [images][3][height][width]: 27 values (channel, row, column) and 5 zeros.
void patches(const float *x, float *y, int64_t images, int64_t height, int64_t width) {
  int64_t rows = (height + 1) / 2, columns = (width + 1) / 2;
  for_slices(images, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < columns; q++) {
          float *to = y + ((i * rows + r) * columns + q) * 32;
          for (int64_t c = 0; c < 3; c++)
            for (int64_t k = 0; k < 9; k++) {
              int64_t h = 2 * r - 1 + k / 3, w = 2 * q - 1 + k % 3;
              bool inside = h >= 0 && h < height && w >= 0 && w < width;
              *to++ = inside ? x[((i * 3 + c) * height + h) * width + w] : 0;
            }
          for (int k = 27; k < 32; k++) *to++ = 0;
        }
  });
}
}
