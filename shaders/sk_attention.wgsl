// s = pool(U); z = ReLU(BN(W·s)); logits = V·z; softmax over branches; override; and, with POSITIONS, the Select behind
// it: v = Σ aₘ·Uₘ.
// A workgroup takes SLICE quads of channels and a part of the positions, and computes s and z, which are small, for itself.
// Branch-major tensors start each branch at a new quad.
// Grid: x over slices of channels, y over parts of the positions, z over batch items.

override BRANCHES: u32 = 1u;
override CHANNELS: u32 = 1u;
// At most 512.
override QUADS: u32 = 1u;
// At most 64.
override REDUCED_QUADS: u32 = 1u;
// In a workgroup: 64 to 256.
override THREADS: u32 = 256u;
// At most THREADS / BRANCHES.
override SLICE: u32 = 1u;
override PARTS: u32 = 1u;
override DIVISOR: u32 = 1u;
override P_ITEM: u32 = 1u;
override P_BASE: u32 = 0u;
override P_STRIDE: u32 = 1u;
// Positions of U and v; 0 without Select.
override POSITIONS: u32 = 0u;
override U_ITEM: u32 = 1u;
override U_BASE: u32 = 0u;
override U_STRIDE: u32 = 1u;
// From one branch to the next.
override U_STEP: u32 = 0u;
override V_ITEM: u32 = 1u;
override V_BASE: u32 = 0u;
override V_STRIDE: u32 = 1u;

// Quads of a batch item of the overrides, and the unit's first one; quads of a batch item of the results, and the first one
// of each of the unit's. No constants: units of one shape share a pipeline.
struct Places {
  override_item: u32,
  override_base: u32,
  item: u32,
  pooled: u32,
  reduced: u32,
  logits: u32,
  softmax: u32,
  attention: u32,
}

@group(0) @binding(0) var<storage, read> partial_sums: array<vec4f>;
// Values of all branches, then masks of all branches.
@group(0) @binding(1) var<storage, read> overrides: array<vec4f>;
// [input channel][output quad], four input channels to a quad of the input; then the bias.
@group(0) @binding(2) var<storage, read> reduce: array<vec4f>;
@group(0) @binding(3) var<storage, read> expand: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read> u: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(7) var<storage, read> places: Places;

var<workgroup> shares: array<vec4f, 256>;
var<workgroup> pooled: array<vec4f, 512>;
var<workgroup> reduced: array<vec4f, 64>;

// Sum of the shares of a column, which the threads column, column + columns, … hold.
fn column_sum(column: u32, columns: u32, slices: u32) -> vec4f {
  var sum = vec4f(0.0);
  for (var slice = 0u; slice < slices; slice++) {
    sum += shares[slice * columns + column];
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let item = group.z * places.item;

  // s: the columns are quads of channels, and the slices of threads share the parts.
  let pool_columns = min(QUADS, THREADS);
  let pool_slices = THREADS / pool_columns;
  let pool_column = thread % pool_columns;
  let pool_slice = thread / pool_columns;
  for (var first = 0u; first < QUADS; first += pool_columns) {
    let quad = first + pool_column;
    var sum = vec4f(0.0);
    if (quad < QUADS && pool_slice < pool_slices) {
      for (var p = pool_slice; p < PARTS; p += pool_slices) {
        sum += partial_sums[group.z * P_ITEM + P_BASE + p * P_STRIDE + quad];
      }
    }
    shares[thread] = sum;
    workgroupBarrier();
    if (quad < QUADS && pool_slice == 0u) {
      let s = column_sum(pool_column, pool_columns, pool_slices) / f32(DIVISOR);
      pooled[quad] = s;
      if (group.x == 0u && group.y == 0u) {
        y[item + places.pooled + quad] = s;
      }
    }
    workgroupBarrier();
  }

  // z: the columns are quads of outputs, and the slices share the inputs.
  let slices = THREADS / REDUCED_QUADS;
  let column = thread % REDUCED_QUADS;
  let slice = thread / REDUCED_QUADS;
  var sum = vec4f(0.0);
  for (var k = slice; k < select(0u, QUADS, slice < slices); k += slices) {
    let s = pooled[k];
    let w = k * 4u * REDUCED_QUADS + column;
    sum += s.x * reduce[w] + s.y * reduce[w + REDUCED_QUADS] + s.z * reduce[w + 2u * REDUCED_QUADS]
      + s.w * reduce[w + 3u * REDUCED_QUADS];
  }
  shares[thread] = sum;
  workgroupBarrier();
  if (slice == 0u) {
    let bias = reduce[QUADS * 4u * REDUCED_QUADS + column];
    let z = max(column_sum(column, REDUCED_QUADS, slices) + bias, vec4f(0.0));
    reduced[column] = z;
    if (group.x == 0u && group.y == 0u) {
      y[item + places.reduced + column] = z;
    }
  }
  workgroupBarrier();

  // The attention of the slice: thread m·SLICE + q for branch m and quad q.
  let outputs = BRANCHES * QUADS;
  let own = thread % SLICE;
  let quad = group.x * SLICE + own;
  let branch = thread / SLICE;
  let used = branch < BRANCHES && quad < QUADS;
  let output = branch * QUADS + quad;
  var logit = vec4f(0.0);
  if (used) {
    logit = expand[REDUCED_QUADS * 4u * outputs + output];
    for (var k = 0u; k < REDUCED_QUADS; k++) {
      let z = reduced[k];
      let w = k * 4u * outputs + output;
      logit += z.x * expand[w] + z.y * expand[w + outputs] + z.z * expand[w + 2u * outputs]
        + z.w * expand[w + 3u * outputs];
    }
  }
  shares[thread] = logit;
  workgroupBarrier();
  var a = vec4f(0.0);
  if (used) {
    var largest = shares[own];
    for (var m = 1u; m < BRANCHES; m++) {
      largest = max(largest, shares[m * SLICE + own]);
    }
    var total = vec4f(0.0);
    for (var m = 0u; m < BRANCHES; m++) {
      total += exp(shares[m * SLICE + own] - largest);
    }
    let channels = quad * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(CHANNELS);
    let softmax = select(vec4f(0.0), exp(logit - largest) / total, channels);
    let o = group.z * places.override_item + places.override_base + output;
    a = select(softmax, overrides[o], overrides[o + outputs] != vec4f(0.0));
    if (group.y == 0u) {
      y[item + places.logits + output] = logit;
      y[item + places.softmax + output] = softmax;
      y[item + places.attention + output] = a;
    }
  }
  workgroupBarrier();
  shares[thread] = a;
  workgroupBarrier();

  // v: the columns are the slice's quads.
  if (quad < QUADS) {
    let rows = THREADS / SLICE;
    for (var p = group.y * rows + branch; p < select(0u, POSITIONS, branch < rows); p += groups.y * rows) {
      let at = group.z * U_ITEM + U_BASE + p * U_STRIDE + quad;
      var selected = vec4f(0.0);
      for (var m = 0u; m < BRANCHES; m++) {
        selected += shares[m * SLICE + own] * u[at + m * U_STEP];
      }
      v[group.z * V_ITEM + V_BASE + p * V_STRIDE + quad] = selected;
    }
  }
}
