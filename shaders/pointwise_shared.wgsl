// y = act(W·x + b + residual): a 1×1 convolution of contiguous quads, with workgroup memory.
// staged: a workgroup copies blocks of both matrices; grid: x over 16 quads of y, y over 64 positions, z over batch items.
// split: its threads share the quads of x; grid: x over 8 quads of y, y over 8 positions, z over batch items.

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
// Whether the weights are f16, two quads to an element.
override HALVES: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> residual: array<vec4f>;
// [lane of x][quad of y], then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

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

fn bias(quad: u32) -> vec4f {
  return weight(X_QUADS * 4u * Y_QUADS + min(quad, Y_QUADS - 1u));
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

// Positions, quads of y and quads of x in the blocks of a workgroup; a thread computes a quad of four positions.
const ROWS = 64u;
const COLUMNS = 16u;
const DEPTH = 4u;

// [position][quad of x] and [lane of x][quad of y].
var<workgroup> x_block: array<vec4f, 256>;
var<workgroup> w_block: array<vec4f, 256>;

@compute @workgroup_size(256)
fn staged(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let column = local % COLUMNS;
  let row = local / COLUMNS;
  let quad = group.x * COLUMNS + column;
  let first = group.y * ROWS + row * 4u;
  // The thread's element of each block: a quad of x at one position; a lane of x, for the quad of y above.
  let k = local % DEPTH;
  let source = address(group.z, group.y * ROWS + local / DEPTH);
  let w_column = min(quad, Y_QUADS - 1u);
  var s0 = bias(quad);
  var s1 = s0;
  var s2 = s0;
  var s3 = s0;
  for (var q = 0u; q < X_QUADS; q += DEPTH) {
    // Zeros past the end, so that it does not matter which weights stand there.
    let inside = q + k < X_QUADS;
    x_block[local] = select(vec4f(0.0), x[source + min(q + k, X_QUADS - 1u)], inside);
    w_block[local] = weight(min(q * 4u + row, X_QUADS * 4u - 1u) * Y_QUADS + w_column);
    workgroupBarrier();
    for (var i = 0u; i < DEPTH; i++) {
      let at = i * 4u * COLUMNS + column;
      let w = mat4x4f(w_block[at], w_block[at + COLUMNS], w_block[at + 2u * COLUMNS], w_block[at + 3u * COLUMNS]);
      let x_row = row * 4u * DEPTH + i;
      s0 += w * x_block[x_row];
      s1 += w * x_block[x_row + DEPTH];
      s2 += w * x_block[x_row + 2u * DEPTH];
      s3 += w * x_block[x_row + 3u * DEPTH];
    }
    workgroupBarrier();
  }
  store(group.z, first, quad, s0);
  store(group.z, first + 1u, quad, s1);
  store(group.z, first + 2u, quad, s2);
  store(group.z, first + 3u, quad, s3);
}

// Quads of y and shares of the quads of x in a workgroup.
const BLOCK = 8u;
const SHARES = 8u;
const THREADS = 64u;

// [position][share][quad of y].
var<workgroup> partial: array<vec4f, 512>;

@compute @workgroup_size(64)
fn split(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group.x * BLOCK + local % BLOCK;
  let share = local / BLOCK;
  let first = group.y * 8u;
  let w_column = min(quad, Y_QUADS - 1u);
  let p0 = address(group.z, first);
  let p1 = address(group.z, first + 1u);
  let p2 = address(group.z, first + 2u);
  let p3 = address(group.z, first + 3u);
  let p4 = address(group.z, first + 4u);
  let p5 = address(group.z, first + 5u);
  let p6 = address(group.z, first + 6u);
  let p7 = address(group.z, first + 7u);
  var s0 = vec4f(0.0);
  var s1 = s0;
  var s2 = s0;
  var s3 = s0;
  var s4 = s0;
  var s5 = s0;
  var s6 = s0;
  var s7 = s0;
  for (var q = share; q < X_QUADS; q += SHARES) {
    let row = q * 4u * Y_QUADS + w_column;
    let w = mat4x4f(weight(row), weight(row + Y_QUADS), weight(row + 2u * Y_QUADS), weight(row + 3u * Y_QUADS));
    s0 += w * x[p0 + q];
    s1 += w * x[p1 + q];
    s2 += w * x[p2 + q];
    s3 += w * x[p3 + q];
    s4 += w * x[p4 + q];
    s5 += w * x[p5 + q];
    s6 += w * x[p6 + q];
    s7 += w * x[p7 + q];
  }
  partial[local] = s0;
  partial[local + THREADS] = s1;
  partial[local + 2u * THREADS] = s2;
  partial[local + 3u * THREADS] = s3;
  partial[local + 4u * THREADS] = s4;
  partial[local + 5u * THREADS] = s5;
  partial[local + 6u * THREADS] = s6;
  partial[local + 7u * THREADS] = s7;
  workgroupBarrier();
  // From here on thread and share stand for a position.
  var sum = bias(quad);
  for (var other = 0u; other < SHARES; other++) {
    sum += partial[share * THREADS + other * BLOCK + local % BLOCK];
  }
  store(group.z, first + share, quad, sum);
}
