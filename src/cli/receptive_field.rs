//! `sklens receptive-field`.

use super::analyze::{OverrideArgs, parse_center};
use super::model::{ModelArgs, parse_size};
use super::photos::{photos_below, read_photo};
use super::{print, print_json};
use crate::effective_field::{EffectiveField, FieldMean};
use crate::graph::AttentionGradient;
use crate::session::FieldRequest;
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use pollster::block_on;
use serde::Serialize;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Colours of a heat map from 0 to the largest value, evenly spaced.
const RAMP: [[u8; 3]; 5] = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attention {
    /// A constant: its gradient is not followed.
    Fixed,
    /// A function of the picture.
    Differentiated,
}

/// Which pixels act on an SK unit's output at one place: theoretical, expected and effective receptive field.
#[derive(Debug, Args)]
pub struct ReceptiveField {
    /// Photos, or folders of photos: JPEG, PNG or WebP.
    #[arg(required = true)]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The SK unit, for example SK_3_4.
    #[arg(long)]
    unit: String,
    /// The place as fractions of the photo, x right, y down.
    #[arg(long, value_name = "X,Y", value_parser = parse_center, default_value = "0.5,0.5")]
    position: [f64; 2],
    /// Zoom, 1 to 8.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Centre of the zoom as fractions of the photo.
    #[arg(long, value_name = "X,Y", value_parser = parse_center, default_value = "0.5,0.5")]
    center: [f64; 2],
    /// Input size: one side, or HEIGHTxWIDTH; 64 to 512 each, from 32 for CIFAR networks.
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// What attention counts as in the gradient.
    #[arg(long, value_enum, default_value_t = Attention::Fixed)]
    attention: Attention,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// One result: the mean map of all photos.
    #[arg(long)]
    mean: bool,
    /// One JSON object per result, each on a line, with the heat map row by row.
    #[arg(long)]
    json: bool,
    /// Writes the heat map as a picture of the input's size, brightness as the square root of the value. Of several photos
    /// it needs --mean.
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    photo: Option<&'a str>,
    /// How many photos the result is of.
    photos: usize,
    scale: f64,
    attention: AttentionGradient,
    #[serde(flatten)]
    field: &'a EffectiveField,
}

#[derive(Serialize)]
struct Failure<'a> {
    photo: &'a str,
    error: &'a str,
}

impl ReceptiveField {
    /// Prints the results; returns how many photos failed.
    ///
    /// # Errors
    /// If nothing can be computed: unknown model or unit, unusable weights, options out of range, no photos.
    pub fn run(&self) -> Result<usize> {
        let request = FieldRequest {
            unit: self.unit.clone(),
            position: self.position,
            scale: self.scale,
            center: self.center,
            size: self.size,
            attention: match self.attention {
                Attention::Fixed => AttentionGradient::Fixed,
                Attention::Differentiated => AttentionGradient::Differentiated,
            },
            overrides: self.overrides.overrides(),
        };
        let chosen = self.model.choose()?;
        request.check(&chosen.network)?;
        let photos = self.files()?;
        if self.png.is_some() && photos.len() > 1 && !self.mean {
            return Err(Error::bad_option("--png is for one result; add --mean, or give one photo"));
        }
        let mut session = self.model.open(chosen)?;
        let (mut failures, mut mean) = (0, FieldMean::default());
        for path in &photos {
            let photo = path.display().to_string();
            let field = read_photo(path).and_then(|image| block_on(session.receptive_field(&image, &request)));
            let outcome = match field {
                Ok(field) if self.mean => mean.add(field),
                Ok(field) => {
                    self.report(Some(&photo), 1, &request, &field)?;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                failures += 1;
                eprintln!("sklens: {photo}: {error}");
                if self.json {
                    print_json(&Failure { photo: &photo, error: &error.message })?;
                }
            }
        }
        if let Some(field) = mean.field() {
            self.report(None, mean.count(), &request, &field)?;
        }
        Ok(failures)
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.photos {
            if path.is_dir() {
                files.extend(photos_below(path)?);
            } else {
                files.push(path.clone());
            }
        }
        if files.is_empty() {
            return Err(Error::bad_option(format!("there are no photos in {}", self.photos[0].display())));
        }
        Ok(files)
    }

    fn report(&self, photo: Option<&str>, photos: usize, request: &FieldRequest, field: &EffectiveField) -> Result<()> {
        if let Some(path) = &self.png {
            write_png(path, field).map_err(|e| Error::bad_option(format!("cannot write {}: {e}", path.display())))?;
        }
        if self.json {
            let (scale, attention) = (request.scale, request.attention);
            return print_json(&Line { photo, photos, scale, attention, field });
        }
        let what = photo.map_or_else(|| format!("mean of {photos} photos"), str::to_string);
        let [x, y] = field.pixel;
        print(format_args!(
            "{what} at {}×: {} at pixel {x}, {y} ({:.1} ms)",
            self.scale, field.unit, field.milliseconds
        ))?;
        let sizes = field.sizes;
        print(format_args!("  theoretical {} px, {} px with the smallest kernels", sizes.largest, sizes.smallest))?;
        print(format_args!("  expected    {:.1} px", sizes.expected))?;
        if field.squares.is_empty() {
            print("  effective   none: nothing acts on the unit here")?;
        }
        for square in &field.squares {
            print(format_args!("  effective   {} px hold {} %", square.side, square.share * 100.0))?;
        }
        Ok(())
    }
}

/// The heat map as an RGB picture, a pixel for a pixel of the input.
fn write_png(path: &Path, field: &EffectiveField) -> Result<(), Box<dyn std::error::Error>> {
    let [height, width] = field.shape;
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width.try_into()?, height.try_into()?);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    let largest = field.map.iter().copied().fold(0.0, f32::max);
    let part = |value: f32| if largest > 0.0 { (value / largest).sqrt() } else { 0.0 };
    writer.write_image_data(&field.map.iter().flat_map(|&value| colour(part(value))).collect::<Vec<u8>>())?;
    Ok(writer.finish()?)
}

/// The colour at `part`, 0 to 1, of [`RAMP`].
fn colour(part: f32) -> [u8; 3] {
    let at = part.clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let step = (at as usize).min(RAMP.len() - 2);
    let (low, high) = (RAMP[step], RAMP[step + 1]);
    let mix = |c: usize| f32::from(low[c]) + (at - step as f32) * (f32::from(high[c]) - f32::from(low[c]));
    [0, 1, 2].map(|c| mix(c).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_rises_from_end_to_end() {
        assert_eq!([colour(0.0), colour(0.5), colour(1.0)], [RAMP[0], RAMP[2], RAMP[4]]);
        let brightness = |part: f32| colour(part).map(u32::from).iter().sum::<u32>();
        assert!((0..100).all(|i| brightness(i as f32 / 100.0) <= brightness((i + 1) as f32 / 100.0)));
    }
}
