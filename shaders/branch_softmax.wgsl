// Softmax over branches, then where OVERRIDE is set the value wherever the mask is not zero; one quad of channels per
// thread. All tensors are branch-major: each branch starts a new quad.
// Grid: x over quads of channels, z over batch items.

override BRANCHES: u32 = 1u;
override CHANNELS: u32 = 1u;
override OVERRIDE: u32 = 0u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override O_ITEM: u32 = 1u;
override O_BASE: u32 = 0u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;

@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
// Values of all branches, then masks of all branches.
@group(0) @binding(1) var<storage, read> overrides: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quads = (CHANNELS + 3u) / 4u;
  if (id.x >= quads) {
    return;
  }
  let x = id.z * X_ITEM + X_BASE + id.x;
  var largest = logits[x];
  for (var m = 1u; m < BRANCHES; m++) {
    largest = max(largest, logits[x + m * quads]);
  }
  var sum = vec4f(0.0);
  for (var m = 0u; m < BRANCHES; m++) {
    sum += exp(logits[x + m * quads] - largest);
  }
  let used = id.x * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(CHANNELS);
  for (var m = 0u; m < BRANCHES; m++) {
    var a = exp(logits[x + m * quads] - largest) / sum;
    if (OVERRIDE != 0u) {
      let o = id.z * O_ITEM + O_BASE + m * quads + id.x;
      a = select(a, overrides[o], overrides[o + BRANCHES * quads] != vec4f(0.0));
    }
    y[id.z * Y_ITEM + Y_BASE + m * quads + id.x] = select(vec4f(0.0), a, used);
  }
}
