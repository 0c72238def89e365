//! A decoded picture: upright, opaque, 8-bit RGB.

use super::decode::check_pixels;
use crate::{Error, Result};

/// An upright RGB picture, 8 bits a channel, rows from the top, channels innermost. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Photo {
    /// A picture from `rgb`, which holds `width · height` pixels of three bytes.
    ///
    /// # Errors
    /// `bad-image` if a side is zero, the length does not fit the size, or there are more than [`MAX_PIXELS`](super::MAX_PIXELS)
    /// pixels.
    pub fn from_rgb(rgb: Vec<u8>, width: usize, height: usize) -> Result<Self> {
        check_length(rgb.len(), width, height, 3)?;
        Ok(Self { width, height, rgb })
    }

    /// A picture from `rgba`, which holds `width · height` pixels of four bytes with straight (not premultiplied)
    /// alpha, as the browser's `ImageData` does. It is composited over white.
    ///
    /// # Errors
    /// `bad-image` if a side is zero, the length does not fit the size, or there are more than [`MAX_PIXELS`](super::MAX_PIXELS)
    /// pixels.
    pub fn from_rgba(rgba: &[u8], width: usize, height: usize) -> Result<Self> {
        check_length(rgba.len(), width, height, 4)?;
        let (pixels, _) = rgba.as_chunks();
        let rgb = pixels.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|value| over_white(value, a))).collect();
        Ok(Self { width, height, rgb })
    }

    #[cfg(feature = "pictures")]
    /// The same for `luma_alpha`, pixels of two bytes: grey and straight alpha.
    pub(super) fn from_luma_alpha(luma_alpha: &[u8], width: usize, height: usize) -> Result<Self> {
        check_length(luma_alpha.len(), width, height, 2)?;
        let (pixels, _) = luma_alpha.as_chunks();
        let rgb = pixels.iter().flat_map(|&[grey, a]| [over_white(grey, a); 3]).collect();
        Ok(Self { width, height, rgb })
    }

    #[cfg(feature = "pictures")]
    /// The same for `luma`, one grey byte a pixel.
    pub(super) fn from_luma(luma: &[u8], width: usize, height: usize) -> Result<Self> {
        check_length(luma.len(), width, height, 1)?;
        Ok(Self { width, height, rgb: luma.iter().flat_map(|&grey| [grey; 3]).collect() })
    }

    /// A picture computed from another; the caller made `rgb` fit the size.
    pub(super) fn computed(rgb: Vec<u8>, width: usize, height: usize) -> Self {
        debug_assert_eq!(rgb.len(), width * height * 3);
        Self { width, height, rgb }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture turned upright according to `orientation`, the value of EXIF's tag of that name: 1 to 8, of which
    /// 1 and values outside that range mean "as stored".
    pub(super) fn oriented(self, orientation: u32) -> Self {
        let (width, height) = (self.width as isize, self.height as isize);
        let last = width * height - 1;
        // The stored pixel for the upright one at (x, y) is at start + x · right + y · down.
        let (start, right, down) = match orientation {
            2 => (width - 1, -1, width),
            3 => (last, -1, -width),
            4 => (last + 1 - width, 1, -width),
            5 => (0, width, 1),
            6 => (last + 1 - width, -width, 1),
            7 => (last, -width, -1),
            8 => (width - 1, width, -1),
            _ => return self,
        };
        let transposed = orientation >= 5;
        let (new_width, new_height) = if transposed { (self.height, self.width) } else { (self.width, self.height) };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..new_height as isize {
            for x in 0..new_width as isize {
                let at = (start + x * right + y * down) as usize * 3;
                rgb.extend_from_slice(&self.rgb[at..at + 3]);
            }
        }
        Self { width: new_width, height: new_height, rgb }
    }
}

fn check_length(length: usize, width: usize, height: usize, channels: usize) -> Result<()> {
    check_pixels(width as u64, height as u64)?;
    if length == 0 || width * height * channels != length {
        return Err(Error::bad_image(format!("{length} bytes are no {width}×{height} picture")));
    }
    Ok(())
}

/// `value · a + 255 · (1 − a)` for a = `alpha` / 255, rounded as Pillow's `paste` does with a mask.
fn over_white(value: u8, alpha: u8) -> u8 {
    let blended = u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 128;
    ((blended + (blended >> 8)) >> 8) as u8
}
