//! PNG and WebP, which the browser loads only when it meets one.

use std::io::{Cursor, ErrorKind};

use super::decode::{check_pixels, damaged, orientation, too_large, truncated};
use super::format::Format;
use super::photo::Photo;
use crate::Result;

/// Decodes a PNG file; see [`decode()`](super::decode()).
pub(super) fn decode_png(bytes: &[u8]) -> Result<Photo> {
    let failed = |error: png::DecodingError| match &error {
        png::DecodingError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => truncated(Format::Png),
        _ => damaged(Format::Png, &error),
    };
    let limits = png::Limits { bytes: usize::MAX };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    // Neither is used, and both are compressed: a small file could unpack to any size.
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = reader.info().size();
    check_pixels(width.into(), height.into())?;
    let length = reader.output_buffer_size().ok_or_else(|| too_large(width.into(), height.into()))?;
    let mut pixels = vec![0; length];
    let color = reader.next_frame(&mut pixels).map_err(failed)?.color_type;
    // EXIF may follow the pixels; a file that breaks off after them still shows its picture.
    let _ = reader.finish();
    let orientation = reader.info().exif_metadata.as_ref().map_or(1, |exif| orientation(exif));
    let (width, height) = (width as usize, height as usize);
    let photo = match color {
        png::ColorType::Grayscale => Photo::from_luma(&pixels, width, height),
        png::ColorType::GrayscaleAlpha => Photo::from_luma_alpha(&pixels, width, height),
        png::ColorType::Rgba => Photo::from_rgba(&pixels, width, height),
        // Palettes were expanded.
        png::ColorType::Rgb | png::ColorType::Indexed => Photo::from_rgb(pixels, width, height),
    }?;
    Ok(photo.oriented(orientation))
}

/// Decodes a WebP file; see [`decode()`](super::decode()).
pub(super) fn decode_webp(bytes: &[u8]) -> Result<Photo> {
    // Decoding would report a corrupt bitstream. The padding byte after an odd chunk is often missing.
    let stated = bytes.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |&size| u32::from_le_bytes(size));
    if u64::from(stated) + 8 > bytes.len() as u64 + 1 {
        return Err(truncated(Format::WebP));
    }
    let failed = |error| damaged(Format::WebP, &error);
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width.into(), height.into())?;
    let length = decoder.output_buffer_size().ok_or_else(|| too_large(width.into(), height.into()))?;
    let mut pixels = vec![0; length];
    decoder.read_image(&mut pixels).map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let photo = if decoder.has_alpha() {
        Photo::from_rgba(&pixels, width, height)
    } else {
        Photo::from_rgb(pixels, width, height)
    }?;
    let exif = decoder.exif_metadata().ok().flatten();
    Ok(photo.oriented(exif.map_or(1, |exif| orientation(&exif))))
}
