// Uₘ = ReLU(BN(conv_m(x))) for every branch, and partial sums of Σ Uₘ over positions.
// A thread computes one output quad of a strip of eight neighbouring pixels and their sum, in all branches. Threads do not
// meet: a barrier makes software adapters take half as long again for all the rest.
// Weights are block-sparse: an output quad reads IN_QUADS input quads from first_quad() on.
// Grid: x over groups of 8 quads, y over groups of 8 strips, counted row by row, z over batch items.

override BRANCHES: u32 = 1u;
override KERNEL: u32 = 3u;
override STRIDE: u32 = 1u;
override DILATION_0: u32 = 1u;
override DILATION_1: u32 = 1u;
override DILATION_2: u32 = 1u;
// Channels per group; 1 is depthwise.
override GROUP: u32 = 1u;
override QUADS: u32 = 1u;
override IN_QUADS: u32 = 1u;
override HEIGHT: u32 = 1u;
override WIDTH: u32 = 1u;
override OUT_HEIGHT: u32 = 1u;
override OUT_WIDTH: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override U_ITEM: u32 = 1u;
override U_BASE: u32 = 0u;
override U_STRIDE: u32 = 1u;
// From one branch to the next.
override U_STEP: u32 = 0u;
override S_ITEM: u32 = 1u;
override S_BASE: u32 = 0u;
override S_STRIDE: u32 = 1u;
// Whether the weights are f16, two quads to an element.
override HALVES: u32 = 0u;

const STRIP = 8u;
const COLUMNS = 8u;
const STRIPS = 8u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
// [branch][output quad][tap][input quad][input lane], depthwise without the last two.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;
// [branch][output quad]
@group(0) @binding(2) var<storage, read> biases: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> u: array<vec4f>;
// One for each strip.
@group(0) @binding(4) var<storage, read_write> partial_sums: array<vec4f>;

// Quad i of the weights.
fn weight(i: u32) -> vec4f {
  if (HALVES == 0u) {
    return bitcast<vec4f>(weights[i]);
  }
  let pair = weights[i / 2u];
  let quad = select(pair.xy, pair.zw, i % 2u == 1u);
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

fn first_quad(quad: u32) -> u32 {
  return min(quad * 4u / GROUP * GROUP / 4u, QUADS - IN_QUADS);
}

// The input at a column of the row that starts at `line` and has `width` columns; zero outside.
fn load(line: u32, width: u32, column: i32) -> vec4f {
  let inside = u32(column) < width;
  return select(vec4f(0.0), x[line + select(0u, u32(column), inside) * X_STRIDE], inside);
}

// A strip.
struct Pixels {
  a: vec4f,
  b: vec4f,
  c: vec4f,
  d: vec4f,
  e: vec4f,
  f: vec4f,
  g: vec4f,
  h: vec4f,
}

// The inputs of a strip's tap, from those of the tap before, `dilation` columns earlier.
fn next(before: Pixels, dilation: u32, line: u32, width: u32, at: i32) -> Pixels {
  let step = i32(STRIDE);
  var x: Pixels;
  // By how many pixels of the strip one tap is ahead of the one before: what it can take over of its input.
  if (dilation == STRIDE) {
    x = Pixels(before.b, before.c, before.d, before.e, before.f, before.g, before.h, vec4f(0.0));
  } else if (dilation == 2u * STRIDE) {
    x = Pixels(before.c, before.d, before.e, before.f, before.g, before.h, load(line, width, at + 6 * step), vec4f(0.0));
  } else {
    x.a = load(line, width, at);
    x.b = load(line, width, at + step);
    x.c = load(line, width, at + 2 * step);
    x.d = load(line, width, at + 3 * step);
    x.e = load(line, width, at + 4 * step);
    x.f = load(line, width, at + 5 * step);
    x.g = load(line, width, at + 6 * step);
  }
  x.h = load(line, width, at + 7 * step);
  return x;
}

fn add_tap(sums: Pixels, pair: u32, x: Pixels) -> Pixels {
  var r = sums;
  if (GROUP == 1u) {
    let w = weight(pair);
    r.a += w * x.a;
    r.b += w * x.b;
    r.c += w * x.c;
    r.d += w * x.d;
    r.e += w * x.e;
    r.f += w * x.f;
    r.g += w * x.g;
    r.h += w * x.h;
  } else {
    let i = pair * 4u;
    let w = mat4x4f(weight(i), weight(i + 1u), weight(i + 2u), weight(i + 3u));
    r.a += w * x.a;
    r.b += w * x.b;
    r.c += w * x.c;
    r.d += w * x.d;
    r.e += w * x.e;
    r.f += w * x.f;
    r.g += w * x.g;
    r.h += w * x.h;
  }
  return r;
}

fn store(at: u32, column: u32, value: vec4f) -> vec4f {
  if (column >= OUT_WIDTH) {
    return vec4f(0.0);
  }
  let result = max(value, vec4f(0.0));
  u[at] = result;
  return result;
}

// Branch m of the strip that starts at (row, column) of the output: stores it and returns the sum of its pixels.
fn branch(m: u32, dilation: u32, item: u32, quad: u32, row: u32, column: u32) -> vec4f {
  let reach = i32(dilation * (KERNEL / 2u));
  let step = i32(STRIDE);
  let bias = biases[m * QUADS + quad];
  var sums = Pixels(bias, bias, bias, bias, bias, bias, bias, bias);
  for (var ky = 0u; ky < KERNEL; ky++) {
    let y = i32(row * STRIDE + ky * dilation) - reach;
    // A row outside has no columns: cheaper than a branch where the threads of a subgroup lie in different rows.
    let inside = u32(y) < HEIGHT;
    let width = select(0u, WIDTH, inside);
    let start = item * X_ITEM + X_BASE + select(0u, u32(y), inside) * WIDTH * X_STRIDE + first_quad(quad);
    for (var k = 0u; k < IN_QUADS; k++) {
      let line = start + k;
      let at = i32(column * STRIDE) - reach;
      let pair = ((m * QUADS + quad) * KERNEL + ky) * KERNEL * IN_QUADS + k;
      var x = Pixels(
        load(line, width, at),
        load(line, width, at + step),
        load(line, width, at + 2 * step),
        load(line, width, at + 3 * step),
        load(line, width, at + 4 * step),
        load(line, width, at + 5 * step),
        load(line, width, at + 6 * step),
        load(line, width, at + 7 * step),
      );
      sums = add_tap(sums, pair, x);
      if (KERNEL == 3u) {
        // Without a loop, at each turn of which a software adapter would copy everything.
        x = next(x, dilation, line, width, at + i32(dilation));
        sums = add_tap(sums, pair + IN_QUADS, x);
        x = next(x, dilation, line, width, at + 2 * i32(dilation));
        sums = add_tap(sums, pair + 2u * IN_QUADS, x);
      } else {
        for (var kx = 1u; kx < KERNEL; kx++) {
          x = next(x, dilation, line, width, at + i32(kx * dilation));
          sums = add_tap(sums, pair + kx * IN_QUADS, x);
        }
      }
    }
  }
  let at = item * U_ITEM + U_BASE + m * U_STEP + (row * OUT_WIDTH + column) * U_STRIDE + quad;
  var sum = store(at, column, sums.a);
  sum += store(at + U_STRIDE, column + 1u, sums.b);
  sum += store(at + 2u * U_STRIDE, column + 2u, sums.c);
  sum += store(at + 3u * U_STRIDE, column + 3u, sums.d);
  sum += store(at + 4u * U_STRIDE, column + 4u, sums.e);
  sum += store(at + 5u * U_STRIDE, column + 5u, sums.f);
  sum += store(at + 6u * U_STRIDE, column + 6u, sums.g);
  sum += store(at + 7u * U_STRIDE, column + 7u, sums.h);
  return sum;
}

@compute @workgroup_size(COLUMNS, STRIPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let quad = group.x * COLUMNS + local.x;
  let per_row = (OUT_WIDTH + STRIP - 1u) / STRIP;
  let strip = group.y * STRIPS + local.y;
  let row = strip / per_row;
  let column = strip % per_row * STRIP;
  if (quad >= QUADS || row >= OUT_HEIGHT) {
    return;
  }
  var sum = branch(0u, DILATION_0, group.z, quad, row, column);
  if (BRANCHES > 1u) {
    sum += branch(1u, DILATION_1, group.z, quad, row, column);
  }
  if (BRANCHES > 2u) {
    sum += branch(2u, DILATION_2, group.z, quad, row, column);
  }
  partial_sums[group.z * S_ITEM + S_BASE + strip * S_STRIDE + quad] = sum;
}
