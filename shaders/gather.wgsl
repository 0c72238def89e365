// Copies lanes of any view into lanes of a plain tensor, one lane per thread.
// Grid: x, then y, over positions × lanes of the output, z over batch items.

override LANES: u32 = 4u;
override POSITIONS: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

// Another step writes the lane.
const LEAVE = 0xffffffffu;
// The lane is padding.
const ZERO = 0xfffffffeu;

@group(0) @binding(0) var<storage, read> x: array<f32>;
// Per lane of the output: the float of x's position that it copies, LEAVE or ZERO.
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * LANES) {
    return;
  }
  let lane = index % LANES;
  let position = index / LANES;
  let source = table[lane];
  if (source == LEAVE) {
    return;
  }
  var value = 0.0;
  if (source != ZERO) {
    value = x[(id.z * X_ITEM + X_BASE + position * X_STRIDE) * 4u + source];
  }
  y[(id.z * Y_ITEM + Y_BASE + position * Y_STRIDE) * 4u + lane] = value;
}
