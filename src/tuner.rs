//! Measuring which variant of each convolution an adapter runs fastest.

use crate::backend::{Backend, Runner};
use crate::benchmark::{Clock, step_times};
use crate::gpu::Adapter;
use crate::graph::{Graph, TensorId};
use crate::kernels::{Choices, Shape, Variant};
use crate::weights::generated::fill;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest difference between the results of two variants that rounding explains, relative to the largest value.
const TOLERANCE: f32 = 1e-3;
/// Another variant is worth taking if it needs at most this share of the default's time: measurements differ by a little.
const GAIN: f64 = 0.97;

/// The fastest variants on an adapter, to be stored and given to [`crate::session::OpenOptions`] again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// The adapter's name.
    pub adapter: String,
    /// Version of this program, whose kernels they are.
    pub version: String,
    /// Variants by shape, both in words.
    pub choices: BTreeMap<String, String>,
}

impl Tuning {
    /// Nothing measured yet on `adapter` with these kernels.
    pub fn new(adapter: &Adapter) -> Self {
        let version = env!("CARGO_PKG_VERSION").into();
        Self { adapter: adapter.name.clone(), version, choices: BTreeMap::new() }
    }

    /// Whether it was measured with these kernels on `adapter`.
    pub fn fits(&self, adapter: &Adapter) -> bool {
        let Self { adapter: name, version, .. } = Self::new(adapter);
        self.adapter == name && self.version == version
    }

    /// The variants; those that these kernels do not know are left out.
    pub fn variants(&self) -> Vec<(String, Variant)> {
        let known = |(shape, variant): (&String, &String)| Some((shape.clone(), variant.parse().ok()?));
        self.choices.iter().filter_map(known).collect()
    }
}

/// Measures for the plan of `runner`, made from `graph`, which variants the device runs fastest, except for shapes that it knows a
/// measurement of. It records later plans with all that is known then, as it does `runner`; that is returned. `progress` gets
/// the rounds done and all.
///
/// # Errors
/// `bad-option` on the CPU, `device-lost` if the GPU went away.
pub(crate) async fn tune(
    backend: &Backend,
    graph: &Graph,
    runner: &mut Runner,
    progress: impl FnMut(usize, usize),
) -> Result<Tuning> {
    let Some(device) = backend.device() else {
        return Err(Error::bad_option("the CPU backend has nothing to tune; open the network on a GPU"));
    };
    let clock = if device.tells_time() { Clock::Device } else { Clock::Program };
    let mut choices = device.choices().clone();
    choices.tuned.extend(fastest(graph, runner, &choices, clock, progress).await?);
    runner.record(&choices).await?;
    let in_words = |(shape, variant): &(String, Variant)| (shape.clone(), variant.to_string());
    let tuning = Tuning { choices: choices.tuned.iter().map(in_words).collect(), ..Tuning::new(&device.adapter) };
    device.tune(choices.tuned);
    Ok(tuning)
}

/// Times each candidate of each shape that `known` does not hold, and returns the fastest of those whose results are right.
async fn fastest(
    graph: &Graph,
    runner: &mut Runner,
    known: &Choices,
    clock: Clock,
    mut progress: impl FnMut(usize, usize),
) -> Result<BTreeMap<String, Variant>> {
    let shapes = runner.shapes();
    // The first step of each shape stands for all.
    let mut steps: BTreeMap<String, (usize, Shape)> = BTreeMap::new();
    for (step, shape) in shapes.iter().enumerate().filter_map(|(step, shape)| Some((step, (*shape)?))) {
        let name = shape.to_string();
        if !known.tuned.iter().any(|(tuned, _)| *tuned == name) {
            steps.entry(name).or_insert((step, shape));
        }
    }
    if steps.is_empty() {
        return Ok(BTreeMap::new());
    }
    let unknown = || steps.values().map(|(_, shape)| shape);
    let rounds = unknown().map(|shape| shape.candidates().len()).max().unwrap_or(0);
    let expected = results(graph, runner, known).await?;
    let mut fastest: BTreeMap<String, (Variant, f64)> = BTreeMap::new();
    // The default first: another one must gain on it.
    for round in 0..=rounds {
        progress(round, rounds + 1);
        let choices = match round {
            0 => known.clone(),
            _ => known.with_candidate(round - 1, unknown()),
        };
        let found = if round == 0 { expected.clone() } else { results(graph, runner, &choices).await? };
        if !agree(&expected, &found) {
            continue;
        }
        let is_timed = |shape: &Shape| round <= shape.candidates().len();
        let mut timed = vec![false; shapes.len()];
        for (step, shape) in steps.values() {
            timed[*step] = is_timed(shape);
        }
        let times = step_times(runner, clock, &timed).await?.ok_or_else(|| Error::device_lost(NO_TIME))?;
        for (name, (step, shape)) in steps.iter().filter(|(_, (_, shape))| is_timed(shape)) {
            let variant = choices.of(shape);
            let best = fastest.entry(name.clone()).or_insert((variant, times[*step] * GAIN));
            if times[*step] < best.1 {
                *best = (variant, times[*step]);
            }
        }
    }
    progress(rounds + 1, rounds + 1);
    Ok(fastest.into_iter().map(|(name, (variant, _))| (name, variant)).collect())
}

const NO_TIME: &str = "the adapter stopped telling time";

/// Logits and attention with these variants.
async fn results(graph: &Graph, runner: &mut Runner, choices: &Choices) -> Result<Vec<Vec<f32>>> {
    runner.record(choices).await?;
    let [channels, height, width] = graph.tensor(graph.input).shape;
    runner.write_nchw(graph.input, &fill("input", &[runner.plan.batch, channels, height, width]));
    let values = runner.run().await?;
    let outputs: Vec<TensorId> =
        std::iter::once(graph.output).chain(graph.units.iter().map(|unit| unit.attention)).collect();
    outputs.into_iter().map(|id| values.tensor(&runner.plan, id)).collect()
}

/// Whether rounding explains the differences; not a number explains nothing.
fn agree(expected: &[Vec<f32>], found: &[Vec<f32>]) -> bool {
    expected.iter().zip(found).all(|(expected, found)| {
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, v| largest.max(v.abs()));
        expected.iter().zip(found).all(|(a, b)| (a - b).abs() <= TOLERANCE * largest)
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::gpu::GpuDevice;
    use crate::graph::GraphBuilder;
    use crate::network::blocks::kernel;
    use crate::plan::PlanOptions;
    use pollster::block_on;
    use std::rc::Rc;

    #[test]
    fn either_clock_finds_a_variant_of_every_shape_once() {
        let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
        let mut b = GraphBuilder::new([40, 9, 7]);
        let x = b.picture();
        let y = b.conv("first", x, 72, kernel(1), 1, 0, false).unwrap();
        let y = b.conv("again", y, 40, kernel(1), 1, 0, false).unwrap();
        let y = b.conv("dense", y, 8, kernel(3), 1, 1, false).unwrap();
        let graph = b.finish(y);
        let mut runner =
            block_on(Runner::generated(&Backend::Gpu(device.clone()), &graph, &PlanOptions::batch(1))).unwrap();
        let shapes: Vec<_> = runner.shapes().into_iter().flatten().collect();
        for clock in [Clock::Device, Clock::Program] {
            let mut known = device.choices().clone();
            let found = block_on(fastest(&graph, &mut runner, &known, clock, |_, _| ())).unwrap();
            assert_eq!(found.len(), 3);
            for shape in &shapes {
                assert!(shape.candidates().contains(&found[&shape.to_string()]), "{shape}: {found:?}");
            }
            known.tuned.extend(found);
            assert_eq!(block_on(fastest(&graph, &mut runner, &known, clock, |_, _| ())).unwrap(), BTreeMap::new());
        }
    }

    #[test]
    fn wrong_results_do_not_agree() {
        let right = vec![vec![1.0, -2.0], vec![0.0]];
        let with = |value: f32| vec![vec![1.0, -2.0], vec![value]];
        assert!(agree(&right, &right) && agree(&right, &[vec![1.001, -2.001], vec![0.0]]));
        assert!(!agree(&right, &with(0.01)) && !agree(&right, &with(f32::NAN)));
        assert!(!agree(&right, &[vec![1.0, -1.99], vec![0.0]]));
    }
}
