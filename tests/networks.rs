//! Whole networks on both backends against PyTorch, timm and torchvision.

#[path = "common/golden.rs"]
mod golden;

use golden::{Golden, integers};
use pollster::block_on;
use safetensors::tensor::{Dtype, TensorView};
use sklens::bundled;
use sklens::network::preset;
use sklens::session::{BackendChoice, Session};
use sklens::weights::Source;
use sklens::weights::generated::fill;
use std::collections::HashMap;

/// Allowed for logits (relative to the largest) and attention (absolute).
const TOLERANCE: f32 = 1e-4;
/// The goldens must stay small enough to commit.
const MAX_GOLDENS: u64 = 5_000_000;

type Edit = fn(&str) -> String;

/// A safetensors file of generated weights; the tensor called `name` gets the values of `edit(name)`.
fn generated_weights(network: &str, classes: usize, edit: Edit) -> Source {
    let graph = preset(network).unwrap().graph([64, 64], classes).unwrap();
    let tensors: HashMap<String, (Vec<usize>, Vec<u8>)> = graph
        .parameters()
        .into_iter()
        .map(|p| {
            let bytes = fill(&edit(&p.name), &p.shape).into_iter().flat_map(f32::to_le_bytes).collect();
            (p.name, (p.shape, bytes))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("view")));
    Source::Bytes(safetensors::serialize(views, None).expect("serialise").into())
}

/// Largest deviation of logits (relative) and of any unit's attention.
fn deviation(golden: &Golden, source: Source, choice: BackendChoice) -> (f32, f32) {
    let document = &golden.document;
    let network = document["network"].as_str().expect("network");
    let shape: [usize; 4] = integers(&document["shape"]).try_into().expect("four dimensions");
    let mut session = block_on(Session::open(network, source, choice, |_| ())).expect("session");
    let results = block_on(session.analyze_tensor(&fill("input", &shape), shape)).expect("analysis");
    let info = session.info().expect("info");
    let gpu = choice == BackendChoice::Gpu;
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
        let channels = unit.attention.len() / 2;
        for c in 0..channels {
            assert!((unit.attention[c] + unit.attention[channels + c] - 1.0).abs() < 1e-5);
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

fn check(name: &str, choice: BackendChoice) {
    let golden = Golden::read(name);
    let network = golden.document["network"].as_str().expect("network");
    let classes = golden.document["classes"].as_u64().expect("classes") as usize;
    let source = match golden.document["parameters"].as_str() {
        Some("generated") => generated_weights(network, classes, str::to_string),
        _ => Source::Static(bundled::weights(network).expect("bundled weights")),
    };
    let (logits, attention) = deviation(&golden, source, choice);
    println!("{name} on {choice:?}: logits {logits:.1e}, attention {attention:.1e}");
    assert!(logits <= TOLERANCE, "{name} on {choice:?}: logits deviate by {logits}");
    assert!(attention <= TOLERANCE, "{name} on {choice:?}: attention deviates by {attention}");
}

macro_rules! networks {
    ($($test:ident)*) => {
        mod cpu {
            $(#[test] fn $test() { super::check(stringify!($test), super::BackendChoice::Cpu) })*
        }
        mod gpu {
            $(#[test] fn $test() { super::check(stringify!($test), super::BackendChoice::Gpu) })*
        }
        #[test]
        fn every_golden_is_tested() {
            let tested = [$(stringify!($test)),*, "operators"];
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
fn counts_equal_the_published_ones() {
    // (preset, parameters, multiply-adds of conv and fc at 224 px, SK units)
    let published = [
        ("sknet50", 27_479_784, 4_462_710_784, 16),
        ("sknet50_caffe", 27_479_784, 4_462_710_784, 16),
        ("sk_shufflenet_v2_x1_0", 2_503_044, 148_791_672, 16),
        ("sk_shufflenet_v2_x0_5", 1_460_264, 42_083_488, 16),
    ];
    assert_eq!(
        published.map(|p| p.0).to_vec(),
        sklens::network::presets().iter().map(|n| n.name.clone()).collect::<Vec<_>>()
    );
    for (name, parameters, macs, units) in published {
        let graph = preset(name).unwrap().graph([224, 224], 1000).unwrap();
        assert_eq!((graph.parameter_count(), graph.macs(), graph.units.len()), (parameters, macs, units), "{name}");
    }
    let small = preset("sk_shufflenet_v2_x1_0").unwrap().graph([112, 112], 200).unwrap();
    assert_eq!((small.parameter_count(), small.macs()), (1_683_044, 40_764_004));
}
