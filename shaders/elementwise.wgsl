// y = act(scale · Σ xᵢ + shift), one quad per thread.
// Grid: x, then y, over positions × quads, z over batch items.

override TERMS: u32 = 1u;
override QUADS: u32 = 1u;
override POSITIONS: u32 = 1u;
// 0 nothing, 1 ReLU, 2 sigmoid.
override ACTIVATION: u32 = 0u;
override A_ITEM: u32 = 1u;
override A_BASE: u32 = 0u;
override A_STRIDE: u32 = 1u;
override B_ITEM: u32 = 1u;
override B_BASE: u32 = 0u;
override B_STRIDE: u32 = 1u;
override C_ITEM: u32 = 1u;
override C_BASE: u32 = 0u;
override C_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read> c: array<vec4f>;
// Scale of each quad, then shift, then 1 where a lane is a channel.
@group(0) @binding(3) var<storage, read> norm: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let position = index / QUADS;
  var sum = a[id.z * A_ITEM + A_BASE + position * A_STRIDE + quad];
  if (TERMS > 1u) {
    sum += b[id.z * B_ITEM + B_BASE + position * B_STRIDE + quad];
  }
  if (TERMS > 2u) {
    sum += c[id.z * C_ITEM + C_BASE + position * C_STRIDE + quad];
  }
  sum = sum * norm[quad] + norm[QUADS + quad];
  if (ACTIVATION == 1u) {
    sum = max(sum, vec4f(0.0));
  } else if (ACTIVATION == 2u) {
    // Bounded, because exp must not overflow.
    sum = norm[2u * QUADS + quad] / (1.0 + exp(-max(sum, vec4f(-80.0))));
  }
  y[id.z * Y_ITEM + Y_BASE + position * Y_STRIDE + quad] = sum;
}
