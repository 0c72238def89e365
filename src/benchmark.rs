//! How long each step of a plan takes on a device, against the device's roofline.

use crate::backend::{Backend, Runner};
use crate::graph::{Graph, GraphBuilder, TensorId};
use crate::kernels::Kernel;
use crate::network::blocks::kernel;
use crate::plan::{LANES, Plan, PlanOptions};
use crate::weights::generated::fill;
use crate::{Error, Result};
use serde::Serialize;
use web_time::Instant;

/// How often repetitions are adapted to what the ones before took.
const ADAPTATIONS: usize = 3;
/// A step is repeated at most this many times as often as before, for it may have seemed to take no time at all.
const GROWTH: usize = 16;
/// Measurements, of which the shortest counts: what disturbs one makes it longer.
const SAMPLES: usize = 3;

/// What a device reaches with this program's own kernels, where nothing else holds them up: the two limits of the roofline
/// model (Williams et al., 2009).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roofline {
    /// Thousand millions of additions and multiplications per second, in a large product of matrices.
    pub gflops: f64,
    /// Thousand millions of bytes per second, read and written in one pass over a tensor larger than the caches.
    pub gigabytes: f64,
}

impl Roofline {
    /// Milliseconds at the nearer limit for that many multiply-adds and bytes.
    pub fn milliseconds(&self, macs: u64, bytes: u64) -> f64 {
        let compute = 2.0 * macs as f64 / (self.gflops * 1e6);
        let memory = bytes as f64 / (self.gigabytes * 1e6);
        compute.max(memory)
    }
}

/// A step of a plan and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerTime {
    /// The last tensor that it computes, named as in the weights file.
    pub name: String,
    /// Family of the kernel.
    pub kernel: &'static str,
    /// Multiply-adds of all batch items.
    pub macs: u64,
    /// Bytes of weights, of what it reads and of what it writes, each counted once.
    pub bytes: u64,
    /// Time of one run.
    pub milliseconds: f64,
    /// Time at the roofline. A layer whose tensors stay in caches may take less.
    pub roofline_milliseconds: f64,
}

/// A network's times on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Benchmark {
    /// Input `[height, width]`.
    pub size: [usize; 2],
    /// Batch size.
    pub batch: usize,
    /// Wall time of a run with upload and read-back.
    pub milliseconds: f64,
    /// The device's limits; absent where it does not tell time.
    pub roofline: Option<Roofline>,
    /// The steps in order; empty where the device does not tell time.
    pub layers: Vec<LayerTime>,
}

/// Refuses a batch that is not from 1 to `most`.
pub(crate) fn check_batch(batch: usize, most: usize) -> Result<()> {
    match (1..=most).contains(&batch) {
        true => Ok(()),
        false => Err(Error::bad_option(format!("the batch is {batch}; it must be from 1 to {most} at this size"))),
    }
}

/// Times the plan of `runner`, made from `graph`.
///
/// # Errors
/// `device-lost` if the GPU went away.
pub(crate) async fn measure(backend: &Backend, graph: &Graph, runner: &mut Runner) -> Result<Benchmark> {
    let [channels, height, width] = graph.tensor(graph.input).shape;
    let batch = runner.plan.batch;
    runner.write_nchw(graph.input, &fill("input", &[batch, channels, height, width]));
    let milliseconds = wall_time(runner).await?;
    let mut benchmark = Benchmark { size: [height, width], batch, milliseconds, roofline: None, layers: Vec::new() };
    let all = vec![true; runner.plan.steps.len()];
    if let Some(times) = step_times(runner, Clock::Device, &all).await? {
        let roofline = roofline(backend).await?;
        let layer = |(index, &milliseconds): (usize, &f64)| {
            let step = runner.plan.steps[index].as_ref();
            let macs = step.macs(&runner.plan.views) * batch as u64;
            let bytes = tensor_bytes(&runner.plan, step) + runner.constant_bytes(index);
            let roofline_milliseconds = roofline.milliseconds(macs, bytes);
            LayerTime {
                name: name(graph, step),
                kernel: step.family(),
                macs,
                bytes,
                milliseconds,
                roofline_milliseconds,
            }
        };
        benchmark.layers = times.iter().enumerate().map(layer).collect();
        benchmark.roofline = Some(roofline);
    }
    Ok(benchmark)
}

/// The shortest of some runs.
async fn wall_time(runner: &mut Runner) -> Result<f64> {
    let mut shortest = f64::INFINITY;
    for _ in 0..SAMPLES {
        let start = Instant::now();
        runner.run().await?;
        shortest = shortest.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(shortest)
}

/// Which clock tells how long a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The device's timestamps.
    Device,
    /// This program's, from the submit to the end of waiting.
    Program,
}

impl Clock {
    /// Milliseconds that a step is repeated for: browsers tell time in steps of a tenth, and to submit and wait takes some.
    fn long_enough(self) -> f64 {
        match self {
            Self::Device => 2.0,
            Self::Program => 10.0,
        }
    }

    async fn time(self, runner: &mut Runner, repeats: &[usize]) -> Result<Option<Vec<f64>>> {
        match self {
            Self::Device => runner.time(repeats).await,
            Self::Program => runner.time_by_clock(repeats).await.map(Some),
        }
    }
}

/// Milliseconds of the steps that are marked in `timed`, 0 for the others; none if the device does not tell time.
pub(crate) async fn step_times(runner: &mut Runner, clock: Clock, timed: &[bool]) -> Result<Option<Vec<f64>>> {
    let mut repeats: Vec<usize> = timed.iter().map(|&timed| timed.into()).collect();
    for _ in 0..ADAPTATIONS {
        let Some(times) = clock.time(runner, &repeats).await? else { return Ok(None) };
        let before = repeats.clone();
        for (repeats, time) in repeats.iter_mut().zip(times) {
            *repeats = ((clock.long_enough() / time) as usize).clamp(*repeats, *repeats * GROWTH);
        }
        if repeats == before {
            break;
        }
    }
    let mut shortest = vec![f64::INFINITY; repeats.len()];
    for _ in 0..SAMPLES {
        let times = clock.time(runner, &repeats).await?.unwrap_or_default();
        shortest.iter_mut().zip(times).for_each(|(shortest, time)| *shortest = shortest.min(time));
    }
    Ok(Some(shortest))
}

/// The limits of the device: a product of matrices that occupies it, and a pass over 64 MiB.
async fn roofline(backend: &Backend) -> Result<Roofline> {
    // On a CPU short enough to be left alone by other processes.
    let side = if backend.is_gpu() { 64 } else { 16 };
    let mut product = GraphBuilder::new([512, side, side]);
    let y = product.conv("y", product.picture(), 512, kernel(1), 1, 0, false)?;
    let product = product.finish(y);
    let mut pass = GraphBuilder::new([256, 256, 256]);
    let y = pass.relu("y", pass.picture());
    let pass = pass.finish(y);
    let (macs, seconds, _) = limit(backend, &product).await?;
    let gflops = 2.0 * macs as f64 / seconds / 1e9;
    let (_, seconds, bytes) = limit(backend, &pass).await?;
    Ok(Roofline { gflops, gigabytes: bytes as f64 / seconds / 1e9 })
}

/// Multiply-adds, seconds and bytes of the one step of `graph`.
async fn limit(backend: &Backend, graph: &Graph) -> Result<(u64, f64, u64)> {
    let mut runner = Runner::generated(backend, graph, &PlanOptions::batch(1)).await?;
    let times = step_times(&mut runner, Clock::Device, &[true]).await?.unwrap_or_default();
    let (Some(milliseconds), Some(step)) = (times.first(), runner.plan.steps.first()) else {
        return Err(Error::device_lost("the device stopped telling time"));
    };
    let bytes = tensor_bytes(&runner.plan, step.as_ref()) + runner.constant_bytes(0);
    Ok((step.macs(&runner.plan.views), milliseconds / 1e3, bytes))
}

/// Bytes of the tensors that `step` reads and writes.
fn tensor_bytes(plan: &Plan, step: &dyn Kernel) -> u64 {
    let mut tensors: Vec<TensorId> = Vec::new();
    for id in step.inputs().into_iter().chain(step.outputs()) {
        if !tensors.contains(&id) {
            tensors.push(id);
        }
    }
    let floats = |id| {
        let view = plan.views.of(id);
        view.positions() * view.quads() * LANES * plan.batch
    };
    tensors.into_iter().map(|id| (floats(id) * size_of::<f32>()) as u64).sum()
}

/// The name of the last tensor that `step` computes and the graph knows.
fn name(graph: &Graph, step: &dyn Kernel) -> String {
    let known = step.outputs().into_iter().filter(|id| id.0 < graph.tensors.len()).max();
    known.map_or_else(|| step.family().into(), |id| graph.tensor(id).name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;
    use pollster::block_on;

    #[test]
    fn the_nearer_limit_counts() {
        let roofline = Roofline { gflops: 100.0, gigabytes: 10.0 };
        assert_eq!(roofline.milliseconds(50_000_000, 1), 1.0);
        assert_eq!(roofline.milliseconds(1, 20_000_000), 2.0);
    }

    /// Times `name` at 64 px and batch 2 on `backend`.
    fn check(backend: &Backend, name: &str) {
        let graph = preset(name).unwrap().graph([64, 64], 10).unwrap();
        let mut runner = block_on(Runner::generated(backend, &graph, &PlanOptions::batch(2))).unwrap();
        let benchmark = block_on(measure(backend, &graph, &mut runner)).unwrap();
        let macs: u64 = benchmark.layers.iter().map(|layer| layer.macs).sum();
        assert_eq!(macs, 2 * (graph.macs() + graph.select_macs()), "{name}");
        assert!(benchmark.layers.iter().map(|layer| layer.bytes).sum::<u64>() > 4 * graph.parameter_count());
        assert!(benchmark.layers.iter().all(|layer| layer.milliseconds > 0.0 && layer.roofline_milliseconds > 0.0));
    }

    #[test]
    fn layers_account_for_the_whole_network() {
        check(&Backend::Cpu, "sk_shufflenet_v2_x0_5");
        check(&Backend::Cpu, "skresnet18");
    }

    #[test]
    #[cfg(not(target_arch = "wasm32"))]
    fn a_gpu_tells_the_time_of_its_layers() {
        let device = block_on(crate::gpu::GpuDevice::open()).unwrap();
        check(&Backend::Gpu(std::rc::Rc::new(device)), "sk_shufflenet_v2_x0_5");
    }
}
