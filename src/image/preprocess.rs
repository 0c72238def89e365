//! From the working image to the network's input: crop, resize, normalise.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::crop::{CropBox, crop_box};
use super::reduce::WorkingImage;
use super::resize::{Taps, resample, resize};
use crate::{Error, Result};

/// The largest input side of any network, in pixels.
pub const MAX_SIDE: usize = 512;

/// The resampling filter, named as in Pillow and timm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Triangle filter.
    Bilinear,
    /// Keys' cubic convolution with a = −0.5.
    Bicubic,
}

impl Interpolation {
    /// Half the filter's width in pixels of the coarser grid.
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// The filter's weight at distance `x`.
    pub(super) fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bicubic => 0.0,
        }
    }
}

impl FromStr for Interpolation {
    type Err = Error;

    /// Reads the name that model metadata uses.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "bilinear" => Ok(Self::Bilinear),
            "bicubic" => Ok(Self::Bicubic),
            _ => Err(Error::bad_option(format!("interpolation \"{name}\" is unknown; use bicubic or bilinear"))),
        }
    }
}

/// The order of the network's first three input channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelOrder {
    /// Red first: PyTorch models.
    Rgb,
    /// Blue first: Caffe models.
    Bgr,
}

/// How a network wants its input: input = (byte · `value_scale` − `mean`) / `std`, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// The input size to use by default, `[h, w]`.
    pub input_size: [usize; 2],
    /// The share of the photo's shorter side that is shown at zoom 1, above 0 and at most 1.
    pub crop_pct: f64,
    /// Subtracted, in the order of `channel_order`.
    pub mean: [f32; 3],
    /// Divided by, in the order of `channel_order`.
    pub std: [f32; 3],
    /// The order of channels.
    pub channel_order: ChannelOrder,
    /// What a byte is multiplied with first: 1/255 in PyTorch, 1 in Caffe.
    pub value_scale: f32,
    /// The resampling filter.
    pub interpolation: Interpolation,
}

impl Preprocessing {
    /// ImageNet's mean and standard deviation as in timm: RGB from 0 to 1, bicubic.
    pub fn imagenet(input_size: [usize; 2], crop_pct: f64) -> Self {
        Self {
            input_size,
            crop_pct,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            channel_order: ChannelOrder::Rgb,
            value_scale: 1.0 / 255.0,
            interpolation: Interpolation::Bicubic,
        }
    }

    /// The authors' Caffe form: BGR from 0 to 255 minus the mean 104, 117, 123, not divided.
    pub fn caffe(input_size: [usize; 2], crop_pct: f64) -> Self {
        Self {
            mean: [104.0, 117.0, 123.0],
            std: [1.0; 3],
            channel_order: ChannelOrder::Bgr,
            value_scale: 1.0,
            ..Self::imagenet(input_size, crop_pct)
        }
    }

    /// CIFAR-10's mean and standard deviation: RGB from 0 to 1, the whole 32-pixel picture.
    pub fn cifar10() -> Self {
        Self { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616], ..Self::imagenet([32, 32], 1.0) }
    }

    /// Writes the network's input of `size` = `[h, w]` for the part of `image` that [`crop_box`] gives for zoom `scale`
    /// and `center`. `out` is one batch item in the engine's layout: `[h, w, 4]`, channels innermost, lane 3 zero.
    ///
    /// # Errors
    /// `bad-option` if a side is 0 or above [`MAX_SIDE`], where [`crop_box`] refuses, or if `out` does not hold `h · w · 4` values.
    pub fn to_input(
        &self,
        image: &WorkingImage,
        size: [usize; 2],
        scale: f64,
        center: [f64; 2],
        out: &mut [f32],
    ) -> Result<()> {
        let taps = self.taps(image, size, scale, center)?;
        let [height, width] = size;
        if out.len() != height * width * 4 {
            return Err(Error::bad_option(format!(
                "the input buffer holds {} values; {height}×{width} pixels need {}",
                out.len(),
                height * width * 4
            )));
        }
        let resized = resample(image.photo(), taps);
        let tables: [[f32; 256]; 3] =
            std::array::from_fn(|channel| std::array::from_fn(|byte| self.value(channel, byte)));
        let (pixels, _) = resized.rgb().as_chunks();
        for (quad, &[red, green, blue]) in out.as_chunks_mut().0.iter_mut().zip(pixels) {
            let [first, second, third] = match self.channel_order {
                ChannelOrder::Rgb => [red, green, blue],
                ChannelOrder::Bgr => [blue, green, red],
            };
            *quad = [tables[0][usize::from(first)], tables[1][usize::from(second)], tables[2][usize::from(third)], 0.0];
        }
        Ok(())
    }

    /// The coefficients of [`Preprocessing::to_input`], along x and along y.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn taps(
        &self,
        image: &WorkingImage,
        size: [usize; 2],
        scale: f64,
        center: [f64; 2],
    ) -> Result<[Taps; 2]> {
        check_size(size, 1..=MAX_SIDE)?;
        let crop = self.crop(image, size, scale, center)?;
        Ok(Taps::both(image.photo(), crop, size, self.interpolation))
    }

    fn crop(&self, image: &WorkingImage, size: [usize; 2], scale: f64, center: [f64; 2]) -> Result<CropBox> {
        let photo = image.photo();
        crop_box([photo.width(), photo.height()], size, self.crop_pct, scale, center)
    }

    /// What an input at zoom `scale` shows, in so few pixels that its shorter side has `pixels`. Seen as a whole, by
    /// [`Preprocessing::whole`], it is as blurred at every zoom.
    ///
    /// # Errors
    /// `bad-option` if `pixels` is not from 1 to [`MAX_SIDE`], or where [`crop_box`] refuses.
    pub fn through(
        &self,
        image: &WorkingImage,
        size: [usize; 2],
        scale: f64,
        center: [f64; 2],
        pixels: usize,
    ) -> Result<WorkingImage> {
        check_through(pixels)?;
        let shorter = size[0].min(size[1]).max(1);
        let few = size.map(|side| (side * pixels + shorter / 2) / shorter);
        let crop = self.crop(image, few, scale, center)?;
        Ok(WorkingImage::new(resize(image.photo(), crop, few, self.interpolation)))
    }

    /// The same for pictures that are shown whole.
    pub fn whole(&self) -> Self {
        Self { crop_pct: 1.0, ..self.clone() }
    }

    /// The normalised value of `byte` in `channel`.
    pub(crate) fn value(&self, channel: usize, byte: usize) -> f32 {
        (byte as f32 * self.value_scale - self.mean[channel]) / self.std[channel]
    }
}

/// Accepts the pixels of [`Preprocessing::through`].
///
/// # Errors
/// `bad-option` otherwise.
pub fn check_through(pixels: usize) -> Result<()> {
    if (1..=MAX_SIDE).contains(&pixels) {
        return Ok(());
    }
    Err(Error::bad_option(format!("through {pixels} pixels is out of range; it must be from 1 to {MAX_SIDE}")))
}

/// Accepts an input size `[h, w]` whose sides are both in `sides`.
///
/// # Errors
/// `bad-option` otherwise.
pub fn check_size([height, width]: [usize; 2], sides: RangeInclusive<usize>) -> Result<()> {
    if sides.contains(&height) && sides.contains(&width) {
        return Ok(());
    }
    Err(Error::bad_option(format!(
        "input size {height}×{width} is out of range; both sides must be from {} to {} pixels",
        sides.start(),
        sides.end()
    )))
}
