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

fn bias(quad: u32) -> vec4f {
  return weight(KERNEL * KERNEL * COUNT * 4u * Y_QUADS + min(quad, Y_QUADS - 1u));
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
  var a0 = bias(quad);
  var a1 = a0;
  var a2 = a0;
  var a3 = a0;
  var a4 = a0;
  var a5 = a0;
  var a6 = a0;
  var a7 = a0;
  var b0 = bias(quad + BLOCK);
  var b1 = b0;
  var b2 = b0;
  var b3 = b0;
  var b4 = b0;
  var b5 = b0;
  var b6 = b0;
  var b7 = b0;
  var c0 = bias(quad + 2u * BLOCK);
  var c1 = c0;
  var c2 = c0;
  var c3 = c0;
  var c4 = c0;
  var c5 = c0;
  var c6 = c0;
  var c7 = c0;
  var d0 = bias(quad + 3u * BLOCK);
  var d1 = d0;
  var d2 = d0;
  var d3 = d0;
  var d4 = d0;
  var d5 = d0;
  var d6 = d0;
  var d7 = d0;
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
      var x0 = vec4f(0.0);
      var x1 = vec4f(0.0);
      var x2 = vec4f(0.0);
      var x3 = vec4f(0.0);
      var x4 = vec4f(0.0);
      var x5 = vec4f(0.0);
      var x6 = vec4f(0.0);
      var x7 = vec4f(0.0);
      x0 = load(p0, k);
      if (PIXELS > 1u) {
        x1 = load(p1, k);
      }
      if (PIXELS > 2u) {
        x2 = load(p2, k);
        x3 = load(p3, k);
      }
      if (PIXELS > 4u) {
        x4 = load(p4, k);
        x5 = load(p5, k);
        x6 = load(p6, k);
        x7 = load(p7, k);
      }
      let wa = block(before, quad);
      a0 += wa * x0;
      if (PIXELS > 1u) {
        a1 += wa * x1;
      }
      if (PIXELS > 2u) {
        a2 += wa * x2;
        a3 += wa * x3;
      }
      if (PIXELS > 4u) {
        a4 += wa * x4;
        a5 += wa * x5;
        a6 += wa * x6;
        a7 += wa * x7;
      }
      if (COLUMNS > 1u) {
        let wb = block(before, quad + BLOCK);
        b0 += wb * x0;
        if (PIXELS > 1u) {
          b1 += wb * x1;
        }
        if (PIXELS > 2u) {
          b2 += wb * x2;
          b3 += wb * x3;
        }
        if (PIXELS > 4u) {
          b4 += wb * x4;
          b5 += wb * x5;
          b6 += wb * x6;
          b7 += wb * x7;
        }
      }
      if (COLUMNS > 2u) {
        let wc = block(before, quad + 2u * BLOCK);
        c0 += wc * x0;
        if (PIXELS > 1u) {
          c1 += wc * x1;
        }
        if (PIXELS > 2u) {
          c2 += wc * x2;
          c3 += wc * x3;
        }
        if (PIXELS > 4u) {
          c4 += wc * x4;
          c5 += wc * x5;
          c6 += wc * x6;
          c7 += wc * x7;
        }
        let wd = block(before, quad + 3u * BLOCK);
        d0 += wd * x0;
        if (PIXELS > 1u) {
          d1 += wd * x1;
        }
        if (PIXELS > 2u) {
          d2 += wd * x2;
          d3 += wd * x3;
        }
        if (PIXELS > 4u) {
          d4 += wd * x4;
          d5 += wd * x5;
          d6 += wd * x6;
          d7 += wd * x7;
        }
      }
      before++;
    }
  }
  store(item, first, quad, a0);
  if (PIXELS > 1u) {
    store(item, first + 1u, quad, a1);
  }
  if (PIXELS > 2u) {
    store(item, first + 2u, quad, a2);
    store(item, first + 3u, quad, a3);
  }
  if (PIXELS > 4u) {
    store(item, first + 4u, quad, a4);
    store(item, first + 5u, quad, a5);
    store(item, first + 6u, quad, a6);
    store(item, first + 7u, quad, a7);
  }
  if (COLUMNS > 1u) {
    store(item, first, quad + BLOCK, b0);
    if (PIXELS > 1u) {
      store(item, first + 1u, quad + BLOCK, b1);
    }
    if (PIXELS > 2u) {
      store(item, first + 2u, quad + BLOCK, b2);
      store(item, first + 3u, quad + BLOCK, b3);
    }
    if (PIXELS > 4u) {
      store(item, first + 4u, quad + BLOCK, b4);
      store(item, first + 5u, quad + BLOCK, b5);
      store(item, first + 6u, quad + BLOCK, b6);
      store(item, first + 7u, quad + BLOCK, b7);
    }
  }
  if (COLUMNS > 2u) {
    store(item, first, quad + 2u * BLOCK, c0);
    if (PIXELS > 1u) {
      store(item, first + 1u, quad + 2u * BLOCK, c1);
    }
    if (PIXELS > 2u) {
      store(item, first + 2u, quad + 2u * BLOCK, c2);
      store(item, first + 3u, quad + 2u * BLOCK, c3);
    }
    if (PIXELS > 4u) {
      store(item, first + 4u, quad + 2u * BLOCK, c4);
      store(item, first + 5u, quad + 2u * BLOCK, c5);
      store(item, first + 6u, quad + 2u * BLOCK, c6);
      store(item, first + 7u, quad + 2u * BLOCK, c7);
    }
    store(item, first, quad + 3u * BLOCK, d0);
    if (PIXELS > 1u) {
      store(item, first + 1u, quad + 3u * BLOCK, d1);
    }
    if (PIXELS > 2u) {
      store(item, first + 2u, quad + 3u * BLOCK, d2);
      store(item, first + 3u, quad + 3u * BLOCK, d3);
    }
    if (PIXELS > 4u) {
      store(item, first + 4u, quad + 3u * BLOCK, d4);
      store(item, first + 5u, quad + 3u * BLOCK, d5);
      store(item, first + 6u, quad + 3u * BLOCK, d6);
      store(item, first + 7u, quad + 3u * BLOCK, d7);
    }
  }
}
