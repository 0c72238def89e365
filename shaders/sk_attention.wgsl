// s = pool(U); z = ReLU(BN(W·s)); logits = V·z; softmax over branches; override. One workgroup per batch item.
// Every result lies in y at its own base, which also carries values from one phase to the next: C and d have no limit.
// Branch-major tensors start each branch at a new quad. Grid: z over batch items.

override BRANCHES: u32 = 1u;
override CHANNELS: u32 = 1u;
override QUADS: u32 = 1u;
override REDUCED_QUADS: u32 = 1u;
override PARTS: u32 = 1u;
override DIVISOR: u32 = 1u;
override P_ITEM: u32 = 1u;
override P_BASE: u32 = 0u;
override P_STRIDE: u32 = 1u;
override O_ITEM: u32 = 1u;
override O_BASE: u32 = 0u;
override Y_ITEM: u32 = 1u;
override POOLED_BASE: u32 = 0u;
override REDUCED_BASE: u32 = 0u;
override LOGITS_BASE: u32 = 0u;
override SOFTMAX_BASE: u32 = 0u;
override ATTENTION_BASE: u32 = 0u;

const THREADS = 256u;

@group(0) @binding(0) var<storage, read> partial_sums: array<vec4f>;
// Values of all branches, then masks of all branches.
@group(0) @binding(1) var<storage, read> overrides: array<vec4f>;
// [input channel][output quad], four input channels to a quad of the input.
@group(0) @binding(2) var<storage, read> reduce: array<vec4f>;
@group(0) @binding(3) var<storage, read> reduce_bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> expand: array<vec4f>;
@group(0) @binding(5) var<storage, read> expand_bias: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;

var<workgroup> shares: array<vec4f, THREADS>;

// Sum of the shares of a column, which the threads column, column + columns, … hold.
fn column_sum(column: u32, columns: u32, slices: u32) -> vec4f {
  var sum = vec4f(0.0);
  for (var slice = 0u; slice < slices; slice++) {
    sum += shares[slice * columns + column];
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let item = group.z * Y_ITEM;

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
      y[item + POOLED_BASE + quad] = column_sum(pool_column, pool_columns, pool_slices) / f32(DIVISOR);
    }
    workgroupBarrier();
  }
  storageBarrier();

  // z: the columns are quads of outputs, and the slices share the inputs.
  let columns = min(REDUCED_QUADS, THREADS);
  let slices = THREADS / columns;
  let column = thread % columns;
  let slice = thread / columns;
  for (var first = 0u; first < REDUCED_QUADS; first += columns) {
    let quad = first + column;
    var sum = vec4f(0.0);
    if (quad < REDUCED_QUADS && slice < slices) {
      for (var k = slice; k < QUADS; k += slices) {
        let s = y[item + POOLED_BASE + k];
        let w = k * 4u * REDUCED_QUADS + quad;
        sum += s.x * reduce[w] + s.y * reduce[w + REDUCED_QUADS] + s.z * reduce[w + 2u * REDUCED_QUADS]
          + s.w * reduce[w + 3u * REDUCED_QUADS];
      }
    }
    shares[thread] = sum;
    workgroupBarrier();
    if (quad < REDUCED_QUADS && slice == 0u) {
      let z = column_sum(column, columns, slices) + reduce_bias[quad];
      y[item + REDUCED_BASE + quad] = max(z, vec4f(0.0));
    }
    workgroupBarrier();
  }
  storageBarrier();

  let outputs = BRANCHES * QUADS;
  for (var quad = thread; quad < outputs; quad += THREADS) {
    var sum = expand_bias[quad];
    for (var k = 0u; k < REDUCED_QUADS; k++) {
      let z = y[item + REDUCED_BASE + k];
      let w = k * 4u * outputs + quad;
      sum += z.x * expand[w] + z.y * expand[w + outputs] + z.z * expand[w + 2u * outputs]
        + z.w * expand[w + 3u * outputs];
    }
    y[item + LOGITS_BASE + quad] = sum;
  }
  storageBarrier();

  for (var quad = thread; quad < QUADS; quad += THREADS) {
    let logits = item + LOGITS_BASE + quad;
    var largest = y[logits];
    for (var m = 1u; m < BRANCHES; m++) {
      largest = max(largest, y[logits + m * QUADS]);
    }
    var sum = vec4f(0.0);
    for (var m = 0u; m < BRANCHES; m++) {
      sum += exp(y[logits + m * QUADS] - largest);
    }
    let used = quad * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(CHANNELS);
    for (var m = 0u; m < BRANCHES; m++) {
      let k = m * QUADS + quad;
      let a = select(vec4f(0.0), exp(y[logits + m * QUADS] - largest) / sum, used);
      y[item + SOFTMAX_BASE + k] = a;
      let o = group.z * O_ITEM + O_BASE + k;
      y[item + ATTENTION_BASE + k] = select(a, overrides[o], overrides[o + outputs] != vec4f(0.0));
    }
  }
}
