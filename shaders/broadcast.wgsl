// y[c, i, j] = x[c] / (H·W), one quad per thread.
// Grid: x, then y, over positions × quads, z over batch items.

override QUADS: u32 = 1u;
override POSITIONS: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let share = x[id.z * X_ITEM + X_BASE + quad] / f32(POSITIONS);
  y[id.z * Y_ITEM + Y_BASE + index / QUADS * Y_STRIDE + quad] = share;
}
