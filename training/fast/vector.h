// Vectors of eight floats, padding, and the split of a batch into slices.
#pragma once
#include <cstdint>
#include <vector>

typedef float Vec __attribute__((vector_size(32)));
typedef float LooseVec __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t Mask __attribute__((vector_size(32)));

constexpr int LANES = 8;

static inline Vec load(const float *p) { return *(const LooseVec *)p; }
static inline void store(float *p, Vec v) { *(LooseVec *)p = v; }
static inline Vec splat(float x) { return Vec{x, x, x, x, x, x, x, x}; }
static inline Vec keep(Mask mask, Vec v) { return (Vec)(mask & (Mask)v); }
static inline Vec relu(Vec v) { return keep(v > 0.f, v); }

/// Channels as stored: rounded up to whole vectors. The lanes above hold zero.
static inline int64_t padded(int64_t channels) { return (channels + LANES - 1) / LANES * LANES; }

/// Reductions over a batch are summed within this many slices and then over them, in order,
/// so that a result does not depend on the number of threads.
constexpr int SLICES = 4;

/// Calls body(slice, first, last) for all slices of 0..count.
template <class Body> static inline void for_slices(int64_t count, Body body) {
#pragma omp parallel for schedule(static)
  for (int s = 0; s < SLICES; s++) body(s, count * s / SLICES, count * (s + 1) / SLICES);
}

/// One zeroed row of `width` values for each slice.
template <class T> struct Partial {
  int64_t width;
  std::vector<T> values;
  explicit Partial(int64_t width) : width(width), values(width * SLICES) {}
  T *operator[](int slice) { return values.data() + slice * width; }
  T sum(int64_t i) const {
    T total = 0;
    for (int s = 0; s < SLICES; s++) total += values[s * width + i];
    return total;
  }
};
