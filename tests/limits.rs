//! Sizes at the edge of what the backends' limits allow.

use pollster::block_on;
use sklens::backend::{Backend, Runner};
use sklens::gpu::GpuDevice;
use sklens::graph::{Graph, GraphBuilder, Pool, PoolKind};
use sklens::kernels::{Choices, Lowering};
use sklens::network::{ablations, presets};
use sklens::plan::{LANES, Plan, PlanOptions};
use sklens::weights::generated::fill;
use std::rc::Rc;

/// Workgroups that every WebGPU device allows in each dimension.
const MAX_WORKGROUPS: u32 = 65_535;

#[test]
fn no_network_exceeds_the_workgroups_of_a_dispatch_at_its_largest_input() {
    let options =
        [PlanOptions::batch(16), PlanOptions { retain: vec!["layer1.0.add".into()], ..PlanOptions::batch(1) }];
    for network in presets().into_iter().chain(ablations()) {
        let side = *network.sides().end();
        let graph = network.graph([side, side], network.classes).expect("graph");
        for options in options.iter().filter(|o| o.retain.iter().all(|name| graph.find(name).is_some())) {
            let plan = Plan::new(&graph, options).expect("plan");
            let lowering = Lowering { views: &plan.views, batch: plan.batch, choices: &Choices::default() };
            for step in &plan.steps {
                for dispatch in step.lower(&lowering) {
                    let fits = dispatch.workgroups.iter().all(|n| (1..=MAX_WORKGROUPS).contains(n));
                    assert!(fits, "{}: {} of {:?}", network.name, step.family(), dispatch.workgroups);
                }
            }
        }
    }
}

fn run(backend: &Backend, graph: &Graph, input: &[f32]) -> Vec<f32> {
    let mut runner = block_on(Runner::generated(backend, graph, &PlanOptions::batch(1))).expect("runner");
    runner.write(graph.input, input);
    let values = block_on(runner.run()).expect("run");
    values.tensor(&runner.plan, graph.output).expect("output")
}

#[test]
fn kernels_with_a_thread_per_quad_reach_the_last_of_many() {
    let side = 2050;
    assert!(side * side > 64 * MAX_WORKGROUPS as usize);
    let mut b = GraphBuilder::new([1, side, side]);
    let x = b.picture();
    let pool = Pool { kind: PoolKind::Max, kernel: 2, stride: 1, padding: 1, ceil_mode: false };
    let pooled = b.pool("pool", x, pool).expect("pool");
    let normed = b.batch_norm("bn", pooled);
    let again = b.relu("relu", normed);
    let both = b.concat("concat", &[pooled, again]).expect("concat");
    let second = b.slice("slice", both, 1, 1).expect("slice");
    let logits = b.global_average_pool("mean", second);
    let attention = b.branch_softmax("softmax", logits, 1).expect("softmax");
    let selected = b.select("select", attention, &[second]).expect("select");
    let graph = b.finish(selected);
    let mut input = vec![0.0; side * side * LANES];
    let values = fill("input", &[side * side]);
    input.chunks_exact_mut(LANES).zip(values).for_each(|(quad, value)| quad[0] = value);
    let gpu = Backend::Gpu(Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe")));
    let (found, expected) = (run(&gpu, &graph, &input), run(&Backend::Cpu, &graph, &input));
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(expected.iter().rev().take(1000).any(|&v| v > 0.1) && worst < 1e-5, "{worst}");
}
