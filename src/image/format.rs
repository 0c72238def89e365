//! File formats told apart by their first bytes, never by a file's name.

/// A recognised file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG, decoded here.
    Jpeg,
    /// PNG, decoded here.
    Png,
    /// WebP, decoded here.
    WebP,
    /// AVIF.
    Avif,
    /// BMP.
    Bmp,
    /// GIF.
    Gif,
    /// HEIC and other HEIF pictures.
    Heic,
    /// A web page, often an error page saved in place of a picture.
    Html,
    /// Windows icon.
    Ico,
    /// JPEG 2000.
    Jpeg2000,
    /// JPEG XL.
    JpegXl,
    /// MP4, QuickTime and their kin.
    Mp4,
    /// PDF.
    Pdf,
    /// Photoshop.
    Psd,
    /// SVG.
    Svg,
    /// TIFF and raw formats built on it.
    Tiff,
    /// Anything else.
    Unknown,
}

impl Format {
    /// Whether [`decode`](super::decode()) reads this format. If not, a browser may still be able to: hand its pixels to
    /// [`Photo::from_rgba`](super::Photo::from_rgba).
    pub fn is_supported(self) -> bool {
        self == Self::Jpeg || self.is_in_pictures()
    }

    /// Whether the decoder belongs to the crate's feature `pictures`.
    pub fn is_in_pictures(self) -> bool {
        matches!(self, Self::Png | Self::WebP)
    }

    /// The name with its article, for messages: "an AVIF picture".
    pub fn description(self) -> &'static str {
        match self {
            Self::Jpeg => "a JPEG picture",
            Self::Png => "a PNG picture",
            Self::WebP => "a WebP picture",
            Self::Avif => "an AVIF picture",
            Self::Bmp => "a BMP picture",
            Self::Gif => "a GIF picture",
            Self::Heic => "a HEIC picture",
            Self::Html => "an HTML page",
            Self::Ico => "an ICO icon",
            Self::Jpeg2000 => "a JPEG 2000 picture",
            Self::JpegXl => "a JPEG XL picture",
            Self::Mp4 => "a video (MP4 or QuickTime)",
            Self::Pdf => "a PDF document",
            Self::Psd => "a Photoshop file",
            Self::Svg => "an SVG drawing",
            Self::Tiff => "a TIFF picture",
            Self::Unknown => "no known picture format",
        }
    }
}

/// The format that the first bytes of a file announce; says nothing about whether the rest is whole.
pub fn sniff(bytes: &[u8]) -> Format {
    const SIGNATURES: [(&[u8], Format); 16] = [
        (b"\xff\xd8\xff", Format::Jpeg),
        (b"\x89PNG\r\n\x1a\n", Format::Png),
        (b"GIF87a", Format::Gif),
        (b"GIF89a", Format::Gif),
        (b"BM", Format::Bmp),
        (b"II*\0", Format::Tiff),
        (b"MM\0*", Format::Tiff),
        (b"II+\0", Format::Tiff),
        (b"MM\0+", Format::Tiff),
        (b"\xff\x0a", Format::JpegXl),
        (b"\0\0\0\x0cJXL ", Format::JpegXl),
        (b"\0\0\0\x0cjP  ", Format::Jpeg2000),
        (b"\xff\x4f\xff\x51", Format::Jpeg2000),
        (b"%PDF", Format::Pdf),
        (b"8BPS", Format::Psd),
        (b"\0\0\x01\0", Format::Ico),
    ];
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Format::WebP;
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return sniff_iso_media(bytes);
    }
    let signature = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature));
    signature.map_or_else(|| sniff_markup(bytes), |&(_, format)| format)
}

/// Formats in an ISO base media file (ISO/IEC 14496-12), told apart by the brands of its `ftyp` box.
fn sniff_iso_media(bytes: &[u8]) -> Format {
    let length = bytes.first_chunk().map_or(0, |&size| u32::from_be_bytes(size) as usize);
    let brands = &bytes[8..length.clamp(8, bytes.len().min(256))];
    let any = |wanted: &[&[u8]]| brands.chunks_exact(4).any(|brand| wanted.contains(&brand));
    if any(&[b"avif", b"avis"]) {
        Format::Avif
    } else if any(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Format::Heic
    } else {
        Format::Mp4
    }
}

fn sniff_markup(bytes: &[u8]) -> Format {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    if !head.starts_with('<') {
        Format::Unknown
    } else if head.contains("<!doctype html") || head.contains("<html") {
        Format::Html
    } else if head.contains("<svg") {
        Format::Svg
    } else {
        Format::Unknown
    }
}
