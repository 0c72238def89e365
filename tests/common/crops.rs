//! Pictures that the GPU makes of a photo, against those of the CPU.

use sklens::backend::{Backend, Runner};
use sklens::gpu::{GpuCounters, GpuDevice};
use sklens::graph::GraphBuilder;
use sklens::image::{Interpolation, Photo, Preprocessing, WorkingImage, decode};
use sklens::kernels::Crops;
use sklens::network::preset;
use sklens::plan::PlanOptions;
use std::rc::Rc;

/// 201 × 301 pixels, stored lying on their side.
const ORIENTED: &[u8] = include_bytes!("../fixtures/images/rotated.jpg");

/// Noise of extremes, whose sums go over both ends of a byte, or of all values.
fn noise(random: &mut fastrand::Rng, width: usize, height: usize) -> WorkingImage {
    let extreme = random.bool();
    let value = |random: &mut fastrand::Rng| if extreme { 255 * random.u8(..2) } else { random.u8(..) };
    let rgb = (0..width * height * 3).map(|_| value(random)).collect();
    WorkingImage::new(Photo::from_rgb(rgb, width, height).expect("photo"))
}

/// Compares the pictures of `scales` bit by bit, lane of padding included.
async fn compare(
    runner: &mut Runner,
    preprocessing: &Preprocessing,
    photo: &WorkingImage,
    size: [usize; 2],
    scales: &[f64],
    center: [f64; 2],
) {
    let crops = Crops::new(preprocessing, photo, size, scales, center).expect("crops");
    let found =
        runner.run_on(Some(&crops)).await.expect("run").tensor(&runner.plan, runner.plan.input).expect("the pictures");
    let positions = size[0] * size[1];
    for (n, &scale) in scales.iter().enumerate() {
        let mut expected = vec![f32::NAN; positions * 4];
        preprocessing.to_input(photo, size, scale, center, &mut expected).expect("a picture");
        for (at, expected) in expected.iter().enumerate() {
            let found = found[(n * 4 + at % 4) * positions + at / 4];
            let pixels = [photo.photo().width(), photo.photo().height()];
            assert_eq!(found.to_bits(), expected.to_bits(), "{pixels:?} to {size:?} at {scale}, {center:?}: {at}");
        }
    }
}

/// A plan of no steps that hands its pictures back.
async fn identity(device: &Rc<GpuDevice>, [height, width]: [usize; 2], batch: usize) -> Runner {
    let builder = GraphBuilder::new([4, height, width]);
    let picture = builder.picture();
    let graph = builder.finish(picture);
    Runner::generated(&Backend::Gpu(device.clone()), &graph, &PlanOptions::batch(batch)).await.expect("runner")
}

/// Pictures of `count` sizes and batches, each of several photos at several zooms and places.
///
/// # Panics
/// If a bit differs from the CPU's.
pub async fn check_pictures(device: &Rc<GpuDevice>, seed: u64, count: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    for case in 0..count {
        let size = [random.usize(1..70), random.usize(1..70)];
        let batch = random.usize(1..4);
        let mut runner = identity(device, size, batch).await;
        // Both orders of channels.
        let preprocessing = if case % 2 == 0 { Preprocessing::imagenet } else { Preprocessing::caffe };
        let mut preprocessing = preprocessing(size, 1.0 - 0.9 * random.f64());
        let photos = [
            noise(&mut random, 1, 1),
            WorkingImage::new(decode(ORIENTED).expect("photo")),
            // Reduced by 2, blocks at the edge are partial.
            noise(&mut random, 1537, 1539),
        ];
        let more: Vec<_> = (0..5).map(|_| [random.usize(1..500), random.usize(1..500)]).collect();
        let more = more.into_iter().map(|[width, height]| noise(&mut random, width, height));
        for photo in photos.into_iter().chain(more.collect::<Vec<_>>()) {
            preprocessing.interpolation = if random.bool() { Interpolation::Bicubic } else { Interpolation::Bilinear };
            for _ in 0..3 {
                let center = [0, 1].map(|_| 1.6 * random.f64() - 0.3);
                let scales: Vec<_> =
                    (0..batch).map(|_| if random.bool() { 1.0 } else { 1.0 + 7.0 * random.f64() }).collect();
                compare(&mut runner, &preprocessing, &photo, size, &scales, center).await;
            }
        }
    }
}

/// Moves zoom and centre over a photo that a network looked at already.
///
/// # Panics
/// If a move makes anything on the device, uploads more than its coefficients, or needs more than one submit and one
/// read-back.
pub async fn check_moves(device: &Rc<GpuDevice>) {
    let size = [96, 64];
    let graph = preset("sk_shufflenet_v2_x0_5").expect("preset").graph(size, 10).expect("graph");
    let backend = Backend::Gpu(device.clone());
    let mut runner = Runner::generated(&backend, &graph, &PlanOptions::batch(1)).await.expect("runner");
    let photo = noise(&mut fastrand::Rng::with_seed(3), 400, 301);
    let preprocessing = Preprocessing::imagenet(size, 0.875);
    let mut before = None;
    // The smallest crop comes first, so that room for it alone would not do.
    let moves = [(8.0, 0.0), (1.0, 0.5), (1.0, 0.503), (1.3, 0.9), (4.7, 0.123), (1.0, 1.0)];
    for (n, (scale, at)) in moves.into_iter().enumerate() {
        let crops = Crops::new(&preprocessing, &photo, size, &[scale], [at, 1.0 - at]).expect("crops");
        runner.run_on(Some(&crops)).await.expect("run");
        let found = device.counters();
        let words = size_of_val(crops.words.as_slice()) as u64;
        let picture = (size[0] * size[1] * 4 * size_of::<f32>()) as u64;
        assert!(words < picture / 4 && words <= crops.room[0], "{words} bytes for a picture of {picture}");
        if let Some(GpuCounters { submits, read_backs, uploaded, .. }) = before {
            let (submits, read_backs, uploaded) = (submits + 1, read_backs + 1, uploaded + words);
            assert_eq!(found, GpuCounters { submits, read_backs, uploaded, ..before.expect("one") }, "move {n}");
        }
        before = Some(found);
    }
}
