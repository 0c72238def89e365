//! Photos that the GPU crops, resizes and normalises.

#[path = "common/crops.rs"]
mod crops;

use pollster::block_on;
use sklens::ErrorCode;
use sklens::analysis::Analysis;
use sklens::backend::{Backend, Runner};
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::gpu::{DeviceLimits, GpuAdapter, GpuDevice};
use sklens::image::{Photo, Preprocessing, WorkingImage};
use sklens::kernels::Crops;
use sklens::network::preset;
use sklens::overrides::{ALL_UNITS, Override, RunOptions};
use sklens::plan::PlanOptions;
use sklens::session::{BackendChoice, OpenOptions, Session, View};
use sklens::weights::Source;
use sklens::weights::generated::fill;
use std::rc::Rc;

fn device(limits: DeviceLimits) -> Rc<GpuDevice> {
    let open = async { GpuAdapter::find().await?.open(limits).await };
    Rc::new(block_on(open).expect("a Vulkan adapter, at least lavapipe"))
}

#[test]
fn pictures_equal_the_cpus_to_the_bit() {
    block_on(crops::check_pictures(&device(DeviceLimits::default()), 29, 12));
}

#[test]
fn a_move_uploads_its_coefficients_alone() {
    block_on(crops::check_moves(&device(DeviceLimits::default())));
}

fn runner(backend: &Backend) -> Runner {
    let graph = preset("sk_shufflenet_v2_x0_5").expect("preset").graph([64, 64], 10).expect("graph");
    block_on(Runner::generated(backend, &graph, &PlanOptions::batch(1))).expect("runner")
}

fn photo(seed: u8, width: usize, height: usize) -> WorkingImage {
    let values = fill(&format!("photo {seed}"), &[height, width, 3]);
    let rgb = values.iter().map(|value| ((value + 2.0) * 63.0) as u8).collect();
    WorkingImage::new(Photo::from_rgb(rgb, width, height).expect("photo"))
}

/// Runs the network of [`runner`] on a crop of `photo`.
fn run(runner: &mut Runner, photo: &WorkingImage) -> sklens::Result<()> {
    let preprocessing = Preprocessing::imagenet([64, 64], 1.0);
    let crops = Crops::new(&preprocessing, photo, [64, 64], &[2.0], [0.5, 0.5])?;
    block_on(runner.run_on(Some(&crops))).map(drop)
}

#[test]
fn a_photo_beyond_the_devices_limits_is_left_to_the_cpu() {
    // Larger than all that the network needs.
    let photo = photo(1, 600, 500);
    let bytes = photo.photo().rgb().len() as u64;
    for (max_buffer, allowed) in [(bytes - 1, false), (bytes, true)] {
        let limited = device(DeviceLimits { max_buffer: Some(max_buffer) });
        let mut runner = runner(&Backend::Gpu(limited.clone()));
        let before = limited.counters();
        assert_eq!(run(&mut runner, &photo).is_ok(), allowed, "{max_buffer}");
        assert_eq!(limited.counters() == before, !allowed);
    }
    let error = run(&mut runner(&Backend::Cpu), &photo).expect_err("the CPU has no photos");
    assert_eq!(error.code, ErrorCode::BadOption, "{error}");
}

#[test]
fn a_photo_is_uploaded_when_another_one_is_kept() {
    let device = device(DeviceLimits::default());
    let mut runner = runner(&Backend::Gpu(device.clone()));
    // Two as large as each other, the first of them once more, and another.
    let photos = [photo(1, 300, 200), photo(2, 300, 200), photo(3, 200, 301)];
    let mut uploaded = Vec::new();
    for which in [0, 0, 1, 0, 2, 2] {
        let before = device.counters();
        run(&mut runner, &photos[which].clone()).expect("a run");
        let after = device.counters();
        let photo = photos[which].photo().rgb().len() as u64;
        uploaded.push((after.uploaded - before.uploaded >= photo, after.buffers - before.buffers));
    }
    // Words and the first pass's pixels have buffers as well; the last photo needs more room for both.
    assert_eq!(uploaded, [(true, 3), (false, 0), (true, 0), (true, 0), (true, 3), (false, 0)]);
}

#[test]
fn crops_of_another_size_or_batch_are_refused() {
    let mut runner = runner(&Backend::Gpu(device(DeviceLimits::default())));
    let (photo, preprocessing) = (photo(1, 300, 200), Preprocessing::imagenet([64, 64], 1.0));
    for (size, scales, fit) in [([64, 64], &[1.0][..], true), ([96, 64], &[1.0], false), ([64, 64], &[1.0, 2.0], false)]
    {
        let crops = Crops::new(&preprocessing, &photo, size, scales, [0.5, 0.5]).expect("crops");
        assert_eq!(runner.takes(&crops), fit, "{size:?}, {scales:?}");
        assert_eq!(block_on(runner.run_on(Some(&crops))).is_ok(), fit, "{size:?}, {scales:?}");
    }
}

#[test]
fn a_lost_device_is_told() {
    let device = device(DeviceLimits::default());
    let mut runner = runner(&Backend::Gpu(device.clone()));
    let photo = photo(1, 300, 200);
    run(&mut runner, &photo).expect("a run");
    device.destroy();
    for _ in 0..2 {
        assert_eq!(run(&mut runner, &photo).expect_err("a lost device").code, ErrorCode::DeviceLost);
    }
}

/// Results without their times.
fn untimed(results: Vec<Analysis>) -> Vec<Analysis> {
    results.into_iter().map(|result| Analysis { milliseconds: 0.0, ..result }).collect()
}

#[test]
fn sessions_see_the_same_wherever_photos_are_cropped() {
    let open = |crops_on_gpu| {
        let source = Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
        let options = OpenOptions { backend: BackendChoice::Gpu, crops_on_gpu, ..OpenOptions::default() };
        block_on(Session::open(DEFAULT_MODEL, source, options, |_| ())).expect("session")
    };
    let mut sessions = [Some(true), Some(false), None].map(open);
    let photos = [photo(1, 300, 200), photo(2, 120, 333), photo(3, 300, 200)];
    let input = fill("input", &[1, 3, 64, 64]);
    let options = |overrides: &[Override], tensors: &[&str]| RunOptions {
        overrides: [(ALL_UNITS.to_string(), overrides.to_vec())].into(),
        tensors: tensors.iter().map(|name| name.to_string()).collect(),
    };
    let plain = View { size: Some([64, 64]), ..View::default() };
    let zooms = View { scales: vec![1.0, 1.7, 6.0], center: [0.2, 0.9], ..plain.clone() };
    let swapped = View { run: options(&[Override::Swap], &["input"]), ..zooms.clone() };
    let blurred = View { through: Some(20), ..zooms.clone() };
    let mut look = |photos: &[WorkingImage], view: &View| {
        let [first, rest @ ..] =
            sessions.each_mut().map(|session| untimed(block_on(session.analyze_all(photos, view)).expect("analysis")));
        for other in rest {
            assert_eq!(first, other, "{view:?}");
        }
        let [first, rest @ ..] = sessions
            .each_mut()
            .map(|session| untimed(block_on(session.analyze_tensor(&input, [1, 3, 64, 64])).expect("analysis")));
        assert!(rest.iter().all(|other| *other == first), "a ready input after {view:?}");
        photos.len() * view.scales.len()
    };
    let mut results = 0;
    for photo in &photos {
        for view in [&plain, &zooms, &swapped, &blurred] {
            results += look(std::slice::from_ref(photo), view);
        }
    }
    assert_eq!(results + look(&photos, &zooms), 39);
}
