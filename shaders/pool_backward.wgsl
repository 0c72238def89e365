// Gradient of a pool, one quad of one input position per thread: the sum over the windows that hold the position of
// their gradients, where it is the window's first maximum, or of their equal shares.
// Grid: x, then y, over input positions × quads, z over batch items.

override AVERAGE: u32 = 0u;
override KERNEL: u32 = 2u;
override STRIDE: u32 = 2u;
override PADDING: u32 = 0u;
override QUADS: u32 = 1u;
override HEIGHT: u32 = 1u;
override WIDTH: u32 = 1u;
override OUT_HEIGHT: u32 = 1u;
override OUT_WIDTH: u32 = 1u;
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
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

// First index of the window inside the input.
fn window_start(o: u32) -> u32 {
  return max(o * STRIDE, PADDING) - PADDING;
}

// End of the window inside the input.
fn window_end(o: u32, size: u32) -> u32 {
  return min(max(o * STRIDE + KERNEL, PADDING) - PADDING, size);
}

// First window that holds position i.
fn first_window(i: u32) -> u32 {
  return (max(i + PADDING + STRIDE, KERNEL) - KERNEL) / STRIDE;
}

// 1 in the lanes where position (row, column) is the first maximum of the window.
fn is_first_maximum(item: u32, o: vec2u, row: u32, column: u32) -> vec4f {
  let left = window_start(o.x);
  let right = window_end(o.x, WIDTH);
  let top = window_start(o.y);
  let bottom = window_end(o.y, HEIGHT);
  var best = x[item + (top * WIDTH + left) * X_STRIDE];
  var at = vec4u(top * WIDTH + left);
  for (var r = top; r < bottom; r++) {
    for (var c = left; c < right; c++) {
      let pixel = x[item + (r * WIDTH + c) * X_STRIDE];
      at = select(at, vec4u(r * WIDTH + c), pixel > best);
      best = max(best, pixel);
    }
  }
  return select(vec4f(0.0), vec4f(1.0), at == vec4u(row * WIDTH + column));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * 64u + id.x;
  if (index >= HEIGHT * WIDTH * QUADS) {
    return;
  }
  let quad = index % QUADS;
  let row = index / QUADS / WIDTH;
  let column = index / QUADS % WIDTH;
  var sum = vec4f(0.0);
  for (var oy = first_window(row); oy < OUT_HEIGHT && window_start(oy) <= row; oy++) {
    for (var ox = first_window(column); ox < OUT_WIDTH && window_start(ox) <= column; ox++) {
      let gradient = g[id.z * G_ITEM + G_BASE + (oy * OUT_WIDTH + ox) * G_STRIDE + quad];
      if (AVERAGE == 0u) {
        sum += gradient * is_first_maximum(id.z * X_ITEM + X_BASE + quad, vec2u(ox, oy), row, column);
      } else {
        let count = (window_end(oy, HEIGHT) - window_start(oy)) * (window_end(ox, WIDTH) - window_start(ox));
        sum += gradient / f32(count);
      }
    }
  }
  y[id.z * Y_ITEM + Y_BASE + index / QUADS * Y_STRIDE + quad] = sum;
}
