// Depthwise 3×3 convolutions of several dilations over one input, each with batch normalisation and optionally ReLU,
// and their weighted sum. Activations are [images][height][width][padded(channels)]; a stack of branches is outermost.
#include "normalise.h"
#include <cstring>

namespace {

constexpr int TAPS = 9, MAX_BRANCHES = 3;

/// Sizes that all functions here share.
struct Shape {
  int64_t images, height, width, channels, stride, branches;
  const int64_t *dilations;
  int64_t stored, rows, columns, positions, border;
  Shape(const int64_t *v)
      : images(v[0]), height(v[1]), width(v[2]), channels(v[3]), stride(v[4]), branches(v[5]), dilations(v + 6),
        stored(padded(channels)), rows((height - 1) / stride + 1), columns((width - 1) / stride + 1),
        positions(rows * columns), border(0) {
    for (int64_t b = 0; b < branches; b++) border = std::max(border, dilations[b]);
  }
  int64_t tile_width() const { return width + 2 * border; }
  int64_t tile_values() const { return (height + 2 * border) * tile_width() * LANES; }
  int64_t output_values() const { return images * positions * stored; }
  /// Offset in a zero-bordered tile of input position (h, w).
  int64_t in_tile(int64_t h, int64_t w) const { return ((h + border) * tile_width() + w + border) * LANES; }
  /// Offset of tap k of a kernel with this dilation, relative to its centre.
  int64_t tap(int64_t k, int64_t dilation) const {
    return ((k / 3 - 1) * dilation * tile_width() + (k % 3 - 1) * dilation) * LANES;
  }
};

/// The nine weights of a block of eight channels; weight is [channels][9].
struct Kernel {
  Vec weight[TAPS];
  int64_t offset[TAPS];
  Kernel(const Shape &shape, const float *source, int64_t channel, int64_t dilation) {
    for (int k = 0; k < TAPS; k++) {
      offset[k] = shape.tap(k, dilation);
      for (int l = 0; l < LANES; l++) weight[k][l] = channel + l < shape.channels ? source[(channel + l) * TAPS + k] : 0;
    }
  }
};

/// Copies eight channels of one image into the inside of a tile.
void fill(const Shape &shape, float *tile, const float *image) {
  for (int64_t h = 0; h < shape.height; h++)
    for (int64_t w = 0; w < shape.width; w++)
      store(tile + shape.in_tile(h, w), load(image + (h * shape.width + w) * shape.stored));
}

inline Vec correlate(const float *centre, const Kernel &kernel) {
  Vec even = splat(0), odd = splat(0);
#pragma GCC unroll 9
  for (int k = 0; k < TAPS; k++) (k % 2 ? odd : even) += load(centre + kernel.offset[k]) * kernel.weight[k];
  return even + odd;
}

/// Adds the input gradient at a tile position: the taps run the other way.
inline Vec scatter(const float *centre, const Kernel &kernel) {
  Vec even = splat(0), odd = splat(0);
#pragma GCC unroll 9
  for (int k = 0; k < TAPS; k++) (k % 2 ? odd : even) += load(centre - kernel.offset[k]) * kernel.weight[k];
  return even + odd;
}

/// Mask of a branch's ReLU, all ones without one.
inline Mask active(Vec u, Vec scale, Vec shift, bool relu) { return relu ? u * scale + shift > 0.f : Mask{} - 1; }

} // namespace

extern "C" {

/// u[branch] = convolution of x with weights[branch] ([channels][9]), and norms [branches][4][padded(channels)].
/// affine and running hold, for each branch, {gamma, beta} and {mean, variance}.
void branches_forward(const int64_t *sizes, const float *x, const float *const *weights, const float *const *affine,
                      float *const *running, float *u, float *norms, float momentum, float epsilon) {
  Shape shape(sizes);
  std::vector<Partial<double>> totals(shape.branches, Partial<double>(2 * shape.stored));
  for_slices(shape.images, [&](int s, int64_t first, int64_t last) {
    std::vector<float> tile(shape.tile_values());
    for (int64_t i = first; i < last; i++)
      for (int64_t c = 0; c < shape.stored; c += LANES) {
        fill(shape, tile.data(), x + i * shape.height * shape.width * shape.stored + c);
        for (int64_t b = 0; b < shape.branches; b++) {
          Kernel kernel(shape, weights[b], c, shape.dilations[b]);
          float *out = u + b * shape.output_values() + i * shape.positions * shape.stored + c;
          Moments moments(correlate(tile.data() + shape.in_tile(0, 0), kernel));
          for (int64_t h = 0; h < shape.rows; h++)
            for (int64_t w = 0; w < shape.columns; w++, out += shape.stored) {
              Vec v = correlate(tile.data() + shape.in_tile(h * shape.stride, w * shape.stride), kernel);
              moments.add(v);
              store(out, v);
            }
          moments.add_to(totals[b][s] + c, shape.stored, shape.positions);
        }
      }
  });
  for (int64_t b = 0; b < shape.branches; b++)
    finish(totals[b], shape.images * shape.positions, shape.channels, affine[2 * b], affine[2 * b + 1], running[2 * b],
           running[2 * b + 1], momentum, epsilon, Norm(norms + b * 4 * shape.stored, shape.stored));
}

/// Per image and channel: how many positions pass the ReLU, and the sum of u over them; both [images][branches][stored].
void branches_pool(const int64_t *sizes, const float *u, float *norms, float *count, float *sum, int relu) {
  Shape shape(sizes);
  for_slices(shape.images, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      for (int64_t b = 0; b < shape.branches; b++) {
        Norm norm(norms + b * 4 * shape.stored, shape.stored);
        for (int64_t c = 0; c < shape.stored; c += LANES) {
          const float *from = u + b * shape.output_values() + i * shape.positions * shape.stored + c;
          Vec scale = load(norm.scale + c), shift = load(norm.shift + c), n = splat(0), total = splat(0);
          for (int64_t p = 0; p < shape.positions; p++, from += shape.stored) {
            Vec v = load(from);
            Mask mask = active(v, scale, shift, relu);
            n += keep(mask, splat(1));
            total += keep(mask, v);
          }
          int64_t at = (i * shape.branches + b) * shape.stored + c;
          store(count + at, n);
          store(sum + at, total);
        }
      }
  });
}

/// y = Σ attention[image][branch] · activation(u[branch]); attention null means 1.
void branches_select(const int64_t *sizes, const float *u, float *norms, const float *attention, float *y, int relu) {
  Shape shape(sizes);
  for_slices(shape.images, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      for (int64_t b = 0; b < shape.branches; b++) {
        Norm norm(norms + b * 4 * shape.stored, shape.stored);
        for (int64_t c = 0; c < shape.stored; c += LANES) {
          int64_t at = i * shape.positions * shape.stored + c;
          const float *from = u + b * shape.output_values() + at;
          float *to = y + at;
          Vec a = attention ? load(attention + (i * shape.branches + b) * shape.stored + c) : splat(1);
          // Attention is folded into scale and shift where no ReLU stands between, and the same holds with one, as a ≥ 0.
          Vec scale = a * load(norm.scale + c), shift = a * load(norm.shift + c);
          for (int64_t p = 0; p < shape.positions; p++, from += shape.stored, to += shape.stored) {
            Vec v = load(from) * scale + shift;
            v = relu ? ::relu(v) : v;
            store(to, b ? load(to) + v : v);
          }
        }
      }
  });
}

/// Sums over an image's positions of masked dy and of masked dy · u, [images][branches][stored].
void branches_reduce(const int64_t *sizes, const float *dy, const float *u, float *norms, float *sum, float *product,
                     int relu) {
  Shape shape(sizes);
  for_slices(shape.images, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      for (int64_t b = 0; b < shape.branches; b++) {
        Norm norm(norms + b * 4 * shape.stored, shape.stored);
        for (int64_t c = 0; c < shape.stored; c += LANES) {
          int64_t at = i * shape.positions * shape.stored + c;
          const float *from = u + b * shape.output_values() + at, *gradient = dy + at;
          Vec scale = load(norm.scale + c), shift = load(norm.shift + c), s = splat(0), q = splat(0);
          for (int64_t p = 0; p < shape.positions; p++, from += shape.stored, gradient += shape.stored) {
            Vec v = load(from), g = keep(active(v, scale, shift, relu), load(gradient));
            s += g;
            q += g * v;
          }
          int64_t to = (i * shape.branches + b) * shape.stored + c;
          store(sum + to, s);
          store(product + to, q);
        }
      }
  });
}

/// Backward of everything, given the four reductions. The gradient of a branch's activation is
/// attention · dy + pooled_gradient at every position; pooled_gradient ([images][branches][stored]) comes through the
/// global pool and may be null. affine_gradients is [branches][2][channels], weight_gradients [branches][channels][9].
void branches_backward(const int64_t *sizes, const float *dy, const float *x, const float *u, float *norms,
                       const float *const *weights, const float *attention, const float *pooled_gradient,
                       const float *active_count, const float *active_sum, const float *sum, const float *product,
                       float *dx, float *weight_gradients, float *affine_gradients, int relu) {
  Shape shape(sizes);
  int64_t stored = shape.stored, channels = shape.channels;
  std::vector<Backward> back;
  for (int64_t b = 0; b < shape.branches; b++) {
    Partial<double> first(stored), second(stored);
    for (int64_t i = 0; i < shape.images; i++)
      for (int64_t c = 0; c < stored; c++) {
        int64_t at = (i * shape.branches + b) * stored + c;
        double a = attention ? attention[at] : 1;
        first[0][c] += a * sum[at];
        second[0][c] += a * product[at];
        if (pooled_gradient) {
          first[0][c] += double(pooled_gradient[at]) * active_count[at];
          second[0][c] += double(pooled_gradient[at]) * active_sum[at];
        }
      }
    back.emplace_back(first, second, shape.images * shape.positions, channels, Norm(norms + b * 4 * stored, stored),
                      affine_gradients + 2 * b * channels, affine_gradients + (2 * b + 1) * channels);
  }
  Partial<float> gradient(shape.branches * TAPS * stored);
  for_slices(shape.images, [&](int s, int64_t first, int64_t last) {
    std::vector<float> tile(shape.tile_values()), outputs[MAX_BRANCHES];
    for (int64_t b = 0; b < shape.branches; b++) outputs[b].resize(shape.tile_values());
    for (int64_t i = first; i < last; i++)
      for (int64_t c = 0; c < stored; c += LANES) {
        fill(shape, tile.data(), x + i * shape.height * shape.width * stored + c);
        for (int64_t b = 0; b < shape.branches; b++) {
          Norm norm(norms + b * 4 * stored, stored);
          int64_t at = i * shape.positions * stored + c, image = (i * shape.branches + b) * stored + c;
          const float *from = u + b * shape.output_values() + at, *in = dy + at;
          Vec scale = load(norm.scale + c), shift = load(norm.shift + c);
          Vec a = attention ? load(attention + image) : splat(1), k = pooled_gradient ? load(pooled_gradient + image) : splat(0);
          Vec dy_factor = load(&back[b].a[c]), u_factor = load(&back[b].b[c]), constant = load(&back[b].d[c]);
          int64_t offset[TAPS];
          for (int t = 0; t < TAPS; t++) offset[t] = shape.tap(t, shape.dilations[b]);
          Vec dw[TAPS] = {};
          for (int64_t h = 0; h < shape.rows; h++)
            for (int64_t w = 0; w < shape.columns; w++, from += stored, in += stored) {
              Vec v = load(from), g = keep(active(v, scale, shift, relu), a * load(in) + k);
              Vec du = dy_factor * g + u_factor * v + constant;
              int64_t centre = shape.in_tile(h * shape.stride, w * shape.stride);
              store(outputs[b].data() + centre, du);
#pragma GCC unroll 9
              for (int t = 0; t < TAPS; t++) dw[t] += du * load(tile.data() + centre + offset[t]);
            }
          float *to = gradient[s] + b * TAPS * stored + c;
          for (int t = 0; t < TAPS; t++) store(to + t * stored, load(to + t * stored) + dw[t]);
        }
        float *image = dx + i * shape.height * shape.width * stored + c;
        for (int64_t b = 0; b < shape.branches; b++) {
          Kernel kernel(shape, weights[b], c, shape.dilations[b]);
          float *to = image;
          for (int64_t h = 0; h < shape.height; h++)
            for (int64_t w = 0; w < shape.width; w++, to += stored) {
              Vec v = scatter(outputs[b].data() + shape.in_tile(h, w), kernel);
              store(to, b ? load(to) + v : v);
            }
        }
      }
  });
  for (int64_t b = 0; b < shape.branches; b++)
    for (int64_t c = 0; c < channels; c++)
      for (int t = 0; t < TAPS; t++)
        weight_gradients[(b * channels + c) * TAPS + t] = gradient.sum((b * TAPS + t) * stored + c);
}
}
