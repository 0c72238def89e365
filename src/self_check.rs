//! Whether an adapter computes what it should: a small network, on the GPU and in plain Rust.

use crate::backend::{Backend, Runner};
use crate::gpu::GpuDevice;
use crate::graph::{Graph, GraphBuilder, Pool, PoolKind};
use crate::image::{Photo, Preprocessing, WorkingImage};
use crate::kernels::{AdapterFacts, Choices, Crops, Kind, Variant};
use crate::network::blocks::{AttentionWidth, Groups, SkBranch, SkConv, UnitPlace, conv_bn, kernel, sk_unit};
use crate::plan::{LANES, PlanOptions};
use crate::weights::generated::{self, fill};
use crate::weights::{Parameters, WeightPrecision};
use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Largest difference between two results that rounding explains, relative to the largest value.
const TOLERANCE: f32 = 1e-3;

thread_local! {
    /// Verdicts by the adapter's name, with weights kept so.
    static VERDICTS: RefCell<HashMap<(String, WeightPrecision), Result<()>>> = RefCell::default();
}

/// Runs a small network, its weights kept in `precision`, once per adapter.
///
/// # Errors
/// `device-lost` if the results are wrong or the adapter refuses the run.
pub(crate) async fn check(device: &Rc<GpuDevice>, precision: WeightPrecision) -> Result<()> {
    let key = (device.adapter.name.clone(), precision);
    if let Some(verdict) = VERDICTS.with_borrow(|verdicts| verdicts.get(&key).cloned()) {
        return verdict;
    }
    let graph = graph()?;
    let weights = generated::parameters(&graph);
    let adapter = device.choices().adapter;
    let deviation = deviation(device, precision, &graph, [&weights, &weights], adapter).await;
    // A device that was lost meanwhile says nothing about its adapter.
    device.check()?;
    let verdict = deviation.and_then(|deviation| judge(&key.0, deviation));
    VERDICTS.with_borrow_mut(|verdicts| verdicts.insert(key, verdict.clone()));
    verdict
}

fn judge(adapter: &str, deviation: f32) -> Result<()> {
    // Not a number must fail as well.
    if deviation <= TOLERANCE {
        return Ok(());
    }
    Err(Error::device_lost(format!(
        "{adapter} computes wrong results: a small network that was run as a test is off by {deviation:.3}"
    )))
}

/// Every kernel family of the presets, at sizes that fill no workgroup exactly.
fn graph() -> Result<Graph> {
    let mut b = GraphBuilder::new([3, 23, 19]);
    let picture = b.picture();
    let stem = conv_bn(&mut b, "stem", "stem.bn", picture, 16, kernel(3), 2)?;
    let stem = b.relu("stem.act", stem);
    let pool = Pool { kind: PoolKind::Max, kernel: 3, stride: 2, padding: 1, ceil_mode: false };
    let mut x = b.pool("pool", stem, pool)?;
    for (index, groups) in [(1, Groups::Depthwise), (2, Groups::Count(4))] {
        let path = format!("unit{index}");
        let branches = [1, 2].map(|dilation| SkBranch { kernel: 3, dilation, groups }).to_vec();
        let attention = Some(AttentionWidth::Reduction { r: 2, l: 8 });
        let place = UnitPlace { stage: 2, index, path: path.clone() };
        let unit = sk_unit(&mut b, &place, x, 16, 1, &SkConv { branches, split_input: false, attention })?;
        let widened = conv_bn(&mut b, &format!("{path}.conv3"), &format!("{path}.bn3"), unit, 16, kernel(1), 1)?;
        let sum = b.add(format!("{path}.add"), &[widened, x])?;
        x = b.channel_shuffle(format!("{path}.shuffle"), sum, 2)?;
    }
    let mean = b.global_average_pool("mean", x);
    let output = b.linear("fc", mean, 10, true, false)?;
    Ok(b.finish(output))
}

/// Largest difference between the results of the GPU and the CPU with their weights, relative to the largest value of
/// the same tensor.
async fn deviation(
    device: &Rc<GpuDevice>,
    precision: WeightPrecision,
    graph: &Graph,
    weights: [&Parameters; 2],
    adapter: AdapterFacts,
) -> Result<f32> {
    let expected = run(&mut runner(&Backend::Cpu, precision, graph, weights[1]).await?, graph).await?;
    let mut gpu = runner(&Backend::Gpu(device.clone()), precision, graph, weights[0]).await?;
    let mut worst = difference(&expected, &run(&mut gpu, graph).await?);
    if !adapter.software {
        worst = worse(worst, deviation_of_crop(&mut gpu, graph.tensor(graph.input).shape, [1.3; 2]).await?);
    }
    // Larger networks may take these on such an adapter.
    for variant in [Variant::Staged, Variant::Split] {
        if !adapter.software && worst <= TOLERANCE {
            let shared = gpu.shapes().into_iter().flatten().filter(|shape| shape.kind == Kind::Matrix);
            let tuned = shared.map(|shape| (shape.to_string(), variant)).collect();
            gpu.record(&Choices { adapter, tuned }).await?;
            worst = worse(worst, difference(&expected, &run(&mut gpu, graph).await?));
        }
    }
    Ok(worst)
}

/// Largest difference between the pictures `[_, H, W]` that the GPU and the CPU make of a photo, each at its zoom.
async fn deviation_of_crop(gpu: &mut Runner, [_, height, width]: [usize; 3], scales: [f64; 2]) -> Result<f32> {
    let (size, center) = ([height, width], [0.4, 0.6]);
    let bytes = (0_u32..3 * 41 * 37).map(|at| ((at * at) >> 4) as u8).collect();
    let photo = WorkingImage::new(Photo::from_rgb(bytes, 41, 37)?);
    let preprocessing = Preprocessing::imagenet(size, 1.0);
    let mut expected = vec![0.0; height * width * LANES];
    preprocessing.to_input(&photo, size, scales[1], center, &mut expected)?;
    let crops = Crops::new(&preprocessing, &photo, size, &scales[..1], center)?;
    let found = gpu.run_on(Some(&crops)).await?.tensor(&gpu.plan, gpu.plan.input)?;
    let expected = |at: usize| expected[at % (height * width) * LANES + at / (height * width)];
    Ok(found.iter().enumerate().map(|(at, value)| (value - expected(at)).abs()).fold(0.0, worse))
}

/// Largest difference between two sets of tensors, relative to the largest value of the same tensor.
fn difference(expected: &[Vec<f32>], found: &[Vec<f32>]) -> f32 {
    let differences = found.iter().zip(expected).flat_map(|(found, expected)| {
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, v| largest.max(v.abs()));
        found.iter().zip(expected).map(move |(a, b)| (a - b).abs() / largest)
    });
    differences.fold(0.0, worse)
}

/// The worse of two differences; not a number is the worst.
fn worse(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

async fn runner(backend: &Backend, precision: WeightPrecision, graph: &Graph, weights: &Parameters) -> Result<Runner> {
    let options = PlanOptions { retain: vec!["input".into()], ..PlanOptions::batch(1) };
    Runner::planned(backend, graph, &options, weights, precision).await
}

/// Logits and attention of every unit.
async fn run(runner: &mut Runner, graph: &Graph) -> Result<Vec<Vec<f32>>> {
    runner.write_nchw(graph.input, &fill("input", &graph.tensor(graph.input).shape));
    let values = runner.run().await?;
    let outputs = std::iter::once(graph.output).chain(graph.units.iter().map(|unit| unit.attention));
    outputs.map(|id| values.tensor(&runner.plan, id)).collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use pollster::block_on;

    /// The same adapter, taken for a GPU.
    const HARDWARE: AdapterFacts = AdapterFacts { software: false, mobile: false };

    #[test]
    fn variants_for_hardware_are_checked() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        let graph = graph().unwrap();
        let weights = generated::parameters(&graph);
        let check = |adapter| deviation(&device, WeightPrecision::F32, &graph, [&weights, &weights], adapter);
        let pipelines = [AdapterFacts::default(), HARDWARE].map(|adapter| {
            let found = block_on(check(adapter)).unwrap();
            assert!(found <= TOLERANCE, "{adapter:?}: {found}");
            device.pipeline_count()
        });
        assert!(pipelines[1] >= pipelines[0] + 4, "{pipelines:?}");
    }

    #[test]
    fn this_adapter_passes_and_is_asked_once() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        let both = [WeightPrecision::F32, WeightPrecision::F16];
        let pipelines = both.map(|precision| {
            block_on(check(&device, precision)).unwrap();
            device.pipeline_count()
        });
        // Kernels that read f16 are others.
        assert!(pipelines[0] > 5 && pipelines[1] > pipelines[0] + 2, "{pipelines:?}");
        let again = Rc::new(block_on(GpuDevice::open()).unwrap());
        both.iter().for_each(|&precision| block_on(check(&again, precision)).unwrap());
        assert_eq!(again.pipeline_count(), 0);
    }

    #[test]
    fn a_wrong_tensor_is_noticed() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        let graph = graph().unwrap();
        let right = generated::parameters(&graph);
        for name in ["stem.weight", "unit1.paths.1.conv.weight", "unit2.attn.fc_select.weight", "fc.bias"] {
            let parameter = graph.parameters().into_iter().find(|p| p.name == name).expect("a parameter");
            let mut values = fill(name, &parameter.shape);
            values.iter_mut().for_each(|v| *v = -*v);
            let mut wrong = generated::parameters(&graph);
            wrong.insert(name.to_string(), values);
            let found = block_on(deviation(&device, WeightPrecision::F32, &graph, [&wrong, &right], HARDWARE)).unwrap();
            let error = judge("this adapter", found).expect_err(name);
            assert!(error.message.contains("this adapter computes wrong results"), "{name}: {error}");
        }
        assert!(judge("this adapter", f32::NAN).is_err());
    }

    #[test]
    fn a_wrong_crop_is_noticed() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        let graph = graph().unwrap();
        let weights = generated::parameters(&graph);
        let backend = Backend::Gpu(device);
        let mut gpu = block_on(runner(&backend, WeightPrecision::F32, &graph, &weights)).unwrap();
        let mut found = |scales| block_on(deviation_of_crop(&mut gpu, [3, 23, 19], scales)).unwrap();
        assert_eq!(found([1.3, 1.3]), 0.0);
        assert!(found([1.3, 1.301]) > TOLERANCE);
    }

    #[test]
    fn a_refusing_device_is_an_error_and_no_verdict() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        device.destroy();
        assert!(block_on(check(&device, WeightPrecision::F32)).is_err());
        let again = Rc::new(block_on(GpuDevice::open()).unwrap());
        block_on(check(&again, WeightPrecision::F32)).unwrap();
    }
}
