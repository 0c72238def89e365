// y = act(W·x + b + residual): a 1×1 convolution. Each thread computes one quad of PIXELS successive output positions.
// With BRANCHES, x = Σ a·U over the branches of an SK unit.
// Grid: x over blocks of BLOCK quads, y over groups of 64 / BLOCK tiles of PIXELS positions, z over batch items.

// 1, 2, 4 or 8.
override PIXELS: u32 = 8u;
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

fn store(item: u32, position: u32, quad: u32, slot: u32, sum: vec4f) {
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
  y[item * Y_ITEM + Y_BASE + position * Y_STRIDE + slot] = result;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group.x * BLOCK + local % BLOCK;
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
  let bias = weight(X_QUADS * 4u * Y_QUADS + quad);
  var s0 = bias;
  var s1 = bias;
  var s2 = bias;
  var s3 = bias;
  var s4 = bias;
  var s5 = bias;
  var s6 = bias;
  var s7 = bias;
  var row = quad;
  for (var q = 0u; q < X_QUADS; q++) {
    var k = q;
    if (X_TABLE != 0u) {
      k = table[q];
    }
    let w = mat4x4f(weight(row), weight(row + Y_QUADS), weight(row + 2u * Y_QUADS), weight(row + 3u * Y_QUADS));
    row += 4u * Y_QUADS;
    s0 += w * load(item, p0, k);
    if (PIXELS > 1u) {
      s1 += w * load(item, p1, k);
    }
    if (PIXELS > 2u) {
      s2 += w * load(item, p2, k);
      s3 += w * load(item, p3, k);
    }
    if (PIXELS > 4u) {
      s4 += w * load(item, p4, k);
      s5 += w * load(item, p5, k);
      s6 += w * load(item, p6, k);
      s7 += w * load(item, p7, k);
    }
  }
  var slot = quad;
  if (Y_TABLE != 0u) {
    slot = table[X_QUADS + quad];
  }
  store(item, first, quad, slot, s0);
  if (PIXELS > 1u) {
    store(item, first + 1u, quad, slot, s1);
  }
  if (PIXELS > 2u) {
    store(item, first + 2u, quad, slot, s2);
    store(item, first + 3u, quad, slot, s3);
  }
  if (PIXELS > 4u) {
    store(item, first + 4u, quad, slot, s4);
    store(item, first + 5u, quad, slot, s5);
    store(item, first + 6u, quad, slot, s6);
    store(item, first + 7u, quad, slot, s7);
  }
}
