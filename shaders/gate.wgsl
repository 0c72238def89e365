// y = scale · g ∘ f(x), one quad per thread.
// Grid: x, then y, over positions × quads, z over batch items.

// f is 1, 1 where x is positive, x · (1 − x), x.
override KIND: u32 = 0u;
override QUADS: u32 = 1u;
override POSITIONS: u32 = 1u;
override G_ITEM: u32 = 1u;
override G_BASE: u32 = 0u;
override G_STRIDE: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

@group(0) @binding(0) var<storage, read> g: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> scale: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let position = index / QUADS;
  var result = g[id.z * G_ITEM + G_BASE + position * G_STRIDE + quad];
  if (KIND != 0u) {
    let by = x[id.z * X_ITEM + X_BASE + position * X_STRIDE + quad];
    if (KIND == 1u) {
      result = select(vec4f(0.0), result, by > vec4f(0.0));
    } else if (KIND == 2u) {
      result *= by * (1.0 - by);
    } else {
      result *= by;
    }
  }
  y[id.z * Y_ITEM + Y_BASE + position * Y_STRIDE + quad] = result * scale[quad];
}
