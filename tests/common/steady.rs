//! What a run costs once its plan is ready.

use sklens::backend::{Backend, Runner};
use sklens::gpu::{GpuCounters, GpuDevice};
use sklens::network::preset;
use sklens::plan::PlanOptions;
use sklens::weights::generated::fill;
use std::rc::Rc;

/// Runs a network three times and counts what the device was asked for.
///
/// # Panics
/// If a run after the first makes anything, or needs more than one submit and one read-back.
pub async fn check(device: &Rc<GpuDevice>, network: &str, [height, width]: [usize; 2]) {
    let graph = preset(network).expect("preset").graph([height, width], 10).expect("graph");
    let backend = Backend::Gpu(device.clone());
    let mut runner = Runner::generated(&backend, &graph, &PlanOptions::batch(1)).await.expect("runner");
    let mut counts = Vec::new();
    for n in 0..3 {
        runner.write_nchw(graph.input, &fill(&format!("input {n}"), &[1, 3, height, width]));
        runner.run().await.expect("run");
        counts.push(device.counters());
    }
    let GpuCounters { pipelines, buffers, bind_groups, submits, read_backs, uploaded } = counts[0];
    let picture = size_of::<[f32; 4]>() * height * width;
    assert!(pipelines > 10 && buffers > 10 && bind_groups > 10, "{:?}", counts[0]);
    for (n, later) in counts.iter().enumerate() {
        let (submits, read_backs, uploaded) = (submits + n, read_backs + n, uploaded + (n * picture) as u64);
        let expected = GpuCounters { pipelines, buffers, bind_groups, submits, read_backs, uploaded };
        assert_eq!(*later, expected, "{network}, run {n}");
    }
}
