//! Which part of the photo a zoom and a centre show.

use crate::{Error, Result};

/// The largest zoom.
pub const MAX_SCALE: f64 = 8.0;

/// A box with fractional edges in pixels: pixel i covers [i, i + 1). Single precision, as in Pillow's resize.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropBox {
    /// The left edge.
    pub left: f32,
    /// The top edge.
    pub top: f32,
    /// The right edge.
    pub right: f32,
    /// The bottom edge.
    pub bottom: f32,
}

/// The box of a `width`×`height` picture that becomes an input of `size` = `[h, w]` at zoom `scale`.
///
/// It has the aspect ratio of `size`: the largest such box that fits into the picture, times `crop_pct / scale`. For a
/// square input that is a square of side `crop_pct · min(width, height) / scale`. `center` is its middle, x and y as
/// fractions of the picture, moved as little as needed to keep the box inside.
///
/// # Errors
/// `bad-option` where [`check_scale`] or [`check_center`] refuse, or if `crop_pct` is not in (0, 1].
pub fn crop_box(
    [width, height]: [usize; 2],
    size: [usize; 2],
    crop_pct: f64,
    scale: f64,
    center: [f64; 2],
) -> Result<CropBox> {
    check_scale(scale)?;
    check_center(center)?;
    if !(crop_pct > 0.0 && crop_pct <= 1.0) {
        return Err(Error::bad_option(format!("crop_pct is {crop_pct}; it must be above 0 and at most 1")));
    }
    let (width, height) = (width as f64, height as f64);
    let [target_height, target_width] = size.map(|side| side as f64);
    let magnification = (width / target_width).min(height / target_height) * crop_pct / scale;
    let span = |extent: f64, target: f64, center: f64| {
        let side = (target * magnification).min(extent);
        let start = (center * extent - side / 2.0).clamp(0.0, extent - side);
        (start as f32, (start + side).min(extent) as f32)
    };
    let (left, right) = span(width, target_width, center[0]);
    let (top, bottom) = span(height, target_height, center[1]);
    Ok(CropBox { left, top, right, bottom })
}

/// Accepts a zoom that is finite and from 1 to [`MAX_SCALE`].
///
/// # Errors
/// `bad-option` otherwise.
pub fn check_scale(scale: f64) -> Result<()> {
    if (1.0..=MAX_SCALE).contains(&scale) {
        return Ok(());
    }
    Err(Error::bad_option(format!("scale {scale} is out of range; scales are numbers from 1 to {MAX_SCALE}")))
}

/// Accepts a centre with two finite coordinates; those outside 0 to 1 count as the nearest edge.
///
/// # Errors
/// `bad-option` otherwise.
pub fn check_center(center: [f64; 2]) -> Result<()> {
    if center.iter().all(|coordinate| coordinate.is_finite()) {
        return Ok(());
    }
    let [x, y] = center;
    Err(Error::bad_option(format!(
        "center [{x}, {y}] is not finite; it is x and y as fractions of the photo, such as [0.5, 0.5]"
    )))
}
