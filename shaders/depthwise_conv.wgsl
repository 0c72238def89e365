// y = act(W∗x + b + residual): each channel with its own k×k kernel.
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
override PADDING: u32 = 0u;
override DILATION: u32 = 1u;
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
// Whether the quads of x lie at the slots of the table.
override X_TABLE: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> residual: array<vec4f>;
// [tap][quad], then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

const OUTSIDE = 0xffffffffu;

// Input column and row of the first tap of an output position; may be negative.
fn origin(position: u32) -> vec2i {
  return vec2i(vec2u(position % OUT_WIDTH, position / OUT_WIDTH) * STRIDE) - i32(PADDING);
}

// First quad of a tap of x, or OUTSIDE.
fn address(item: u32, origin: vec2i, tap: vec2u) -> u32 {
  let at = vec2u(origin + vec2i(tap * DILATION));
  // Without branches, which cost a software adapter more than the rest.
  let inside = (at.x < IN_WIDTH) & (at.y < IN_HEIGHT);
  return select(OUTSIDE, item * X_ITEM + X_BASE + (at.y * IN_WIDTH + at.x) * X_STRIDE, inside);
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
  let bias = weights[KERNEL * KERNEL * Y_QUADS + quad];
  var s0 = bias;
  var s1 = bias;
  var s2 = bias;
  var s3 = bias;
  var s4 = bias;
  var s5 = bias;
  var s6 = bias;
  var s7 = bias;
  var k = quad;
  if (X_TABLE != 0u) {
    k = table[quad];
  }
  for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
    let at = vec2u(tap % KERNEL, tap / KERNEL);
    let w = weights[tap * Y_QUADS + quad];
    s0 += w * load(address(item, o0, at), k);
    if (PIXELS > 1u) {
      s1 += w * load(address(item, o1, at), k);
    }
    if (PIXELS > 2u) {
      s2 += w * load(address(item, o2, at), k);
      s3 += w * load(address(item, o3, at), k);
    }
    if (PIXELS > 4u) {
      s4 += w * load(address(item, o4, at), k);
      s5 += w * load(address(item, o5, at), k);
      s6 += w * load(address(item, o6, at), k);
      s7 += w * load(address(item, o7, at), k);
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
