// yₘ = aₘ·(gₘ − Σ aₖ·gₖ), with gₘ = 0 where the mask of the override is set; one quad of channels per thread.
// Grid: x over quads of C, z over batch items.

override BRANCHES: u32 = 1u;
// Quads of one branch.
override QUADS: u32 = 1u;
override OVERRIDE: u32 = 0u;
override G_ITEM: u32 = 1u;
override G_BASE: u32 = 0u;
override A_ITEM: u32 = 1u;
override A_BASE: u32 = 0u;
override O_ITEM: u32 = 1u;
override O_BASE: u32 = 0u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;

@group(0) @binding(0) var<storage, read> g: array<vec4f>;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
// Values of every branch, then masks.
@group(0) @binding(2) var<storage, read> overrides: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

fn gradient(item: u32, at: u32) -> vec4f {
  let value = g[item * G_ITEM + G_BASE + at];
  if (OVERRIDE == 0u) {
    return value;
  }
  let mask = overrides[item * O_ITEM + O_BASE + BRANCHES * QUADS + at];
  return select(vec4f(0.0), value, mask == vec4f(0.0));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= QUADS) {
    return;
  }
  var mean = vec4f(0.0);
  for (var m = 0u; m < BRANCHES; m++) {
    let at = m * QUADS + id.x;
    mean += a[id.z * A_ITEM + A_BASE + at] * gradient(id.z, at);
  }
  for (var m = 0u; m < BRANCHES; m++) {
    let at = m * QUADS + id.x;
    y[id.z * Y_ITEM + Y_BASE + at] = a[id.z * A_ITEM + A_BASE + at] * (gradient(id.z, at) - mean);
  }
}
