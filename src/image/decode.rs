//! JPEG, PNG and WebP to an upright [`Photo`], by the same Rust code on every platform.

use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::format::{Format, sniff};
use super::photo::Photo;
use crate::{Error, Result};

/// The most pixels that a [`Photo`] has; more would not fit into a browser's 4 GiB beside its working copies.
pub const MAX_PIXELS: u64 = 144_000_000;

/// EXIF's tag for [`orientation`].
const ORIENTATION: u16 = 0x0112;

/// Decodes a JPEG, PNG or WebP file, recognised by its content.
///
/// EXIF orientation is applied, alpha is composited over white, grey, palette, 16-bit and CMYK pictures become 8-bit
/// RGB, of an animation the first frame counts, and colour profiles are ignored. The size is checked before memory for
/// the pixels is taken.
///
/// # Errors
/// `bad-image`, naming what was found instead: another format ([`sniff`] tells it apart in advance), an empty,
/// truncated or damaged file, or more than [`MAX_PIXELS`] pixels.
pub fn decode(bytes: &[u8]) -> Result<Photo> {
    match sniff(bytes) {
        Format::Jpeg => decode_jpeg(bytes),
        #[cfg(feature = "pictures")]
        Format::Png => super::pictures::decode_png(bytes),
        #[cfg(feature = "pictures")]
        Format::WebP => super::pictures::decode_webp(bytes),
        _ if bytes.is_empty() => Err(Error::bad_image("the file is empty; use a JPEG, PNG or WebP picture")),
        other => Err(Error::bad_image(format!("the file is {}; use a JPEG, PNG or WebP picture", other.description()))),
    }
}

fn decode_jpeg(bytes: &[u8]) -> Result<Photo> {
    // The library fills missing rows with grey; a half-loaded photo would give numbers that mean nothing.
    if !has_end_of_image(bytes) {
        return Err(truncated(Format::Jpeg));
    }
    let side = usize::from(u16::MAX);
    let options =
        DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB).set_max_width(side).set_max_height(side);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| damaged(Format::Jpeg, &error))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged(Format::Jpeg, &"it states no size"))?;
    check_pixels(width as u64, height as u64)?;
    let rgb = decoder.decode().map_err(|error| damaged(Format::Jpeg, &error))?;
    let orientation = decoder.exif().map_or(1, |exif| orientation(exif));
    Ok(Photo::from_rgb(rgb, width, height)?.oriented(orientation))
}

/// Whether an end-of-image marker follows the first start of scan, as it does in every complete file.
fn has_end_of_image(jpeg: &[u8]) -> bool {
    // Segments are skipped by length, since thumbnails inside them have end markers of their own. Within
    // entropy-coded data 0xff is always stuffed, so the two bytes can only be the marker there.
    let mut at = 2;
    while let Some(&[0xff, marker]) = jpeg.get(at..at + 2) {
        if marker == 0xda {
            return jpeg[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            at += 2;
        } else if marker == 0xff {
            at += 1;
        } else {
            let Some(&[high, low]) = jpeg.get(at + 2..at + 4) else { return false };
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }
    // Past the end, or stray bytes between segments, which the decoder tolerates.
    at < jpeg.len() && jpeg.ends_with(&[0xff, 0xd9])
}

/// The orientation that an EXIF block states in its first directory, or 1 (as stored) if there is none.
// An EXIF crate, with its names of all tags, would add 7 KiB to the compressed wasm.
pub(super) fn orientation(exif: &[u8]) -> u32 {
    // Some writers of PNG and WebP keep JPEG's prefix.
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big_endian = tiff.starts_with(b"MM");
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let find = || {
        let directory = long(4)? as usize;
        let entries = usize::from(short(directory)?);
        let mut starts = (0..entries).map(|entry| directory + 2 + 12 * entry);
        let entry = starts.find(|&start| short(start) == Some(ORIENTATION))?;
        short(entry + 8)
    };
    find().map_or(1, u32::from)
}

pub(super) fn check_pixels(width: u64, height: u64) -> Result<()> {
    // Sides within the limit have a product within u64.
    let fits = width.max(height) <= MAX_PIXELS && width * height <= MAX_PIXELS;
    if fits { Ok(()) } else { Err(too_large(width, height)) }
}

pub(super) fn too_large(width: u64, height: u64) -> Error {
    // The limit in words: a number to format would cost bytes in the first module.
    Error::bad_image(format!("the picture has {width}×{height} pixels; use one of at most 144 megapixels"))
}

pub(super) fn truncated(format: Format) -> Error {
    Error::bad_image(format!(
        "the file is {} that ends too early (truncated); use a complete file",
        format.description()
    ))
}

pub(super) fn damaged(format: Format, reason: &dyn std::fmt::Display) -> Error {
    Error::bad_image(format!("the file is {} that cannot be decoded: {reason}", format.description()))
}
