// y = act(W·x + b + residual): a 1×1 convolution. Each thread computes COLUMNS quads, BLOCK apart, of PIXELS
// successive output positions.
// With BRANCHES, x = Σ a·U over the branches of an SK unit.
// Grid: x over blocks of BLOCK · COLUMNS quads, y over groups of 64 / BLOCK tiles of PIXELS positions, z over batch items.

// 1, 2, 4 or 8.
override PIXELS: u32 = 8u;
// 1, 2 or 4.
override COLUMNS: u32 = 1u;
override BLOCK: u32 = 8u;
override X_QUADS: u32 = 1u;
override Y_QUADS: u32 = 1u;
override IN_WIDTH: u32 = 1u;
override OUT_WIDTH: u32 = 1u;
override POSITIONS: u32 = 1u;
override STRIDE: u32 = 1u;
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
// Whether the quads of x or y lie at the slots of the table.
override X_TABLE: u32 = 0u;
override Y_TABLE: u32 = 0u;
// Branches of Select, 0 without, and quads from one to the next.
override BRANCHES: u32 = 0u;
override BRANCH_STEP: u32 = 0u;
override A_ITEM: u32 = 1u;
override A_BASE: u32 = 0u;
// Whether the weights are f16, two quads to an element.
override HALVES: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
// Branch-major attention.
@group(0) @binding(1) var<storage, read> attention: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
// [lane of x][quad of y], then the bias.
@group(0) @binding(3) var<storage, read> weights: array<vec4u>;
// Slots of x, then slots of y.
@group(0) @binding(4) var<storage, read> table: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;

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

// First quad of the input of an output position; the last position stands for those past the end.
fn address(item: u32, position: u32) -> u32 {
  let p = min(position, POSITIONS - 1u);
  var source = p;
  if (STRIDE != 1u) {
    source = (p / OUT_WIDTH) * STRIDE * IN_WIDTH + (p % OUT_WIDTH) * STRIDE;
  }
  return item * X_ITEM + X_BASE + source * X_STRIDE;
}

// Quad k of x.
fn load(item: u32, start: u32, k: u32) -> vec4f {
  if (BRANCHES == 0u) {
    return x[start + k];
  }
  var sum = vec4f(0.0);
  for (var m = 0u; m < BRANCHES; m++) {
    sum += attention[item * A_ITEM + A_BASE + m * X_QUADS + k] * x[start + m * BRANCH_STEP + k];
  }
  return sum;
}

// The 4×4 weights of the lanes of a quad of x, whose first row starts at `row`.
fn block(row: u32, quad: u32) -> mat4x4f {
  let i = row + min(quad, Y_QUADS - 1u);
  return mat4x4f(weight(i), weight(i + Y_QUADS), weight(i + 2u * Y_QUADS), weight(i + 3u * Y_QUADS));
}

fn bias(quad: u32) -> Pixels {
  let b = weight(X_QUADS * 4u * Y_QUADS + min(quad, Y_QUADS - 1u));
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
  var slot = quad;
  if (Y_TABLE != 0u) {
    slot = table[X_QUADS + quad];
  }
  var result = sum;
  if (RESIDUAL != 0u) {
    result += residual[item * R_ITEM + R_BASE + position * R_STRIDE + quad];
  }
  if (RELU != 0u) {
    result = max(result, vec4f(0.0));
  }
  y[item * Y_ITEM + Y_BASE + position * Y_STRIDE + slot] = result;
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
  let p0 = address(item, first);
  let p1 = address(item, first + 1u);
  let p2 = address(item, first + 2u);
  let p3 = address(item, first + 3u);
  let p4 = address(item, first + 4u);
  let p5 = address(item, first + 5u);
  let p6 = address(item, first + 6u);
  let p7 = address(item, first + 7u);
  var s0 = bias(quad);
  var s1 = bias(quad + BLOCK);
  var s2 = bias(quad + 2u * BLOCK);
  var s3 = bias(quad + 3u * BLOCK);
  for (var q = 0u; q < X_QUADS; q++) {
    var k = q;
    if (X_TABLE != 0u) {
      k = table[q];
    }
    var inputs: Pixels;
    inputs.a = load(item, p0, k);
    if (PIXELS > 1u) {
      inputs.b = load(item, p1, k);
    }
    if (PIXELS > 2u) {
      inputs.c = load(item, p2, k);
      inputs.d = load(item, p3, k);
    }
    if (PIXELS > 4u) {
      inputs.e = load(item, p4, k);
      inputs.f = load(item, p5, k);
      inputs.g = load(item, p6, k);
      inputs.h = load(item, p7, k);
    }
    let row = q * 4u * Y_QUADS;
    s0 = add_product(s0, block(row, quad), inputs);
    if (COLUMNS > 1u) {
      s1 = add_product(s1, block(row, quad + BLOCK), inputs);
    }
    if (COLUMNS > 2u) {
      s2 = add_product(s2, block(row, quad + 2u * BLOCK), inputs);
      s3 = add_product(s3, block(row, quad + 3u * BLOCK), inputs);
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
