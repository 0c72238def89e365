// Matrix products for tall activations and small weights, register-tiled.
#pragma once
#include "vector.h"
#include <algorithm>

constexpr int TILE_ROWS = 6, PANEL = 2 * LANES;

/// A matrix that may be transposed: element (r, c) is data[r * row + c * column].
struct Strided {
  const float *data;
  int64_t row, column;
};

/// c[R][V vectors] (= or +=) a[R][depth] · b[depth][V vectors]; b's rows are b_row apart.
template <int R, int V>
static inline void tile(Strided a, const float *b, int64_t b_row, float *c, int64_t c_row, int64_t depth, bool add) {
  Vec sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[r][v] = add ? load(c + r * c_row + v * LANES) : splat(0);
  for (int64_t k = 0; k < depth; k++) {
    Vec right[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) right[v] = load(b + k * b_row + v * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      Vec left = splat(a.data[r * a.row + k * a.column]);
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) sum[r][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) store(c + r * c_row + v * LANES, sum[r][v]);
}

/// One panel of V vectors: tiles of six rows, then the rest.
template <int V>
static void panel(Strided a, int64_t rows, const float *b, int64_t b_row, float *c, int64_t c_row, int64_t depth,
                  bool add) {
  int64_t r = 0;
  auto at = [&](int64_t row) { return Strided{a.data + row * a.row, a.row, a.column}; };
  for (; r + TILE_ROWS <= rows; r += TILE_ROWS) tile<TILE_ROWS, V>(at(r), b, b_row, c + r * c_row, c_row, depth, add);
  for (; r + 2 <= rows; r += 2) tile<2, V>(at(r), b, b_row, c + r * c_row, c_row, depth, add);
  for (; r < rows; r++) tile<1, V>(at(r), b, b_row, c + r * c_row, c_row, depth, add);
}

/// A small right-hand matrix [depth][columns], stored panel by panel. Columns beyond the source are zero.
struct Packed {
  int64_t depth, columns;
  std::vector<float> values;
  /// Packs source elements (k, c) for k < source_depth and c < source_columns; both are padded to whole vectors.
  Packed(Strided source, int64_t source_depth, int64_t source_columns)
      : depth(padded(source_depth)), columns(padded(source_columns)), values(depth * columns) {
    for (int64_t c = 0; c < source_columns; c++) {
      int64_t first = c / PANEL * PANEL, width = std::min<int64_t>(PANEL, columns - first);
      float *to = values.data() + first * depth + (c - first);
      for (int64_t k = 0; k < source_depth; k++) to[k * width] = source.data[k * source.row + c * source.column];
    }
  }
};

/// c[rows][b.columns] = a[rows][b.depth] · b; rows of a and c are contiguous.
static void multiply(const float *a, int64_t rows, const Packed &b, float *c) {
  Strided left{a, b.depth, 1};
  for (int64_t p = 0; p < b.columns; p += PANEL) {
    const float *right = b.values.data() + p * b.depth;
    if (b.columns - p >= PANEL) panel<2>(left, rows, right, PANEL, c + p, b.columns, b.depth, false);
    else panel<1>(left, rows, right, LANES, c + p, b.columns, b.depth, false);
  }
}

/// c[m][n] += aᵀ · b for a[rows][m] and b[rows][n], all contiguous; m and n are whole vectors.
static void multiply_transposed(const float *a, int64_t m, const float *b, int64_t n, int64_t rows, float *c) {
  Strided left{a, 1, m};
  for (int64_t p = 0; p < n; p += PANEL) {
    if (n - p >= PANEL) panel<2>(left, m, b + p, n, c + p, n, rows, true);
    else panel<1>(left, m, b + p, n, c + p, n, rows, true);
  }
}
