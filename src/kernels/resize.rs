//! Crops of a photo as a batch of pictures: cut out, resized as Pillow does it and normalised, to the bit as by the twin
//! in plain Rust, [`Preprocessing::to_input`]. No step of a plan, but what may run before its first.

use super::*;
use crate::image::{ChannelOrder, Preprocessing, WorkingImage};
use crate::plan::Plan;

pub(super) const ROWS: &Shader = shader!("resize", "rows");
pub(super) const COLUMNS: &Shader = &Shader { entry: "columns", ..*ROWS };

/// Side of the square of pixels that a workgroup computes.
const TILE: usize = 8;
/// Words of the tables of normalised values.
const TABLES: usize = 3 * 256;
/// Words that stand before the coefficients of a crop.
const HEADER: usize = 7;

/// Crops of one photo, one for each item of a batch.
#[derive(Debug)]
pub struct Crops<'a> {
    /// The photo.
    pub photo: &'a WorkingImage,
    /// Everything else that the shader reads: coefficients, where to begin, normalised values.
    pub words: Vec<i32>,
    /// Bytes of the words and of what the first pass writes, at most for any crops of as many pixels from this photo.
    pub room: [u64; 2],
    /// `[h, w]` of a picture.
    size: [usize; 2],
    batch: usize,
    /// Rows of the photo that the crop with most of them needs.
    rows: usize,
}

impl<'a> Crops<'a> {
    /// The part of `photo` around `center` for each zoom in `scales`, as pictures of `size` = `[h, w]`.
    ///
    /// # Errors
    /// Those of [`Preprocessing::to_input`].
    pub fn new(
        preprocessing: &Preprocessing,
        photo: &'a WorkingImage,
        size: [usize; 2],
        scales: &[f64],
        center: [f64; 2],
    ) -> Result<Self> {
        let batch = scales.len();
        let row = photo.photo().width() * 3;
        let channel = if preprocessing.channel_order == ChannelOrder::Bgr { 2 } else { 0 };
        let mut words = Vec::new();
        words.extend((0..TABLES).map(|at| preprocessing.value(at / 256, at % 256).to_bits() as i32));
        words.resize(TABLES + batch, 0);
        let (mut rows, mut pixels) = (0, 0);
        for (n, &scale) in scales.iter().enumerate() {
            let [x, y] = preprocessing.taps(photo, size, scale, center)?;
            let count = y.last() - y.first();
            words[TABLES + n] = words.len() as i32;
            words.extend([row, y.first(), count, pixels, x.stride, y.stride, channel].map(|word| word as i32));
            words.extend(x.words);
            words.extend(y.words);
            rows = rows.max(count);
            pixels += count * size[1];
        }
        // Zoom 1 needs most. Elsewhere the box is rounded in another way, which is worth less than two positions.
        let [x, y] = preprocessing.taps(photo, size, 1.0, [0.5; 2])?;
        let most_words = 1 + HEADER + x.words.len() + y.words.len() + 2 * (size[0] + size[1]);
        let most_pixels = (y.last() - y.first() + 2) * size[1];
        let most = [(TABLES + batch * most_words).max(words.len()), (batch * most_pixels).max(pixels)];
        let room = most.map(|words| (words * size_of::<u32>()) as u64);
        Ok(Self { photo, words, room, size, batch, rows })
    }

    /// Whether they are as many and as large as the pictures of `plan`.
    pub fn fit(&self, plan: &Plan) -> bool {
        let view = plan.views.of(plan.input);
        self.batch == plan.batch && self.size == [view.height, view.width]
    }

    /// Both passes, in order; the second writes the storage `picture`, `[N, H, W]` of one quad. Their constants are the
    /// words, what the first pass writes for the second, and the photo's bytes.
    pub fn lower(&self, picture: StorageId) -> [Dispatch; 2] {
        let ([words, pixels, photo], [height, width]) = ([0, 1, 2].map(Operand::Constant), self.size);
        let dispatch = |shader, last, height: usize| Dispatch {
            shader,
            constants: vec![("WIDTH", width as f64), ("HEIGHT", self.size[0] as f64)],
            bindings: vec![words, pixels, last],
            workgroups: [width.div_ceil(TILE), height.div_ceil(TILE), self.batch].map(|count| count as u32),
        };
        [dispatch(ROWS, photo, self.rows), dispatch(COLUMNS, Operand::Write(picture), height)]
    }
}
