//! Effective receptive fields on both backends against PyTorch's automatic differentiation.

#[allow(dead_code, reason = "this test compares with goldens, not with the interpreter")]
mod common;
#[path = "common/golden.rs"]
mod golden;

use common::generated_input;
use golden::{Golden, integers};
use serde_json::Value;
use sklens::backend::{Backend, Runner};
use sklens::gpu::GpuDevice;
use sklens::graph::{AttentionGradient, InputGradient};
use sklens::network::preset;
use sklens::plan::PlanOptions;
use std::rc::Rc;

/// Allowed for ‖a − b‖ / ‖b‖.
const TOLERANCE: f64 = 1e-3;

/// Σ over colours of |∂ Σ over channels of the unit's output at the cell / ∂ input|.
fn field(backend: &Backend, golden: &Golden, case: &Value) -> Vec<f32> {
    let text = |key: &str| case[key].as_str().expect("text");
    let size: [usize; 2] = integers(&golden.document["sizes"][text("network")]).try_into().expect("two sides");
    let classes = golden.document["classes"].as_u64().expect("classes") as usize;
    let graph = preset(text("network")).expect("network").graph(size, classes).expect("graph");
    let unit = graph.units.iter().find(|u| u.name == text("unit")).expect("unit");
    let attention = match text("attention") {
        "fixed" => AttentionGradient::Fixed,
        _ => AttentionGradient::Differentiated,
    };
    let InputGradient { graph, seed } = graph.input_gradient(unit.output, attention).expect("gradient");
    let [channels, height, width] = graph.tensor(seed).shape;
    let cell = integers(&case["cell"]);
    let at = cell[1] * width + cell[0];
    let ones: Vec<f32> = (0..channels * height * width).map(|i| f32::from(i % (height * width) == at)).collect();
    let gradient = pollster::block_on(async {
        let mut runner = Runner::generated(backend, &graph, &PlanOptions::batch(1)).await.expect("runner");
        runner.write_nchw(seed, &ones);
        runner.write_nchw(graph.input, &generated_input(&graph, 1));
        runner.run().await.expect("run").tensor(&runner.plan, graph.output).expect("gradient")
    });
    let positions = size[0] * size[1];
    (0..positions).map(|p| (0..3).map(|c| gradient[c * positions + p].abs()).sum()).collect()
}

fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut expected.iter().map(|&b| f64::from(b)))
}

fn check(backend: &Backend) {
    let golden = Golden::read("receptive_field");
    let cases = golden.document["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 2 * 3 * 3 * 2);
    let mut worst = 0.0_f64;
    for case in cases {
        let name = case["tensor"].as_str().expect("text");
        let distance = distance(&field(backend, &golden, case), &golden.tensor(name));
        assert!(distance <= TOLERANCE, "{name} on {}: off by {distance}", backend.name());
        worst = worst.max(distance);
    }
    println!("on {}: off by {worst:.1e} at most", backend.name());
}

#[test]
fn cpu_equals_pytorch() {
    check(&Backend::Cpu);
}

#[test]
fn gpu_equals_pytorch() {
    check(&Backend::Gpu(Rc::new(pollster::block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"))));
}

/// The goldens tell a fixed attention from a differentiated one, and one place from another.
#[test]
fn the_goldens_differ() {
    let golden = Golden::read("receptive_field");
    let cases = golden.document["cases"].as_array().expect("cases");
    for (i, a) in cases.iter().enumerate() {
        for b in cases[..i].iter().filter(|b| b["unit"] == a["unit"] && b["network"] == a["network"]) {
            let [a, b] = [a, b].map(|case| golden.tensor(case["tensor"].as_str().expect("text")));
            assert!(distance(&a, &b) > 10.0 * TOLERANCE);
        }
    }
}
