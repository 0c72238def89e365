// V = Σ aₘ·Uₘ over BRANCHES branches from branch FIRST on, one quad per thread; adds to V where FIRST is not 0.
// Grid: x, then y, over positions × quads, z over batch items.

override FIRST: u32 = 0u;
override BRANCHES: u32 = 1u;
override QUADS: u32 = 1u;
override POSITIONS: u32 = 1u;
override A_ITEM: u32 = 1u;
override A_BASE: u32 = 0u;
override U_ITEM: u32 = 1u;
override U_BASE: u32 = 0u;
override U_STRIDE: u32 = 1u;
// From one branch to the next.
override U_STEP: u32 = 0u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

// Branch-major: each branch starts a new quad.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> u: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let position = index / QUADS;
  let weights = id.z * A_ITEM + A_BASE + FIRST * QUADS + quad;
  let branch = id.z * U_ITEM + U_BASE + position * U_STRIDE + quad;
  let target_quad = id.z * Y_ITEM + Y_BASE + position * Y_STRIDE + quad;
  var sum = vec4f(0.0);
  if (FIRST > 0u) {
    sum = y[target_quad];
  }
  for (var m = 0u; m < BRANCHES; m++) {
    sum += a[weights + m * QUADS] * u[branch + m * U_STEP];
  }
  y[target_quad] = sum;
}
