//! A plan made ready, and how overrides reach it.

use crate::Result;
use crate::backend::{Runner, Values};
use crate::graph::{AttentionGradient, Graph, TensorId};
use crate::overrides::{RunOptions, empty_storage};
use crate::plan::PlanOptions;

/// What a prepared plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunnerKey {
    pub size: [usize; 2],
    /// The forward pass, or from which unit back to the picture.
    pub gradient: Option<GradientKey>,
    pub options: PlanOptions,
}

/// A backward pass from a unit's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GradientKey {
    /// Index of the unit.
    pub unit: usize,
    pub attention: AttentionGradient,
}

/// A plan made ready, with what it runs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub key: RunnerKey,
    pub graph: Graph,
    /// The gradient that a backward pass begins with.
    pub seed: Option<TensorId>,
    pub runner: Runner,
    /// Whether the storage of overrides holds any.
    overridden: bool,
}

impl Prepared {
    /// The plan of `runner`, for `key`.
    pub fn new(key: RunnerKey, graph: Graph, seed: Option<TensorId>, runner: Runner) -> Self {
        Self { key, graph, seed, runner, overridden: false }
    }

    /// Runs the plan on what `write` writes, with the overrides of `options`, where they need it after a run without.
    ///
    /// # Errors
    /// `bad-option` if an override does not fit, `device-lost` if the GPU went away.
    pub async fn run(&mut self, write: impl Fn(&mut Runner), options: &RunOptions) -> Result<Values> {
        let Self { graph, runner, overridden, .. } = self;
        let mut plain = Vec::new();
        if options.needs_plain() {
            Self::clear(runner, overridden);
            write(runner);
            let values = runner.run().await?;
            for unit in &graph.units {
                plain.push(values.tensor(&runner.plan, unit.softmax)?);
            }
        }
        if options.overrides.is_empty() {
            Self::clear(runner, overridden);
        } else if let Some(&first) = runner.plan.overrides.first() {
            *overridden = true;
            runner.write(first, &options.storage(graph, &runner.plan, &plain)?);
        }
        write(runner);
        runner.run().await
    }

    fn clear(runner: &mut Runner, overridden: &mut bool) {
        if let (true, Some(&first)) = (std::mem::take(overridden), runner.plan.overrides.first()) {
            runner.write(first, &empty_storage(&runner.plan));
        }
    }
}
