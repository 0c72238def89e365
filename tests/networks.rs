//! Whole networks on both backends against PyTorch, timm and torchvision.

#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/golden.rs"]
mod golden;

use checkpoint::generated_checkpoint;
use golden::{Golden, integers};
use pollster::block_on;
use sklens::bundled;
use sklens::image::ChannelOrder;
use sklens::network::{NetworkFile, ablations, preset, presets};
use sklens::session::{BackendChoice, OpenOptions, Session};
use sklens::weights::generated::fill;
use sklens::weights::{Source, WeightPrecision};

/// Allowed for logits (relative to the largest) and attention (absolute).
const TOLERANCE: f32 = 1e-4;
/// The same with weights that are f16 in memory.
const HALF_TOLERANCE: f32 = 2e-3;
/// The goldens must stay small enough to commit.
const MAX_GOLDENS: u64 = 4_500_000;

type Edit = fn(&str) -> String;

/// Generated weights of a preset, renamed by `edit`.
fn generated_weights(network: &str, classes: usize, edit: Edit) -> Source {
    generated_checkpoint(&preset(network).unwrap().graph([64, 64], classes).unwrap(), edit)
}

/// Largest deviation of logits (relative) and of any unit's attention.
fn deviation(golden: &Golden, source: Source, options: impl Into<OpenOptions>) -> (f32, f32) {
    let options = options.into();
    let gpu = options.backend == BackendChoice::Gpu;
    let document = &golden.document;
    let network = document["network"].as_str().expect("network");
    let shape: [usize; 4] = integers(&document["shape"]).try_into().expect("four dimensions");
    let mut session = block_on(Session::open(network, source, options, |_| ())).expect("session");
    let results = block_on(session.analyze_tensor(&fill("input", &shape), shape)).expect("analysis");
    let info = session.info().expect("info");
    assert_eq!(info.backend, if gpu { "gpu" } else { "cpu" });
    assert_eq!(info.dispatches > 0, gpu);
    assert_eq!(results.len(), shape[0]);
    let logits: Vec<f32> = results.iter().flat_map(|r| r.logits.clone()).collect();
    let expected = golden.tensor("logits");
    let scale = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let mut attention = 0.0_f32;
    for (i, unit) in results[0].units.iter().enumerate() {
        let found: Vec<f32> = results.iter().flat_map(|r| r.units[i].attention.clone()).collect();
        attention = attention.max(worst(&found, &golden.tensor(&format!("attention.{}", unit.name))));
        assert_eq!(document["units"][&unit.name].as_str(), Some(unit.path.as_str()));
        let channels = info.units[i].channels;
        for c in 0..channels {
            let total: f32 = unit.attention.iter().skip(c).step_by(channels).sum();
            assert!((total - 1.0).abs() < 1e-5);
        }
    }
    assert_eq!(document["units"].as_object().map(|u| u.len()), Some(results[0].units.len()));
    (worst(&logits, &expected) / scale, attention)
}

fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let difference = |(a, b): (&f32, &f32)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY };
    found.iter().zip(expected).map(difference).fold(0.0, f32::max)
}

/// The weights that a golden was computed with.
fn weights_of(golden: &Golden) -> Source {
    let network = golden.document["network"].as_str().expect("network");
    let classes = golden.document["classes"].as_u64().expect("classes") as usize;
    match golden.document["parameters"].as_str() {
        Some("generated") => generated_weights(network, classes, str::to_string),
        _ => Source::Static(bundled::weights(network).expect("bundled weights")),
    }
}

fn check(name: &str, options: impl Into<OpenOptions>, tolerance: f32) {
    let (golden, options) = (Golden::read(name), options.into());
    let (logits, attention) = deviation(&golden, weights_of(&golden), options.clone());
    println!("{name} with {options:?}: logits {logits:.1e}, attention {attention:.1e}");
    assert!(logits <= tolerance, "{name} with {options:?}: logits deviate by {logits}");
    assert!(attention <= tolerance, "{name} with {options:?}: attention deviates by {attention}");
}

macro_rules! networks {
    ($($test:ident)*) => {
        mod cpu {
            $(#[test] fn $test() { super::check(stringify!($test), super::BackendChoice::Cpu, super::TOLERANCE) })*
        }
        mod gpu {
            $(#[test] fn $test() { super::check(stringify!($test), super::BackendChoice::Gpu, super::TOLERANCE) })*
        }
        #[test]
        fn every_golden_is_tested() {
            let tested = [$(stringify!($test)),*, "operators", "receptive_field"];
            let network = |name: &&str| Golden::read(name).document["network"].as_str().map(str::to_string);
            let networks: Vec<_> = tested.iter().filter_map(network).collect();
            for network in presets().into_iter().chain(ablations()) {
                assert!(networks.contains(&network.name), "{} has no golden", network.name);
            }
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
            let mut size = 0;
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                size += entry.metadata().unwrap().len();
                let name = entry.file_name().into_string().unwrap();
                let golden = name.strip_suffix(".safetensors");
                assert!(golden.is_none_or(|golden| tested.contains(&golden)), "{name} is not tested");
            }
            assert!(size <= MAX_GOLDENS, "{size} bytes of goldens");
        }
    };
}

networks! {
    sknet50
    sknet50_192x256
    sknet50_caffe
    sk_shufflenet_v2_x1_0
    sk_shufflenet_v2_x1_0_112
    sk_shufflenet_v2_x0_5_97x131
    bundled
    sknet26
    sknet101
    sknet101_caffe
    sknet29_cifar10
    sk_shufflenet_v2_x1_5
    skresnet18
    skresnet34
    skresnet50
    skresnet50d
    resnext50_32x4d
    seresnext50_32x4d
    shufflenet_v2_x0_5
    shufflenet_v2_x1_0
    se_shufflenet_v2_x0_5
    se_shufflenet_v2_x1_0
    sknet50_k3_k3
    sknet50_k3_k7
    sknet50_k3_5x5g64
    sknet50_k3_7x7g128
    sknet50_k5
    sknet50_k7
    sknet50_k3_k5_sum
    sknet50_k3_k7_sum
    sknet50_k5_k7_sum
    sknet50_k5_k7
    sknet50_k3_k5_k7_sum
    sknet50_k3_k5_k7
}

/// Networks whose weights are tested as f16 in memory: those with every kind of kernel, and trained weights.
const IN_HALVES: [&str; 5] = ["sknet50", "sk_shufflenet_v2_x1_0", "seresnext50_32x4d", "skresnet50d", "bundled"];

#[test]
fn weights_in_f16_stay_near_the_goldens_on_the_cpu() {
    let options = OpenOptions { precision: WeightPrecision::F16, ..BackendChoice::Cpu.into() };
    IN_HALVES.iter().for_each(|name| check(name, options.clone(), HALF_TOLERANCE));
}

#[test]
fn weights_in_f16_stay_near_the_goldens_on_the_gpu() {
    let options = OpenOptions { precision: WeightPrecision::F16, ..BackendChoice::Gpu.into() };
    ["sk_shufflenet_v2_x1_0", "bundled"].iter().for_each(|name| check(name, options.clone(), HALF_TOLERANCE));
}

#[test]
fn weights_in_f16_take_little_more_than_half_the_memory() {
    for (name, share) in [("sknet50", 0.52), ("sk_shufflenet_v2_x1_0", 0.56)] {
        let golden = Golden::read(name);
        let bytes = |precision| {
            let options = OpenOptions { precision, ..BackendChoice::Cpu.into() };
            let session = block_on(Session::open(name, weights_of(&golden), options, |_| ())).expect("session");
            let info = session.info().expect("info");
            assert_eq!(info.weight_precision, precision);
            info.weight_bytes as f64
        };
        let ratio = bytes(WeightPrecision::F16) / bytes(WeightPrecision::F32);
        println!("{name}: {ratio:.3} of the memory");
        assert!((0.5..share).contains(&ratio), "{name}: {ratio}");
    }
}

#[test]
fn exchanged_branches_are_noticed() {
    let exchange: Edit = |name| {
        let unit = "stage3.4.branch2.3.paths.";
        match name.strip_prefix(unit) {
            Some(rest) if rest.starts_with('0') => format!("{unit}1{}", &rest[1..]),
            Some(rest) => format!("{unit}0{}", &rest[1..]),
            None => name.to_string(),
        }
    };
    let golden = Golden::read("sk_shufflenet_v2_x1_0");
    let source = generated_weights("sk_shufflenet_v2_x1_0", 1000, exchange);
    let (logits, attention) = deviation(&golden, source, BackendChoice::Cpu);
    assert!(logits > 50.0 * TOLERANCE && attention > 50.0 * TOLERANCE, "logits {logits}, attention {attention}");
}

#[test]
fn the_only_branch_of_a_described_unit_gets_all_attention() {
    let text = "[sknet]\ndepths = [1, 1]\nbranches = [{ kernel = 3, dilation = 2 }]\nclasses = 10\n";
    let network = NetworkFile::from_toml(text).unwrap().network().unwrap();
    let source = generated_checkpoint(&network.graph([64, 64], 10).unwrap(), str::to_string);
    let shape = [2, 3, 64, 64];
    let run = |backend| {
        let opened = Session::open_network(network.clone(), source.clone(), backend, |_| ());
        let mut session = block_on(opened).expect("session");
        block_on(session.analyze_tensor(&fill("input", &shape), shape)).expect("analysis")
    };
    let [cpu, gpu] = [BackendChoice::Cpu, BackendChoice::Gpu].map(run);
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        let attention: Vec<f32> = cpu.units.iter().chain(&gpu.units).flat_map(|unit| unit.attention.clone()).collect();
        assert!(attention.len() == 2 * (128 + 256) && attention.iter().all(|&a| a == 1.0));
        assert!(worst(&cpu.logits, &gpu.logits) <= TOLERANCE * cpu.logits.iter().fold(0.0_f32, |m, v| m.max(v.abs())));
    }
}

/// (network, parameters, multiply-adds of conv and fc, SK units) for its data set and input size.
const COUNTS: [(&str, u64, u64, usize); 31] = [
    ("sknet50", 27_479_784, 4_462_710_784, 16),
    ("sknet50_caffe", 27_479_784, 4_462_710_784, 16),
    ("sknet26", 16_746_408, 2_586_877_952, 8),
    ("sknet101", 48_736_040, 8_448_724_992, 33),
    ("sknet101_caffe", 48_686_760, 8_448_675_840, 33),
    ("sknet29_cifar10", 27_813_450, 4_180_928_512, 9),
    ("sk_shufflenet_v2_x1_0", 2_503_044, 148_791_672, 16),
    ("sk_shufflenet_v2_x0_5", 1_460_264, 42_083_488, 16),
    ("sk_shufflenet_v2_x1_5", 3_843_624, 301_651_872, 16),
    ("skresnet18", 11_958_056, 1_814_337_536, 8),
    ("skresnet34", 22_282_376, 3_664_237_568, 16),
    ("skresnet50", 25_803_160, 4_089_422_336, 16),
    ("skresnet50d", 25_822_392, 4_329_062_912, 16),
    ("resnext50_32x4d", 25_028_904, 4_230_479_872, 0),
    ("seresnext50_32x4d", 27_559_896, 4_232_994_816, 0),
    ("shufflenet_v2_x0_5", 1_366_792, 40_476_448, 0),
    ("shufflenet_v2_x1_0", 2_278_604, 144_907_992, 0),
    ("se_shufflenet_v2_x0_5", 1_381_608, 40_490_272, 0),
    ("se_shufflenet_v2_x1_0", 2_329_108, 144_956_248, 0),
    ("sknet50_k3_k3", 27_479_784, 4_462_710_784, 16),
    ("sknet50_k3_k7", 27_479_784, 4_462_710_784, 16),
    ("sknet50_k3_5x5g64", 28_029_928, 4_552_626_176, 16),
    ("sknet50_k3_7x7g128", 27_990_632, 4_546_203_648, 16),
    ("sknet50_k5", 25_028_904, 4_230_479_872, 0),
    ("sknet50_k7", 25_028_904, 4_230_479_872, 0),
    ("sknet50_k3_k5_sum", 26_458_664, 4_461_690_880, 0),
    ("sknet50_k3_k7_sum", 26_458_664, 4_461_690_880, 0),
    ("sknet50_k5_k7_sum", 26_458_664, 4_461_690_880, 0),
    ("sknet50_k5_k7", 27_479_784, 4_462_710_784, 16),
    ("sknet50_k3_k5_k7_sum", 27_888_424, 4_692_901_888, 0),
    ("sknet50_k3_k5_k7", 29_249_512, 4_694_261_760, 16),
];

#[test]
fn counts_equal_the_published_ones() {
    let all: Vec<_> = presets().into_iter().chain(ablations()).collect();
    assert_eq!(COUNTS.map(|c| c.0).to_vec(), all.iter().map(|n| n.name.clone()).collect::<Vec<_>>());
    for (network, (name, parameters, macs, units)) in all.iter().zip(COUNTS) {
        let graph = network.graph(network.preprocessing.input_size, network.classes).unwrap();
        assert_eq!((graph.parameter_count(), graph.macs(), graph.units.len()), (parameters, macs, units), "{name}");
    }
    let small = preset("sk_shufflenet_v2_x1_0").unwrap().graph([112, 112], 200).unwrap();
    assert_eq!((small.parameter_count(), small.macs()), (1_683_044, 40_764_004));
    let cifar100 = preset("sknet29_cifar10").unwrap().graph([32, 32], 100).unwrap();
    assert_eq!(cifar100.parameter_count(), 27_905_700);
}

/// The paper counts Select. Its own ShuffleNetV2, ResNeXt-50 and SENet-50 are not quite timm's and torchvision's.
#[test]
fn counts_round_to_the_papers() {
    let mut compared = 0;
    for network in presets().into_iter().chain(ablations()) {
        let Some(gflops) = network.paper.and_then(|p| p.gflops) else { continue };
        if !network.name.starts_with("sknet") {
            continue;
        }
        let graph = network.graph([224, 224], 1000).unwrap();
        let found = (graph.macs() + graph.select_macs()) as f64 / 1e9;
        assert_eq!(format!("{found:.2}"), format!("{gflops:.2}"), "{}", network.name);
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn timms_name_opens_sknet50() {
    assert_eq!(preset("skresnext50_32x4d").unwrap(), preset("sknet50").unwrap());
    let error = preset("sknet51").unwrap_err();
    assert_eq!(error.code, sklens::ErrorCode::UnknownModel);
    assert!(error.message.contains("skresnext50_32x4d") && error.message.contains("sknet50_k3_k7"), "{error}");
}

#[test]
fn every_network_has_its_own_smallest_input() {
    let refused = |name: &str, side: usize| preset(name).unwrap().graph([side, 96], 10).is_err();
    assert!(refused("sknet29_cifar10", 31) && !refused("sknet29_cifar10", 32));
    assert!(refused("sknet50", 63) && !refused("sknet50", 64) && refused("sknet50", 513));
    assert!(refused("shufflenet_v2_x0_5", 63) && !refused("shufflenet_v2_x0_5", 64));
}

#[test]
fn the_authors_form_takes_bgr_bytes_minus_their_mean() {
    for name in ["sknet50_caffe", "sknet101_caffe"] {
        let input = preset(name).unwrap().preprocessing;
        assert_eq!((input.channel_order, input.mean), (ChannelOrder::Bgr, [104.0, 117.0, 123.0]));
        assert_eq!((input.std, input.value_scale), ([1.0; 3], 1.0));
    }
}
