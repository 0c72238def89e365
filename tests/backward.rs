//! The backward pass: every family's gradient on both backends against the interpreter, and the interpreter's against
//! finite differences.

mod common;

use common::cases::{FAMILIES, cases};
use common::interpreter::{Tensors, interpret};
use common::{Case, generated_input};
use fastrand::Rng;
use sklens::backend::Backend;
use sklens::gpu::GpuDevice;
use sklens::graph::{AttentionGradient, Graph, InputGradient, TensorId};
use sklens::network::preset;
use sklens::plan::PlanOptions;
use std::rc::Rc;

const CASES: usize = 12;

fn noise(length: usize, rng: &mut Rng) -> Vec<f32> {
    (0..length).map(|_| rng.f32() * 2.0 - 1.0).collect()
}

/// The gradient of a case's output for a random seed.
fn gradient_of(case: &Case, attention: AttentionGradient, rng: &mut Rng) -> Case {
    let Case { name, graph, options, overrides } = case;
    let InputGradient { graph: gradient, seed } = graph.input_gradient(graph.output, attention).expect("gradient");
    let mut overrides = overrides.clone();
    let size: usize = gradient.tensor(seed).shape.iter().product();
    overrides.push((seed, noise(options.batch * size, rng)));
    let options = PlanOptions { batch: options.batch, ..PlanOptions::default() };
    Case { name: format!("gradient, attention {attention:?}, of {name}"), graph: gradient, options, overrides }
}

fn run(backend: &Backend) {
    let mut rng = Rng::with_seed(5);
    for family in FAMILIES {
        for case in cases(family, 3, CASES) {
            for attention in [AttentionGradient::Fixed, AttentionGradient::Differentiated] {
                pollster::block_on(common::check(backend, &gradient_of(&case, attention, &mut rng)));
            }
        }
    }
}

#[test]
fn cpu_equals_the_interpreter() {
    run(&Backend::Cpu);
}

#[test]
fn gpu_equals_the_interpreter() {
    run(&Backend::Gpu(Rc::new(pollster::block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"))));
}

/// `Σ seed·output` of the forward graph.
fn scalar(graph: &Graph, batch: usize, inputs: &Tensors, seed: &[f64], fixed: &Tensors) -> f64 {
    let mut graph = graph.clone();
    for node in graph.nodes.iter_mut().filter(|n| fixed.contains_key(&n.output)) {
        node.op = sklens::graph::Op::Input;
        node.inputs.clear();
    }
    let mut inputs = inputs.clone();
    inputs.extend(fixed.iter().map(|(id, values)| (*id, values.clone())));
    interpret(&graph, batch, &inputs)[&graph.output].iter().zip(seed).map(|(a, b)| a * b).sum()
}

/// Along random directions; a step that crosses a kink of ReLU or max pooling is told by the two one-sided differences.
#[test]
fn the_gradient_is_the_derivative() {
    let mut rng = Rng::with_seed(9);
    let (mut smooth, mut kinks) = (0, 0);
    for family in FAMILIES {
        for case in cases(family, 8, 6) {
            for attention in [AttentionGradient::Fixed, AttentionGradient::Differentiated] {
                let Case { graph, options, .. } = &case;
                let batch = options.batch;
                let gradient = gradient_of(&case, attention, &mut rng);
                let mut inputs = Tensors::new();
                let widen = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
                inputs.insert(graph.input, widen(&generated_input(graph, batch)));
                for unit in &graph.units {
                    inputs.insert(unit.override_input, vec![0.0; batch * graph.tensor(unit.override_input).shape[0]]);
                }
                inputs.extend(gradient.overrides.iter().map(|(id, values)| (*id, widen(values))));
                let seed = inputs[&gradient.overrides.last().expect("seed").0].clone();
                let all = interpret(&gradient.graph, batch, &inputs);
                let forward = interpret(graph, batch, &inputs);
                let weights = graph.nodes.iter().filter(|n| n.op == sklens::graph::Op::Select).map(|n| n.inputs[0]);
                let fixed: Tensors = match attention {
                    AttentionGradient::Fixed => weights.map(|id: TensorId| (id, forward[&id].clone())).collect(),
                    AttentionGradient::Differentiated => Tensors::new(),
                };
                let direction = widen(&noise(inputs[&graph.input].len(), &mut rng));
                let at = |step: f64| {
                    let mut moved = inputs.clone();
                    let x = moved.get_mut(&graph.input).expect("picture");
                    x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
                    scalar(graph, batch, &moved, &seed, &fixed)
                };
                let step = 1e-7;
                let [back, here, ahead] = [-step, 0.0, step].map(at);
                let (left, right) = ((here - back) / step, (ahead - here) / step);
                let found: f64 = all[&gradient.graph.output].iter().zip(&direction).map(|(g, d)| g * d).sum();
                let size = all[&gradient.graph.output].iter().map(|g| g * g).sum::<f64>().sqrt() + 1e-3;
                if (left - right).abs() > 1e-4 * size {
                    kinks += 1;
                    continue;
                }
                smooth += 1;
                assert!(
                    ((left + right) / 2.0 - found).abs() <= 1e-3 * size,
                    "{}: {left}, {right}, {found}",
                    gradient.name
                );
            }
        }
    }
    assert!(smooth > 5 * kinks && smooth > 80, "{smooth} smooth, {kinks} with kinks");
}

#[test]
fn nothing_behind_the_unit_is_computed() {
    let graph = preset("sknet50").unwrap().graph([64, 64], 10).unwrap();
    let unit = graph.units[3].output;
    let later = |name: &str| name.starts_with("layer2.1") || name.starts_with("layer3") || name.starts_with("fc");
    let InputGradient { graph: gradient, .. } = graph.input_gradient(unit, AttentionGradient::Fixed).unwrap();
    let parameters = gradient.parameters();
    assert!(parameters.iter().any(|p| p.name.starts_with("layer2.0.conv2")));
    assert!(!parameters.iter().any(|p| later(&p.name) || p.name.starts_with("layer2.0.conv3")));
    assert_eq!(gradient.units.len(), 4);
    assert_eq!(gradient.tensor(gradient.output).shape, [3, 64, 64]);
}
