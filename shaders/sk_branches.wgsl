// Uₘ = ReLU(BN(conv_m(x))) for every branch, and partial sums of Σ Uₘ over positions.
// A thread computes one output quad of a strip of four neighbouring pixels; a workgroup covers 8 quads of 8 strips and
// sums them. Weights are block-sparse: an output quad reads IN_QUADS input quads from first_quad() on.
// Grid: x over groups of 8 quads, y over parts (groups of 8 strips, counted row by row), z over batch items.

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

const STRIP = 4u;
const COLUMNS = 8u;
const STRIPS = 8u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
// [branch][output quad][tap][input quad][input lane], depthwise without the last two.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;
// [branch][output quad]
@group(0) @binding(2) var<storage, read> biases: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> u: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> partial_sums: array<vec4f>;

var<workgroup> sums: array<vec4f, COLUMNS * STRIPS>;

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

// Branch m of the strip that starts at (row, column) of the output: stores it and returns the sum of its pixels.
fn branch(m: u32, dilation: u32, item: u32, quad: u32, row: u32, column: u32) -> vec4f {
  let reach = i32(dilation * (KERNEL / 2u));
  let step = i32(STRIDE);
  // By how many pixels of the strip one tap is ahead of the one before: what it can take over of its input.
  var ahead = STRIP;
  if (dilation % STRIDE == 0u) {
    ahead = min(dilation / STRIDE, STRIP);
  }
  let bias = biases[m * QUADS + quad];
  var u0 = bias;
  var u1 = bias;
  var u2 = bias;
  var u3 = bias;
  for (var ky = 0u; ky < KERNEL; ky++) {
    let y = i32(row * STRIDE + ky * dilation) - reach;
    // A row outside has no columns: cheaper than a branch where the threads of a subgroup lie in different rows.
    let inside = u32(y) < HEIGHT;
    let width = select(0u, WIDTH, inside);
    let start = item * X_ITEM + X_BASE + select(0u, u32(y), inside) * WIDTH * X_STRIDE + first_quad(quad);
    for (var k = 0u; k < IN_QUADS; k++) {
      let line = start + k;
      var at = i32(column * STRIDE) - reach;
      var x0 = load(line, width, at);
      var x1 = load(line, width, at + step);
      var x2 = load(line, width, at + 2 * step);
      var x3 = load(line, width, at + 3 * step);
      for (var kx = 0u; kx < KERNEL; kx++) {
        if (kx > 0u) {
          at += i32(dilation);
          if (ahead == 1u) {
            x0 = x1;
            x1 = x2;
            x2 = x3;
          } else if (ahead == 2u) {
            x0 = x2;
            x1 = x3;
            x2 = load(line, width, at + 2 * step);
          } else if (ahead == 3u) {
            x0 = x3;
            x1 = load(line, width, at + step);
            x2 = load(line, width, at + 2 * step);
          } else {
            x0 = load(line, width, at);
            x1 = load(line, width, at + step);
            x2 = load(line, width, at + 2 * step);
          }
          x3 = load(line, width, at + 3 * step);
        }
        let pair = ((m * QUADS + quad) * KERNEL * KERNEL + ky * KERNEL + kx) * IN_QUADS + k;
        if (GROUP == 1u) {
          let w = weight(pair);
          u0 += w * x0;
          u1 += w * x1;
          u2 += w * x2;
          u3 += w * x3;
        } else {
          let w = mat4x4f(weight(pair * 4u), weight(pair * 4u + 1u), weight(pair * 4u + 2u), weight(pair * 4u + 3u));
          u0 += w * x0;
          u1 += w * x1;
          u2 += w * x2;
          u3 += w * x3;
        }
      }
    }
  }
  let start = item * U_ITEM + U_BASE + m * U_STEP + (row * OUT_WIDTH + column) * U_STRIDE + quad;
  u0 = max(u0, vec4f(0.0));
  u[start] = u0;
  var sum = u0;
  if (column + 1u < OUT_WIDTH) {
    u1 = max(u1, vec4f(0.0));
    u[start + U_STRIDE] = u1;
    sum += u1;
  }
  if (column + 2u < OUT_WIDTH) {
    u2 = max(u2, vec4f(0.0));
    u[start + 2u * U_STRIDE] = u2;
    sum += u2;
  }
  if (column + 3u < OUT_WIDTH) {
    u3 = max(u3, vec4f(0.0));
    u[start + 3u * U_STRIDE] = u3;
    sum += u3;
  }
  return sum;
}

@compute @workgroup_size(COLUMNS, STRIPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let quad = group.x * COLUMNS + local.x;
  let per_row = (OUT_WIDTH + STRIP - 1u) / STRIP;
  let strip = group.y * STRIPS + local.y;
  let row = strip / per_row;
  let column = strip % per_row * STRIP;
  var sum = vec4f(0.0);
  if (quad < QUADS && row < OUT_HEIGHT) {
    sum = branch(0u, DILATION_0, group.z, quad, row, column);
    if (BRANCHES > 1u) {
      sum += branch(1u, DILATION_1, group.z, quad, row, column);
    }
    if (BRANCHES > 2u) {
      sum += branch(2u, DILATION_2, group.z, quad, row, column);
    }
  }
  sums[local.y * COLUMNS + local.x] = sum;
  workgroupBarrier();
  if (local.y == 0u && quad < QUADS) {
    for (var other = 1u; other < STRIPS; other++) {
      sum += sums[other * COLUMNS + local.x];
    }
    partial_sums[group.z * S_ITEM + S_BASE + group.y * S_STRIDE + quad] = sum;
  }
}
