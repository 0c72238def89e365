//! A plan made ready, and how overrides reach it.

use crate::Result;
use crate::backend::{Runner, Values};
use crate::graph::Graph;
use crate::kernels::Crops;
use crate::overrides::{RunOptions, empty_storage};
use crate::plan::PlanOptions;
use std::collections::VecDeque;

/// What a prepared plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunnerKey {
    pub size: [usize; 2],
    pub options: PlanOptions,
}

/// A plan made ready, with what it runs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub graph: Graph,
    pub runner: Runner,
    /// Whether the storage of overrides holds any.
    overridden: bool,
}

impl Prepared {
    /// The plan of `runner`, which is `graph`'s.
    pub fn new(graph: Graph, runner: Runner) -> Self {
        Self { graph, runner, overridden: false }
    }

    /// Runs the plan on `crops` and on what `write` writes, with the overrides of `options`, where they need it after a run
    /// without.
    ///
    /// # Errors
    /// `bad-option` if an override does not fit, `device-lost` if the GPU went away.
    pub async fn run(
        &mut self,
        crops: Option<&Crops<'_>>,
        write: &dyn Fn(&mut Runner),
        options: &RunOptions,
    ) -> Result<Values> {
        let Self { graph, runner, overridden, .. } = self;
        let mut plain = Vec::new();
        if options.needs_plain() {
            Self::clear(runner, overridden);
            write(runner);
            let values = runner.run_on(crops).await?;
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
        runner.run_on(crops).await
    }

    fn clear(runner: &mut Runner, overridden: &mut bool) {
        if let (true, Some(&first)) = (std::mem::take(overridden), runner.plan.overrides.first()) {
            runner.write(first, &empty_storage(&runner.plan));
        }
    }
}

/// Moves what is kept for `key` to the front; tells whether there is such.
pub(super) fn bring_forward<Key: PartialEq, Kept>(kept: &mut VecDeque<(Key, Kept)>, key: &Key) -> bool {
    let found = kept.iter().position(|(k, _)| k == key).and_then(|at| kept.remove(at));
    let is_kept = found.is_some();
    found.into_iter().for_each(|entry| kept.push_front(entry));
    is_kept
}
