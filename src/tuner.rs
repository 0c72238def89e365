//! Measuring which variant of each convolution an adapter runs fastest.

use crate::backend::Runner;
use crate::benchmark::{Clock, step_times};
use crate::gpu::Adapter;
use crate::graph::{Graph, TensorId};
use crate::kernels::{Choices, Variant};
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

/// Times each candidate of each shape in the plan of `runner`, made from `graph`, that `known` does not hold, and returns
/// the fastest of those whose results are right. The runner is then recorded with `known` and these.
///
/// # Errors
/// `device-lost` if the GPU went away.
pub(crate) async fn tune(
    graph: &Graph,
    runner: &mut Runner,
    known: &Choices,
    clock: Clock,
) -> Result<BTreeMap<String, Variant>> {
    let shapes = runner.shapes();
    // The first step of each shape stands for all.
    let mut steps: BTreeMap<String, usize> = BTreeMap::new();
    for (step, shape) in shapes.iter().enumerate().filter_map(|(step, shape)| Some((step, shape.as_ref()?))) {
        let name = shape.to_string();
        if !known.tuned.iter().any(|(tuned, _)| *tuned == name) {
            steps.entry(name).or_insert(step);
        }
    }
    let candidates = |step: usize| shapes[step].map(|shape| shape.candidates()).unwrap_or_default();
    let rounds = steps.values().map(|&step| candidates(step).len()).max().unwrap_or(0);
    let expected = results(graph, runner, known).await?;
    let mut fastest: BTreeMap<String, (Variant, f64)> = BTreeMap::new();
    // The default first: another one must gain on it.
    for round in std::iter::once(None).chain((0..rounds).map(Some)) {
        let choices = Choices { candidate: round, ..known.clone() };
        let found = match round {
            None => expected.clone(),
            Some(_) => results(graph, runner, &choices).await?,
        };
        if !agree(&expected, &found) {
            continue;
        }
        let variant = |step: usize| match round {
            None => shapes[step].map(|shape| known.of(&shape)),
            Some(index) => candidates(step).get(index).copied(),
        };
        let mut timed = vec![false; shapes.len()];
        for &step in steps.values() {
            timed[step] = variant(step).is_some();
        }
        let times = step_times(runner, clock, &timed).await?.ok_or_else(|| Error::device_lost(NO_TIME))?;
        for (name, &step) in &steps {
            let Some(variant) = variant(step) else { continue };
            let best = fastest.entry(name.clone()).or_insert((variant, times[step] * GAIN));
            if times[step] < best.1 {
                *best = (variant, times[step]);
            }
        }
    }
    let fastest: BTreeMap<_, _> = fastest.into_iter().map(|(name, (variant, _))| (name, variant)).collect();
    let mut choices = known.clone();
    choices.tuned.extend(fastest.clone());
    runner.record(&choices).await?;
    Ok(fastest)
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
