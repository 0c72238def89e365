// y = act(W∗x + b + residual): k×k convolutions with groups, or with one group, and strided transposed ones.
// Each thread computes one quad of PIXELS successive output positions.
// Grid: x over blocks of BLOCK quads, y over groups of 64 / BLOCK tiles of PIXELS positions, z over batch items.

// 1, 2, 4 or 8.
override PIXELS: u32 = 8u;
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

// Input column and row of the first tap of an output position; may be negative.
fn origin(position: u32) -> vec2i {
  return vec2i(vec2u(position % OUT_WIDTH, position / OUT_WIDTH) * STRIDE) - PADDING;
}

// First quad of a tap of x, or OUTSIDE.
fn address(item: u32, origin: vec2i, tap: vec2u) -> u32 {
  // A negative position wraps to one far outside.
  let spread = vec2u(origin + vec2i(tap * DILATION));
  let at = spread / SPREAD;
  if (at.x >= IN_WIDTH || at.y >= IN_HEIGHT || any(at * SPREAD != spread)) {
    return OUTSIDE;
  }
  return item * X_ITEM + X_BASE + (at.y * IN_WIDTH + at.x) * X_STRIDE;
}

fn load(start: u32, k: u32) -> vec4f {
  return select(vec4f(0.0), x[start + k], start != OUTSIDE);
}

fn store(item: u32, position: u32, quad: u32, sum: vec4f) {
  if (position >= POSITIONS) {
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group.x * BLOCK + local % BLOCK;
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
  let bias = weight(KERNEL * KERNEL * COUNT * 4u * Y_QUADS + quad);
  var s0 = bias;
  var s1 = bias;
  var s2 = bias;
  var s3 = bias;
  var s4 = bias;
  var s5 = bias;
  var s6 = bias;
  var s7 = bias;
  var start = 0u;
  if (TABLE != 0u) {
    start = table[quad];
  }
  var row = quad * W_QUAD;
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
      let w = mat4x4f(weight(row), weight(row + W_LANE), weight(row + 2u * W_LANE), weight(row + 3u * W_LANE));
      row += 4u * W_LANE;
      s0 += w * load(p0, k);
      if (PIXELS > 1u) {
        s1 += w * load(p1, k);
      }
      if (PIXELS > 2u) {
        s2 += w * load(p2, k);
        s3 += w * load(p3, k);
      }
      if (PIXELS > 4u) {
        s4 += w * load(p4, k);
        s5 += w * load(p5, k);
        s6 += w * load(p6, k);
        s7 += w * load(p7, k);
      }
    }
  }
  store(item, first, quad, s0);
  if (PIXELS > 1u) {
    store(item, first + 1u, quad, s1);
  }
  if (PIXELS > 2u) {
    store(item, first + 2u, quad, s2);
    store(item, first + 3u, quad, s3);
  }
  if (PIXELS > 4u) {
    store(item, first + 4u, quad, s4);
    store(item, first + 5u, quad, s5);
    store(item, first + 6u, quad, s6);
    store(item, first + 7u, quad, s7);
  }
}
