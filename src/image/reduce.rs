//! The working image: what is computed once per photo and shared by all zooms.

use super::photo::Photo;
use std::sync::atomic::{AtomicU64, Ordering};

/// The shorter side that the working image keeps at least, in pixels, if the photo has as many.
pub const WORKING_SIDE: usize = 768;

/// A photo shrunk by a whole factor, from which every crop is taken.
#[derive(Clone, Debug)]
pub struct WorkingImage {
    photo: Photo,
    original_size: [usize; 2],
    factor: usize,
    id: u64,
}

impl WorkingImage {
    /// Shrinks `photo` by k = max(1, ⌊min(width, height) / 768⌋).
    pub fn new(photo: Photo) -> Self {
        let original_size = [photo.width(), photo.height()];
        let factor = (photo.width().min(photo.height()) / WORKING_SIDE).max(1);
        let photo = if factor == 1 { photo } else { reduce(&photo, factor) };
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { photo, original_size, factor, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// A number that tells its pixels from those of all other working images of this process; clones share it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The pixels that crops are taken from.
    pub fn photo(&self) -> &Photo {
        &self.photo
    }

    /// Width and height of the upright photo before shrinking.
    pub fn original_size(&self) -> [usize; 2] {
        self.original_size
    }

    /// The factor k between the photo and the working image.
    pub fn factor(&self) -> usize {
        self.factor
    }
}

/// Means over blocks of `factor`² pixels, to the bit Pillow's `Image.reduce(factor)` (`Reduce.c`): sides are rounded
/// up, and blocks at the right and bottom edge average the pixels that exist. A factor of 0 counts as 1.
pub fn reduce(photo: &Photo, factor: usize) -> Photo {
    let factor = factor.max(1);
    let (width, height) = (photo.width(), photo.height());
    let (new_width, new_height) = (width.div_ceil(factor), height.div_ceil(factor));
    let mut rgb = Vec::with_capacity(new_width * new_height * 3);
    let mut sums = vec![[0_u32; 3]; new_width];
    for rows in photo.rgb().chunks(width * 3 * factor) {
        sums.fill([0; 3]);
        for row in rows.chunks_exact(width * 3) {
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor * 3)) {
                for pixel in block.as_chunks::<3>().0 {
                    for (sum, &value) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(value);
                    }
                }
            }
        }
        let rows = rows.len() / (width * 3);
        for (x, sum) in sums.iter().enumerate() {
            let divide = Divisor::new(rows * factor.min(width - x * factor));
            rgb.extend(sum.map(|sum| divide.round(sum)));
        }
    }
    Photo::computed(rgb, new_width, new_height)
}

/// Pillow's rounded division of a sum of bytes by their number, by a multiplication with an approximate reciprocal.
struct Divisor {
    half: u32,
    reciprocal: u32,
}

impl Divisor {
    fn new(count: usize) -> Self {
        // Single precision on purpose: Pillow's reciprocal carries this rounding.
        let reciprocal = (4_294_967_296.0_f32 / (count as u32).wrapping_shl(8) as f32) as u32;
        Self { half: count as u32 / 2, reciprocal }
    }

    fn round(&self, sum: u32) -> u8 {
        ((sum + self.half).wrapping_mul(self.reciprocal) >> 24) as u8
    }
}
