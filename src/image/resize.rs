//! Pillow's `Image.resize((w, h), filter, box=…)` for 8-bit RGB, to the bit.
//!
//! Pillow resamples horizontally, then vertically, with 22-bit fixed-point coefficients, and rounds and clips to 8 bits
//! after each pass (`Resample.c`). The crate `fast_image_resize` does the vertical pass first with 16-bit coefficients,
//! so its results differ.

use super::crop::CropBox;
use super::photo::Photo;
use super::preprocess::Interpolation;

/// Bytes that one step of a pass computes side by side: 8 pixels of 3 channels, a whole number of SIMD registers.
const LANES: usize = 24;
/// Rows that the horizontal pass handles side by side.
const ROWS: usize = LANES / 3;
/// Words before the coefficients of a position.
const HEADER: usize = 2;
/// Fraction bits of the coefficients.
const PRECISION: u32 = 32 - 8 - 2;

/// The part `crop` of `photo`, resized to `size` = `[h, w]`. The filter is widened when shrinking (antialiasing).
///
/// Edges of `crop` outside the photo are moved to its edge; a box without area gives its nearest pixels. Sides of 0
/// count as 1.
pub fn resize(photo: &Photo, crop: CropBox, size: [usize; 2], interpolation: Interpolation) -> Photo {
    resample(photo, Taps::both(photo, crop, size, interpolation))
}

/// `photo` through the horizontal and the vertical pass.
pub(super) fn resample(photo: &Photo, [horizontal, vertical]: [Taps; 2]) -> Photo {
    let [width, height] = [horizontal.len(), vertical.len()];
    let rgb = pulp::Arch::new().dispatch(Passes { photo, horizontal, vertical });
    Photo::computed(rgb, width, height)
}

/// Both passes, to be compiled for the SIMD instructions at hand.
struct Passes<'a> {
    photo: &'a Photo,
    horizontal: Taps,
    vertical: Taps,
}

impl pulp::NullaryFnOnce for Passes<'_> {
    type Output = Vec<u8>;

    // A closure would not be inlined into the function that pulp compiles for these instructions.
    #[inline(always)]
    fn call(self) -> Vec<u8> {
        let Self { photo, horizontal, vertical } = self;
        let intermediate = resize_rows(photo, vertical.first()..vertical.last(), &horizontal);
        resize_columns(&intermediate, &vertical, horizontal.len())
    }
}

/// The horizontal pass over the rows that the vertical one needs, each padded to a multiple of [`LANES`] bytes.
#[inline(always)]
fn resize_rows(photo: &Photo, rows: std::ops::Range<usize>, taps: &Taps) -> Vec<u8> {
    let (first, last) = (taps.first(), taps.last());
    let stride = (taps.len() * 3).next_multiple_of(LANES);
    let mut output = vec![0; rows.len() * stride];
    // Pixels of ROWS rows interleaved, so that a coefficient applies to neighbouring bytes.
    let mut interleaved = vec![[0; LANES]; last - first];
    let row_bytes = photo.width() * 3;
    let source = &photo.rgb()[rows.start * row_bytes..rows.end * row_bytes];
    for (source, output) in source.chunks(ROWS * row_bytes).zip(output.chunks_mut(ROWS * stride)) {
        let count = source.len() / row_bytes;
        // At the bottom, where fewer rows are left, the spare lanes repeat the last one.
        let pixels: [&[[u8; 3]]; ROWS] = std::array::from_fn(|row| {
            let start = row.min(count - 1) * row_bytes;
            source[start + first * 3..start + last * 3].as_chunks().0
        });
        for (x, group) in interleaved.iter_mut().enumerate() {
            for (lane, row) in group.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                *lane = row[x];
            }
        }
        for (x, (start, coefficients)) in taps.iter().enumerate() {
            let result = convolve(interleaved[start - first..].iter(), coefficients);
            for (row, pixel) in output.chunks_exact_mut(stride).zip(result.as_chunks::<3>().0) {
                row[x * 3..x * 3 + 3].copy_from_slice(pixel);
            }
        }
    }
    output
}

/// The vertical pass over the horizontal one's result, giving rows of `width` pixels.
#[inline(always)]
fn resize_columns(intermediate: &[u8], taps: &Taps, width: usize) -> Vec<u8> {
    let first = taps.first();
    let stride = (width * 3).next_multiple_of(LANES);
    let groups_per_row = stride / LANES;
    let (groups, _) = intermediate.as_chunks::<LANES>();
    let mut output = vec![0; taps.len() * width * 3];
    for ((start, coefficients), row) in taps.iter().zip(output.chunks_exact_mut(width * 3)) {
        let source = &groups[(start - first) * groups_per_row..];
        for (column, bytes) in row.chunks_mut(LANES).enumerate() {
            let result = convolve(source[column..].iter().step_by(groups_per_row), coefficients);
            bytes.copy_from_slice(&result[..bytes.len()]);
        }
    }
    output
}

/// The sum of `source`'s items weighted by `coefficients`, rounded and clipped to bytes.
#[inline(always)]
fn convolve<'a>(mut source: impl Iterator<Item = &'a [u8; LANES]>, coefficients: &[i32]) -> [u8; LANES] {
    let mut sums = [1_i32 << (PRECISION - 1); LANES];
    // Not a zip: that is vectorised across taps instead of lanes, which takes more than twice as long.
    for &coefficient in coefficients {
        let Some(bytes) = source.next() else { break };
        for (sum, &byte) in sums.iter_mut().zip(bytes) {
            *sum += i32::from(byte) * coefficient;
        }
    }
    sums.map(|sum| (sum >> PRECISION).clamp(0, 255) as u8)
}

/// For each output position of one axis the first input position and the coefficients from there on.
pub(crate) struct Taps {
    /// Position by position: the first input position, the number of coefficients, these, and room for more.
    pub words: Vec<i32>,
    /// Words of a position.
    pub stride: usize,
}

impl Taps {
    /// Those of the horizontal and of the vertical pass from `crop` of `photo` to `size` = `[h, w]`.
    pub(super) fn both(photo: &Photo, crop: CropBox, size: [usize; 2], interpolation: Interpolation) -> [Self; 2] {
        let [height, width] = size.map(|side| side.max(1));
        [
            Self::new(photo.width(), crop.left, crop.right, width, interpolation),
            Self::new(photo.height(), crop.top, crop.bottom, height, interpolation),
        ]
    }

    /// Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`: resampling [`start`, `end`) of `input` positions to
    /// `output` ones.
    fn new(input: usize, start: f32, end: f32, output: usize, interpolation: Interpolation) -> Self {
        let edge = input as f32;
        // Unlike clamp, these also take care of a NaN.
        let start = start.max(0.0).min(edge);
        // In single precision, as Pillow subtracts.
        let scale = f64::from(end.max(start).min(edge) - start) / output as f64;
        let filter_scale = scale.max(1.0);
        let support = interpolation.support() * filter_scale;
        let stride = HEADER + support.ceil() as usize * 2 + 1;
        let mut words = vec![0; output * stride];
        let mut weights = Vec::with_capacity(stride);
        for (position, words) in words.chunks_exact_mut(stride).enumerate() {
            let center = f64::from(start) + (position as f64 + 0.5) * scale;
            let first = ((center - support + 0.5).max(0.0) as usize).min(input - 1);
            let last = ((center + support + 0.5) as usize).clamp(first + 1, input);
            weights.clear();
            weights.extend((first..last).map(|at| interpolation.weight((at as f64 - center + 0.5) / filter_scale)));
            let total: f64 = weights.iter().sum();
            let (header, coefficients) = words.split_at_mut(HEADER);
            header.copy_from_slice(&[first as i32, (last - first) as i32]);
            for (coefficient, weight) in coefficients.iter_mut().zip(&weights) {
                let scaled = weight / if total == 0.0 { 1.0 } else { total } * f64::from(1 << PRECISION);
                *coefficient = (scaled + 0.5_f64.copysign(scaled)) as i32;
            }
        }
        Self { words, stride }
    }

    fn len(&self) -> usize {
        self.words.len() / self.stride
    }

    /// The first input position in use; positions grow with the output's.
    pub(crate) fn first(&self) -> usize {
        self.words[0] as usize
    }

    /// One past the last input position in use.
    pub(crate) fn last(&self) -> usize {
        let last = &self.words[self.words.len() - self.stride..];
        (last[0] + last[1]) as usize
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.words.chunks_exact(self.stride).map(|words| (words[0] as usize, &words[HEADER..][..words[1] as usize]))
    }
}
