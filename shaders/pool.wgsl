// Maximum or mean over the part of the window inside x, one quad of one output position per thread.
// Grid: x, then y, over output positions × quads, z over batch items.

override AVERAGE: u32 = 0u;
override KERNEL: u32 = 2u;
override STRIDE: u32 = 2u;
override PADDING: u32 = 0u;
override QUADS: u32 = 1u;
override HEIGHT: u32 = 1u;
override WIDTH: u32 = 1u;
override OUT_WIDTH: u32 = 1u;
override POSITIONS: u32 = 1u;
override X_ITEM: u32 = 1u;
override X_BASE: u32 = 0u;
override X_STRIDE: u32 = 1u;
override Y_ITEM: u32 = 1u;
override Y_BASE: u32 = 0u;
override Y_STRIDE: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

// First index of the window inside the input.
fn window_start(o: u32) -> u32 {
  return max(o * STRIDE, PADDING) - PADDING;
}

// End of the window inside the input.
fn window_end(o: u32, size: u32) -> u32 {
  return min(max(o * STRIDE + KERNEL, PADDING) - PADDING, size);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= POSITIONS * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let position = index / QUADS;
  let oy = position / OUT_WIDTH;
  let ox = position % OUT_WIDTH;
  let item = id.z * X_ITEM + X_BASE + quad;
  let left = window_start(ox);
  let right = window_end(ox, WIDTH);
  let bottom = window_end(oy, HEIGHT);
  // A window always holds at least one position.
  let top = window_start(oy);
  var result = vec4f(0.0);
  if (AVERAGE == 0u) {
    result = x[item + (top * WIDTH + left) * X_STRIDE];
  }
  for (var row = top; row < bottom; row++) {
    for (var column = left; column < right; column++) {
      let pixel = x[item + (row * WIDTH + column) * X_STRIDE];
      if (AVERAGE == 0u) {
        result = max(result, pixel);
      } else {
        result += pixel;
      }
    }
  }
  if (AVERAGE != 0u) {
    result /= f32((bottom - top) * (right - left));
  }
  y[id.z * Y_ITEM + Y_BASE + position * Y_STRIDE + quad] = result;
}
