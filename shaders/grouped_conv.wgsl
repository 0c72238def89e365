// y = act(W∗x + b + residual): k×k convolutions with groups, or with one group, and strided transposed ones.
// Each thread computes COLUMNS quads, BLOCK apart, of PIXELS successive output positions.
// Grid: x over blocks of BLOCK · COLUMNS quads, y over groups of 64 / BLOCK tiles of PIXELS positions, z over batch items.

// 1, 2, 4 or 8.
override PIXELS: u32 = 8u;
// 1, 2 or 4; 1 with TABLE.
override COLUMNS: u32 = 1u;
override BLOCK: u32 = 8u;
override X_QUADS: u32 = 1u;
override Y_QUADS: u32 = 1u;
override IN_WIDTH: u32 = 1u;
override IN_HEIGHT: u32 = 1u;
override OUT_WIDTH: u32 = 1u;
override POSITIONS: u32 = 1u;
override KERNEL: u32 = 1u;
override STRIDE: u32 = 1u;
// Negative where a transposed convolution crops.
override PADDING: i32 = 0;
override DILATION: u32 = 1u;
// Input positions lie so far apart, with zeros between: the stride of a transposed convolution.
override SPREAD: u32 = 1u;
override RELU: u32 = 0u;
override RESIDUAL: u32 = 0u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;
override R_ITEM: u32 = 1u;
override R_BASE: u32 = 0u;
override R_STRIDE: u32 = 1u;
// Quads of x that each quad of y needs, and whether a table tells the first one, which is otherwise 0.
override COUNT: u32 = 1u;
override TABLE: u32 = 0u;
// Where the weights of a quad of y start, and the step from one lane of x to the next.
override W_QUAD: u32 = 1u;
override W_LANE: u32 = 1u;
// Whether the weights are f16, two quads to an element.
override HALVES: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> residual: array<vec4f>;
// For each quad of y: [tap][lane of x]; at the end the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4u>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

const OUTSIDE = 0xffffffffu;

// Quad i of the weights.
fn weight(i: u32) -> vec4f {
  if (HALVES == 0u) {
    return bitcast<vec4f>(weights[i]);
  }
  let pair = weights[i / 2u];
  let quad = select(pair.xy, pair.zw, i % 2u == 1u);
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

// Eight pixels, of which PIXELS count.
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

// Input column and row of the first tap of an output position; may be negative.
fn origin(position: u32) -> vec2i {
  return vec2i(vec2u(position % OUT_WIDTH, position / OUT_WIDTH) * STRIDE) - PADDING;
}

// First quad of a tap of x, or OUTSIDE.
fn address(item: u32, origin: vec2i, tap: vec2u) -> u32 {
  // A negative position wraps to one far outside.
  let spread = vec2u(origin + vec2i(tap * DILATION));
  let at = spread / SPREAD;
  // Without branches, which cost a software adapter more than the rest.
  let inside = (at.x < IN_WIDTH) & (at.y < IN_HEIGHT) & all(at * SPREAD == spread);
  return select(OUTSIDE, item * X_ITEM + X_BASE + (at.y * IN_WIDTH + at.x) * X_STRIDE, inside);
}

fn load(start: u32, k: u32) -> vec4f {
  return select(vec4f(0.0), x[start + k], start != OUTSIDE);
}

// The 4×4 weights of the lanes of a quad of x; `before` is how many such quads of all taps precede it.
fn block(before: u32, quad: u32) -> mat4x4f {
  let i = min(quad, Y_QUADS - 1u) * W_QUAD + before * 4u * W_LANE;
  return mat4x4f(weight(i), weight(i + W_LANE), weight(i + 2u * W_LANE), weight(i + 3u * W_LANE));
}

fn bias(quad: u32) -> Pixels {
  let b = weight(KERNEL * KERNEL * COUNT * 4u * Y_QUADS + min(quad, Y_QUADS - 1u));
  return Pixels(b, b, b, b, b, b, b, b);
}

fn add_product(sums: Pixels, w: mat4x4f, x: Pixels) -> Pixels {
  var r = sums;
  r.a += w * x.a;
  if (PIXELS > 1u) {
    r.b += w * x.b;
  }
  if (PIXELS > 2u) {
    r.c += w * x.c;
    r.d += w * x.d;
  }
  if (PIXELS > 4u) {
    r.e += w * x.e;
    r.f += w * x.f;
    r.g += w * x.g;
    r.h += w * x.h;
  }
  return r;
}

fn store(item: u32, position: u32, quad: u32, sum: vec4f) {
  if (position >= POSITIONS || quad >= Y_QUADS) {
    return;
  }
  var result = sum;
  if (RESIDUAL != 0u) {
    result += residual[item * R_ITEM + R_BASE + position * R_STRIDE + quad];
  }
  if (RELU != 0u) {
    result = max(result, vec4f(0.0));
  }
  y[item * Y_ITEM + Y_BASE + position * Y_STRIDE + quad] = result;
}

fn store_all(item: u32, first: u32, quad: u32, sums: Pixels) {
  store(item, first, quad, sums.a);
  if (PIXELS > 1u) {
    store(item, first + 1u, quad, sums.b);
  }
  if (PIXELS > 2u) {
    store(item, first + 2u, quad, sums.c);
    store(item, first + 3u, quad, sums.d);
  }
  if (PIXELS > 4u) {
    store(item, first + 4u, quad, sums.e);
    store(item, first + 5u, quad, sums.f);
    store(item, first + 6u, quad, sums.g);
    store(item, first + 7u, quad, sums.h);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group.x * BLOCK * COLUMNS + local % BLOCK;
  let first = (group.y * (64u / BLOCK) + local / BLOCK) * PIXELS;
  if (quad >= Y_QUADS || first >= POSITIONS) {
    return;
  }
  let item = group.z;
  let o0 = origin(first);
  let o1 = origin(first + 1u);
  let o2 = origin(first + 2u);
  let o3 = origin(first + 3u);
  let o4 = origin(first + 4u);
  let o5 = origin(first + 5u);
  let o6 = origin(first + 6u);
  let o7 = origin(first + 7u);
  var s0 = bias(quad);
  var s1 = bias(quad + BLOCK);
  var s2 = bias(quad + 2u * BLOCK);
  var s3 = bias(quad + 3u * BLOCK);
  var start = 0u;
  if (TABLE != 0u) {
    start = table[quad];
  }
  var before = 0u;
  for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
    let at = vec2u(tap % KERNEL, tap / KERNEL);
    let p0 = address(item, o0, at);
    let p1 = address(item, o1, at);
    let p2 = address(item, o2, at);
    let p3 = address(item, o3, at);
    let p4 = address(item, o4, at);
    let p5 = address(item, o5, at);
    let p6 = address(item, o6, at);
    let p7 = address(item, o7, at);
    for (var k = start; k < start + COUNT; k++) {
      var inputs: Pixels;
      inputs.a = load(p0, k);
      if (PIXELS > 1u) {
        inputs.b = load(p1, k);
      }
      if (PIXELS > 2u) {
        inputs.c = load(p2, k);
        inputs.d = load(p3, k);
      }
      if (PIXELS > 4u) {
        inputs.e = load(p4, k);
        inputs.f = load(p5, k);
        inputs.g = load(p6, k);
        inputs.h = load(p7, k);
      }
      s0 = add_product(s0, block(before, quad), inputs);
      if (COLUMNS > 1u) {
        s1 = add_product(s1, block(before, quad + BLOCK), inputs);
      }
      if (COLUMNS > 2u) {
        s2 = add_product(s2, block(before, quad + 2u * BLOCK), inputs);
        s3 = add_product(s3, block(before, quad + 3u * BLOCK), inputs);
      }
      before++;
    }
  }
  store_all(item, first, quad, s0);
  if (COLUMNS > 1u) {
    store_all(item, first, quad + BLOCK, s1);
  }
  if (COLUMNS > 2u) {
    store_all(item, first, quad + 2u * BLOCK, s2);
    store_all(item, first, quad + 3u * BLOCK, s3);
  }
}
