// y = mean over positions of x: 32 threads share a quad's positions, 8 quads to a workgroup.
// Grid: x over groups of 8 quads, z over batch items.

override QUADS: u32 = 1u;
override POSITIONS: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

const COLUMNS = 8u;
const SLICES = 32u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

var<workgroup> sums: array<vec4f, COLUMNS * SLICES>;

@compute @workgroup_size(COLUMNS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let quad = group.x * COLUMNS + local.x;
  var sum = vec4f(0.0);
  if (quad < QUADS) {
    for (var p = local.y; p < POSITIONS; p += SLICES) {
      sum += x[group.z * X_ITEM + X_BASE + p * X_STRIDE + quad];
    }
  }
  sums[local.y * COLUMNS + local.x] = sum;
  workgroupBarrier();
  if (local.y == 0u && quad < QUADS) {
    for (var slice = 1u; slice < SLICES; slice++) {
      sum += sums[slice * COLUMNS + local.x];
    }
    y[group.z * Y_ITEM + Y_BASE + quad] = sum / f32(POSITIONS);
  }
}
