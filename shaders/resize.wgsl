// Crops of a photo, resized as Pillow does it and normalised: `rows` resizes along x, `columns` along y.
// Grid: x and y over the pixels that a pass writes, z over batch items.

override WIDTH: u32 = 1u;
override HEIGHT: u32 = 1u;

// 256 normalised values for each channel of the picture, as bits, then for each batch item where the words of its crop
// begin. Of these seven are named below; then come for each x, and later for each y, the first pixel, the number of
// coefficients, these, and room for more.
@group(0) @binding(0) var<storage, read> crops: array<i32>;
// What `rows` makes: a byte each of red, green and blue.
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
// Rows of three bytes a pixel, without padding.
@group(0) @binding(2) var<storage, read> photo: array<u32>;
@group(0) @binding(2) var<storage, read_write> picture: array<vec4f>;

// Bytes of a row of the photo.
const ROW = 0u;
// The rows of the photo that `columns` needs: the first, how many, and where they are in `pixels`.
const FIRST = 1u;
const COUNT = 2u;
const PIXELS = 3u;
// Words for each x and each y.
const X_WORDS = 4u;
const Y_WORDS = 5u;
// The byte of a pixel that is the picture's first channel.
const CHANNEL = 6u;
const HEADER = 7u;

const TABLES = 768u;
// Fraction bits of the coefficients.
const PRECISION = 22u;

fn word(at: u32) -> u32 {
  return u32(crops[at]);
}

fn split(color: u32) -> vec3i {
  return vec3i((vec3u(color) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
}

fn rounded(sums: vec3i) -> vec3u {
  return vec3u(clamp(sums >> vec3u(PRECISION), vec3i(0), vec3i(255)));
}

// The pixel of the photo at a byte.
fn load(at: u32) -> u32 {
  let shift = at % 4u * 8u;
  let low = photo[at / 4u] >> shift;
  return select(low, low | (photo[(at + 2u) / 4u] << (32u - shift)), shift > 8u);
}

@compute @workgroup_size(8, 8)
fn rows(@builtin(global_invocation_id) id: vec3u) {
  let crop = word(TABLES + id.z);
  if (id.x >= WIDTH || id.y >= word(crop + COUNT)) {
    return;
  }
  let taps = crop + HEADER + id.x * word(crop + X_WORDS);
  var at = (word(crop + FIRST) + id.y) * word(crop + ROW) + word(taps) * 3u;
  let end = taps + 2u + word(taps + 1u);
  var sums = vec3i(1 << (PRECISION - 1u));
  for (var tap = taps + 2u; tap < end; tap++) {
    sums += crops[tap] * split(load(at));
    at += 3u;
  }
  let color = rounded(sums);
  pixels[word(crop + PIXELS) + id.y * WIDTH + id.x] = color.r | (color.g << 8u) | (color.b << 16u);
}

@compute @workgroup_size(8, 8)
fn columns(@builtin(global_invocation_id) id: vec3u) {
  let crop = word(TABLES + id.z);
  if (id.x >= WIDTH || id.y >= HEIGHT) {
    return;
  }
  let taps = crop + HEADER + WIDTH * word(crop + X_WORDS) + id.y * word(crop + Y_WORDS);
  var at = word(crop + PIXELS) + (word(taps) - word(crop + FIRST)) * WIDTH + id.x;
  let end = taps + 2u + word(taps + 1u);
  var sums = vec3i(1 << (PRECISION - 1u));
  for (var tap = taps + 2u; tap < end; tap++) {
    sums += crops[tap] * split(pixels[at]);
    at += WIDTH;
  }
  let color = rounded(sums);
  let channel = word(crop + CHANNEL);
  picture[(id.z * HEIGHT + id.y) * WIDTH + id.x] = vec4f(
    bitcast<f32>(crops[color[channel]]),
    bitcast<f32>(crops[256u + color.g]),
    bitcast<f32>(crops[512u + color[2u - channel]]),
    0.0,
  );
}
