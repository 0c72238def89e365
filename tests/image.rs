//! Decoding, reducing, cropping and resizing against Pillow's results (`reference/images.py`).

use std::path::{Path, PathBuf};

use sklens::ErrorCode;
use sklens::image::{
    ChannelOrder, CropBox, Format, Interpolation, MAX_PIXELS, Photo, Preprocessing, WorkingImage, check_size, crop_box,
    decode, reduce, resize, sniff,
};

/// The photos of the acceptance test; all other fixtures are small.
const PHOTOS: [&str; 5] = ["rotated.jpg", "grey.jpg", "alpha.png", "cmyk.jpg", "lossy.webp"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Pillow's result, read with the `png` crate alone.
fn golden(name: &str) -> Photo {
    let file = fixture(&format!("golden/{name}.png"));
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb, "{name}");
    Photo::from_rgb(pixels, info.width as usize, info.height as usize).unwrap()
}

fn fixture_names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| !matches!(name.as_str(), "README.md" | "golden")).collect();
    names.sort();
    assert!(names.len() >= 29, "fixtures are missing: {names:?}");
    names
}

/// The largest and the mean absolute difference.
fn differences(actual: &Photo, expected: &Photo, name: &str) -> (u8, f64) {
    assert_eq!([actual.width(), actual.height()], [expected.width(), expected.height()], "{name}");
    let each = || actual.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b));
    (each().max().unwrap(), each().map(f64::from).sum::<f64>() / actual.rgb().len() as f64)
}

fn assert_same(actual: &Photo, expected: &Photo, name: &str) {
    assert_eq!(differences(actual, expected, name), (0, 0.0), "{name}");
}

#[test]
fn decodes_as_pillow() {
    for name in fixture_names() {
        let decoded = decode(&fixture(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (max, mean) = differences(&decoded, &golden(&name), &name);
        println!("{name}: largest difference {max}, mean {mean:.4}");
        if name.ends_with(".jpg") {
            assert!(max <= 4 && mean <= 0.5, "{name}: {max} {mean}");
        } else if name.starts_with("lossy") {
            assert!(max <= 1 && mean <= 0.1, "{name}: {max} {mean}");
        } else {
            assert_eq!(max, 0, "{name}");
        }
    }
}

#[test]
fn png_orientation_may_follow_the_pixels() {
    let mut bytes = fixture("orientation6.png");
    let start = bytes.windows(4).position(|kind| kind == b"eXIf").unwrap() - 4;
    let chunk: Vec<u8> = bytes.drain(start..start + 12 + 26).collect();
    let end = bytes.len() - 12;
    bytes.splice(end..end, chunk);
    assert_same(&decode(&bytes).unwrap(), &golden("orientation6.png"), "late eXIf");
}

#[test]
fn resizes_as_pillow_at_every_zoom() {
    for name in PHOTOS {
        let source = golden(name);
        for scale in ["1", "1.37", "2"] {
            let size = [112, 112];
            let center = [0.5, 0.5];
            let dimensions = [source.width(), source.height()];
            let crop = crop_box(dimensions, size, 0.875, scale.parse().unwrap(), center).unwrap();
            let resized = resize(&source, crop, size, Interpolation::Bicubic);
            assert_same(&resized, &golden(&format!("{name}.zoom{scale}")), name);
        }
    }
}

#[test]
fn resizes_to_other_shapes_off_centre() {
    let source = golden("rotated.jpg");
    let size = [96, 160];
    let crop = crop_box([source.width(), source.height()], size, 1.0, 1.25, [2.0, -1.0]).unwrap();
    assert_eq!((crop.top, crop.right), (0.0, source.width() as f32));
    let resized = resize(&source, crop, size, Interpolation::Bilinear);
    assert_same(&resized, &golden("rotated.jpg.corner"), "corner");
}

#[test]
fn reduces_as_pillow() {
    let source = golden("rotated.jpg");
    assert!(source.width() % 6 == 1, "blocks at the edge are partial");
    for factor in [2, 3] {
        let name = format!("rotated.jpg.reduce{factor}");
        assert_same(&reduce(&source, factor), &golden(&name), &name);
    }
    assert_same(&reduce(&source, 1), &source, "factor 1");
}

/// The formula of `golden/large`.
fn large() -> Photo {
    let (width, height) = (1633, 1541);
    let value = |x: usize, y: usize, c: usize| ((((x * (c + 3) + y * (5 - c)) >> 3) ^ ((x * y) >> 12)) & 255) as u8;
    let rows = (0..height).flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| value(x, y, c))));
    Photo::from_rgb(rows.collect(), width, height).unwrap()
}

#[test]
fn prepares_a_large_photo_as_pillow() {
    let working = WorkingImage::new(large());
    assert_eq!((working.factor(), working.original_size()), (2, [1633, 1541]));
    assert_eq!([working.photo().width(), working.photo().height()], [817, 771]);
    let expected = golden("large");

    let torch = Preprocessing::imagenet([112, 112], 1.0);
    let mut input = vec![f32::NAN; 112 * 112 * 4];
    torch.to_input(&working, [112, 112], 1.37, [0.5, 0.5], &mut input).unwrap();
    for (quad, pixel) in input.chunks_exact(4).zip(expected.rgb().chunks_exact(3)) {
        for channel in 0..3 {
            let value = (f32::from(pixel[channel]) / 255.0 - torch.mean[channel]) / torch.std[channel];
            assert!((quad[channel] - value).abs() < 1e-6, "{quad:?} {pixel:?}");
        }
        assert_eq!(quad[3], 0.0);
    }

    let caffe = Preprocessing::caffe([112, 112], 1.0);
    assert_eq!(caffe.channel_order, ChannelOrder::Bgr);
    caffe.to_input(&working, [112, 112], 1.37, [0.5, 0.5], &mut input).unwrap();
    for (quad, pixel) in input.chunks_exact(4).zip(expected.rgb().chunks_exact(3)) {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
        assert_eq!(quad, [blue - 104.0, green - 117.0, red - 123.0, 0.0]);
    }
}

#[test]
fn a_view_through_few_pixels_is_resized_twice() {
    let image = WorkingImage::new(decode(&fixture("rotated.jpg")).unwrap());
    let (photo, size, scale, center) = (image.photo(), [96, 64], 1.5, [0.4, 0.6]);
    let preprocessing = Preprocessing::imagenet(size, 0.875);
    for (pixels, few) in [(16, [24, 16]), (64, [96, 64])] {
        let through = preprocessing.through(&image, size, scale, center, pixels).unwrap();
        let crop = crop_box([photo.width(), photo.height()], few, 0.875, scale, center).unwrap();
        assert_same(through.photo(), &resize(photo, crop, few, Interpolation::Bicubic), "through");
        let mut twice = vec![0.0; 96 * 64 * 4];
        preprocessing.whole().to_input(&through, size, 1.0, [0.5, 0.5], &mut twice).unwrap();
        let mut once = vec![0.0; 96 * 64 * 4];
        preprocessing.to_input(&image, size, scale, center, &mut once).unwrap();
        // Through as many pixels as the input has, nothing is lost.
        assert_eq!(once == twice, pixels == 64, "{pixels}");
    }
    assert!(preprocessing.through(&image, size, scale, center, 0).is_err());
}

#[test]
fn working_image_is_reduced_only_from_twice_its_side() {
    for (side, factor) in [(1, 1), (767, 1), (1535, 1), (1536, 2), (2304, 3)] {
        let photo = Photo::from_rgb(vec![9; side * 2310 * 3], 2310, side).unwrap();
        assert_eq!(WorkingImage::new(photo).factor(), factor, "{side}");
    }
}

#[test]
fn crop_box_is_square_centred_and_kept_inside() {
    let at = |scale, center| crop_box([400, 300], [224, 224], 0.875, scale, center).unwrap();
    assert_eq!(at(1.0, [0.5, 0.5]), CropBox { left: 68.75, top: 18.75, right: 331.25, bottom: 281.25 });
    assert_eq!(at(2.0, [0.5, 0.5]), CropBox { left: 134.375, top: 84.375, right: 265.625, bottom: 215.625 });
    assert_eq!(at(2.0, [0.4, 1.0]), CropBox { left: 94.375, top: 168.75, right: 225.625, bottom: 300.0 });
    assert_eq!(at(1.0, [-9.0, 0.0]), CropBox { left: 0.0, top: 0.0, right: 262.5, bottom: 262.5 });
    // Other shapes: the largest box of that shape.
    let wide = crop_box([400, 300], [64, 256], 1.0, 1.0, [0.5, 0.5]).unwrap();
    assert_eq!(wide, CropBox { left: 0.0, top: 100.0, right: 400.0, bottom: 200.0 });
    let tall = crop_box([400, 300], [256, 64], 1.0, 2.0, [0.5, 0.5]).unwrap();
    assert_eq!(tall, CropBox { left: 181.25, top: 75.0, right: 218.75, bottom: 225.0 });
}

#[test]
fn crop_boxes_of_any_photo_stay_inside() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let dimensions = [random.usize(1..5000), random.usize(1..5000)];
        let size = [random.usize(64..=512), random.usize(64..=512)];
        let center = [random.f64() * 1.4 - 0.2, random.f64() * 1.4 - 0.2];
        let crop = crop_box(dimensions, size, 0.05 + 0.95 * random.f64(), 1.0 + 7.0 * random.f64(), center).unwrap();
        let [width, height] = dimensions.map(|side| side as f32);
        assert!(0.0 <= crop.left && crop.left < crop.right && crop.right <= width, "{crop:?} {dimensions:?}");
        assert!(0.0 <= crop.top && crop.top < crop.bottom && crop.bottom <= height, "{crop:?} {dimensions:?}");
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let image = WorkingImage::new(golden("grey.jpg"));
    let preprocessing = Preprocessing::imagenet([64, 64], 1.0);
    let mut input = vec![0.0; 64 * 64 * 4];
    let mut attempt = |size, scale, center| preprocessing.to_input(&image, size, scale, center, &mut input);
    assert!(attempt([64, 64], 8.0, [0.0, 1.0]).is_ok());
    for scale in [0.99, 8.01, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = attempt([64, 64], scale, [0.5, 0.5]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOption);
        assert!(error.message.contains("scale"), "{error}");
    }
    for center in [[f64::NAN, 0.5], [0.5, f64::NEG_INFINITY]] {
        let error = attempt([64, 64], 1.0, center).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOption);
        assert!(error.message.contains("center"), "{error}");
    }
    assert!(attempt([64, 128], 1.0, [0.5, 0.5]).unwrap_err().message.contains("buffer"));
    for size in [[0, 64], [64, 513], [0, 0]] {
        assert!(attempt(size, 1.0, [0.5, 0.5]).unwrap_err().message.contains("input size"));
    }
    assert!(check_size([64, 512], 64..=512).is_ok());
    assert!(check_size([63, 64], 64..=512).unwrap_err().message.contains("from 64 to 512"));
    assert!(crop_box([9, 9], [64, 64], 1.1, 1.0, [0.5, 0.5]).unwrap_err().message.contains("crop_pct"));
    assert!("lanczos".parse::<Interpolation>().unwrap_err().message.contains("lanczos"));
    assert_eq!("bilinear".parse::<Interpolation>().unwrap(), Interpolation::Bilinear);
}

#[test]
fn browser_pixels_are_composited_over_white() {
    let photo = Photo::from_rgba(&[10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 128], 3, 1).unwrap();
    assert_eq!(photo.rgb(), [10, 20, 30, 255, 255, 255, 127, 177, 227]);
    for (length, width, height) in [(4, 0, 1), (0, 0, 0), (12, 2, 2), (4, usize::MAX, 2)] {
        let error = Photo::from_rgba(&vec![0; length], width, height).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadImage, "{error}");
    }
}

#[test]
fn other_formats_are_refused_by_name() {
    let cases: [(&[u8], &str); 17] = [
        (b"", "empty"),
        (b"\xff\xd8", "no known picture format"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "GIF"),
        (b"BM\x46\0\0\0\0\0\0\0", "BMP"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x14ftypisom\0\0\x02\0mp42", "video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"\0\0\x01\0\x01\0", "ICO"),
        (b"\xef\xbb\xbf\n<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
        (b"<!DOCTYPE html><title>404</title><svg></svg>", "HTML"),
        (b"hello", "no known picture format"),
    ];
    for (bytes, name) in cases {
        let error = decode(bytes).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadImage);
        assert!(error.message.contains(name) && error.message.contains("use a JPEG, PNG or WebP"), "{error}");
        assert!(!sniff(bytes).is_supported());
    }
    assert_eq!(sniff(&fixture("lossy.webp")), Format::WebP);
    assert!(["rotated.jpg", "alpha.png", "lossy.webp"].iter().all(|name| sniff(&fixture(name)).is_supported()));
}

#[test]
fn truncated_files_are_refused() {
    for name in ["rotated.jpg", "progressive444.jpg", "alpha.png", "lossy.webp", "lossless.webp"] {
        let bytes = fixture(name);
        for share in [4, 8, 15] {
            let error = decode(&bytes[..bytes.len() * share / 16]).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadImage);
            assert!(error.message.contains("truncated"), "{name}: {error}");
        }
    }
    // A thumbnail's end marker inside the header does not count.
    let mut bytes = fixture("rgb.jpg");
    bytes.truncate(bytes.len() - 2);
    bytes.splice(2..2, *b"\xff\xe1\0\x06\xff\xd8\xff\xd9");
    assert!(decode(&bytes).unwrap_err().message.contains("truncated"));
}

#[test]
fn oversized_pictures_are_refused_from_their_header() {
    let mut jpeg = fixture("rgb.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xfe);
    let mut png = fixture("rgb16.png");
    png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut webp = fixture("lossless.webp");
    let data = webp.windows(4).position(|chunk| chunk == b"VP8L").unwrap() + 9;
    webp[data..data + 4].copy_from_slice(&[0xfe, 0xbf, 0xff, 0x0f]);
    for (bytes, size) in [(jpeg, "65278×65278"), (png, "65536×65536"), (webp, "16383×16383")] {
        let error = decode(&bytes).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadImage);
        assert!(error.message.contains(size) && error.message.contains("144 megapixels"), "{error}");
    }
    assert_eq!(MAX_PIXELS, 144_000_000);
}

#[test]
fn oversized_pixels_are_refused_whatever_they_come_from() {
    for error in
        [Photo::from_rgba(&[], 12_001, 12_000), Photo::from_rgb(Vec::new(), 12_001, 12_000)].map(Result::unwrap_err)
    {
        assert_eq!(error.code, ErrorCode::BadImage);
        assert!(error.message.contains("12001×12000") && error.message.contains("144 megapixels"), "{error}");
    }
    let length = Photo::from_rgb(Vec::new(), 12_000, 12_000).unwrap_err();
    assert!(!length.message.contains("megapixels"), "{length}");
}

/// PNG's checksum, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[test]
fn damaged_files_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for name in fixture_names() {
        let whole = fixture(&name);
        let rounds = if PHOTOS.contains(&name.as_str()) { 30 } else { 100 };
        for _ in 0..rounds {
            refused += usize::from(decode(&whole[..random.usize(..whole.len())]).is_err());
            let mut flipped = whole.clone();
            // Headers are hit more often than their share of the file.
            let reach = if random.bool() { whole.len() } else { whole.len().min(700) };
            for _ in 0..random.usize(1..6) {
                flipped[random.usize(..reach)] ^= 1 << random.u32(..8);
            }
            if let Err(error) = decode(&flipped) {
                assert_eq!(error.code, ErrorCode::BadImage, "{name}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1000, "only {refused} damaged files were refused");
}
