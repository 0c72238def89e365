// y = act(W·x + b), a fully connected layer. Each workgroup computes 8 quads of y; its threads share the quads of x.
// Grid: x over blocks of 8 quads, z over batch items.

override X_QUADS: u32 = 1u;
override Y_QUADS: u32 = 1u;
override RELU: u32 = 0u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
// Whether the weights are f16, two quads to an element.
override HALVES: u32 = 0u;

const BLOCK = 8u;
const PARTS = 16u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
// [lane of x][quad of y], then the bias.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

var<workgroup> partial: array<vec4f, 128>;

// Quad i of the weights.
fn weight(i: u32) -> vec4f {
  if (HALVES == 0u) {
    return bitcast<vec4f>(weights[i]);
  }
  let pair = weights[i / 2u];
  let quad = select(pair.xy, pair.zw, i % 2u == 1u);
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = group.x * BLOCK + local % BLOCK;
  var sum = vec4f(0.0);
  if (quad < Y_QUADS) {
    for (var k = local / BLOCK; k < X_QUADS; k += PARTS) {
      let row = k * 4u * Y_QUADS + quad;
      let w = mat4x4f(weight(row), weight(row + Y_QUADS), weight(row + 2u * Y_QUADS), weight(row + 3u * Y_QUADS));
      sum += w * x[group.z * X_ITEM + X_BASE + k];
    }
  }
  partial[local] = sum;
  workgroupBarrier();
  if (local >= BLOCK || quad >= Y_QUADS) {
    return;
  }
  sum = weight(X_QUADS * 4u * Y_QUADS + quad);
  for (var part = 0u; part < PARTS; part++) {
    sum += partial[part * BLOCK + local];
  }
  if (RELU != 0u) {
    sum = max(sum, vec4f(0.0));
  }
  y[group.z * Y_ITEM + Y_BASE + quad] = sum;
}
