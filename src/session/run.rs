//! Running inputs: in batches, on plans that are kept ready.

use super::placement::load;
use super::prepared::{Prepared, RunnerKey, bring_forward};
use super::{Session, View};
use crate::analysis::{self, Analysis, TensorValues};
use crate::backend::{Constants, Runner, Values};
use crate::graph::Graph;
use crate::image::{WorkingImage, check_size};
use crate::kernels::Crops;
use crate::overrides::RunOptions;
use crate::plan::{LANES, Plan, PlanOptions};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Plans kept ready; the least recently used goes first.
const KEPT_PLANS: usize = 4;
/// Sets of packed weights kept besides that of plain runs, for plans that retain tensors which fusions hide.
const KEPT_CONSTANTS: usize = 1;
const TOP: usize = 5;

impl Session {
    /// The size of a ready input `[N, 3, H, W]`.
    pub(super) fn check_tensor(&self, data: &[f32], shape: [usize; 4]) -> Result<[usize; 2]> {
        let [batch, channels, height, width] = shape;
        let size = [height, width];
        check_size(size, self.network.sides())?;
        let expected = batch.checked_mul(3 * height * width);
        if batch == 0 || channels != 3 || expected != Some(data.len()) {
            return Err(Error::bad_option(format!(
                "the tensor has shape {shape:?} and {} values; it must be [n, 3, h, w] with n at least 1 and that many values",
                data.len()
            )));
        }
        match data.iter().position(|v| !v.is_finite()) {
            Some(at) => {
                Err(Error::bad_option(format!("value {at} of the tensor is {}; values must be finite", data[at])))
            }
            None => Ok(size),
        }
    }

    /// Runs `batch` inputs of `[H, W, 4]`, in as many batches as the backend's limits need; `fill(n, input)` writes the
    /// `n`th, which holds an earlier one before. Where the backend crops the photo that is `shown`, nothing is filled.
    pub(super) async fn run(
        &mut self,
        size: [usize; 2],
        batch: usize,
        run: &RunOptions,
        shown: Option<(&WorkingImage, &View)>,
        fill: &dyn Fn(usize, &mut [f32]) -> Result<()>,
    ) -> Result<Vec<Analysis>> {
        let retain = match run.tensors.is_empty() {
            true => Vec::new(),
            false => run.retain(&self.network.graph(size, self.classes)?),
        };
        let most = self.max_batch(size, &retain)?;
        // As many batches as that needs, all of nearly one size.
        let most = batch.div_ceil(batch.div_ceil(most));
        let item = size[0] * size[1] * LANES;
        let mut input = Vec::new();
        let mut results = Vec::new();
        for start in (0..batch).step_by(most) {
            let count = most.min(batch - start);
            let options = PlanOptions { retain: retain.clone(), ..PlanOptions::batch(count) };
            self.prepare(RunnerKey { size, options }).await?;
            let crops = match shown {
                Some((photo, view)) => {
                    let scales = &view.scales[start..][..count];
                    let crops = Crops::new(&self.preprocessing, photo, size, scales, view.center)?;
                    Some(crops).filter(|crops| self.runners[0].1.runner.takes(crops))
                }
                None => None,
            };
            if crops.is_none() {
                input.resize(count * item, 0.0);
                for (n, out) in input.chunks_exact_mut(item).enumerate() {
                    fill(start + n, out)?;
                }
            }
            results.extend(self.run_batch(&input, crops.as_ref(), run).await?);
        }
        Ok(results)
    }

    /// The largest batch of inputs of `size` for plans that retain `retain`.
    pub(super) fn max_batch(&mut self, size: [usize; 2], retain: &[String]) -> Result<usize> {
        let key = (size, retain.to_vec());
        if let Some(&batch) = self.max_batches.get(&key) {
            return Ok(batch);
        }
        let options = PlanOptions { retain: retain.to_vec(), ..PlanOptions::batch(1) };
        let graph = self.network.graph(size, self.classes)?;
        let batch = self.backend.max_batch(&Plan::new(&graph, &options)?, graph.weight_bytes())?;
        self.max_batches.insert(key, batch);
        Ok(batch)
    }

    /// Runs the plan in front on `crops`, or else on `input`.
    async fn run_batch(&mut self, input: &[f32], crops: Option<&Crops<'_>>, run: &RunOptions) -> Result<Vec<Analysis>> {
        let (_, prepared) = &mut self.runners[0];
        let picture = prepared.graph.input;
        let write = |runner: &mut Runner| {
            if crops.is_none() {
                runner.write(picture, input);
            }
        };
        let values = prepared.run(crops, &write, run).await?;
        let (_, Prepared { graph, runner, .. }) = &self.runners[0];
        self.dispatches = runner.dispatches();
        self.read(graph, &runner.plan, &values, &run.tensors)
    }

    /// Moves the runner for `key` to the front, making it if needed.
    pub(super) async fn prepare(&mut self, key: RunnerKey) -> Result<()> {
        if bring_forward(&mut self.runners, &key) {
            return Ok(());
        }
        let graph = self.network.graph(key.size, self.classes)?;
        let plan = Plan::new(&graph, &key.options)?;
        self.runners.truncate(KEPT_PLANS - 1);
        let constants = self.constants_of(&plan).await?;
        let runner = Runner::new(&self.backend, plan, constants).await?;
        self.runners.push_front((key, Prepared::new(graph, runner)));
        Ok(())
    }

    /// The packed weights of `plan`, read again from the file if no plan like it ran lately.
    async fn constants_of(&mut self, plan: &Plan) -> Result<Rc<Constants>> {
        let packing = plan.packing();
        if let Some((_, constants)) = self.constants.iter().find(|(p, _)| *p == packing) {
            return Ok(constants.clone());
        }
        self.constants.truncate(KEPT_CONSTANTS);
        let constants = Rc::new(load(&self.backend, self.precision, plan, &self.checkpoint, &mut |_| ()).await?);
        self.constants.push((packing, constants.clone()));
        Ok(constants)
    }

    fn read(&self, graph: &Graph, plan: &Plan, values: &Values, tensors: &[String]) -> Result<Vec<Analysis>> {
        let logits = values.tensor(plan, graph.output)?;
        if let Some(bad) = logits.iter().find(|v| !v.is_finite()) {
            return Err(Error::bad_weights(format!(
                "the network computed {bad}: the weights or the input overflow f32"
            )));
        }
        let mut attention = Vec::new();
        for unit in &graph.units {
            attention.push(values.tensor(plan, unit.attention)?);
        }
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_else(|| format!("class {index}"));
        let result = |(n, logits): (usize, &[f32])| {
            let of_item = |all: &Vec<f32>| all.chunks(all.len() / plan.batch).nth(n).unwrap_or_default().to_vec();
            let units = analysis::units(graph, attention.iter().map(of_item).collect());
            let (top, tensors) = (analysis::top(logits, TOP, label), BTreeMap::new());
            Analysis { scale: 1.0, top, logits: logits.to_vec(), units, tensors, milliseconds: 0.0 }
        };
        let mut results: Vec<_> = logits.chunks(self.classes).enumerate().map(result).collect();
        for (name, id) in tensors.iter().filter_map(|name| Some((name, graph.find(name)?))) {
            let (shape, all) = (graph.tensor(id).shape, values.tensor(plan, id)?);
            for (result, data) in results.iter_mut().zip(all.chunks(shape.iter().product())) {
                result.tensors.insert(name.clone(), TensorValues { shape, data: data.to_vec() });
            }
        }
        Ok(results)
    }
}

/// From `[3, H, W]` to `[H, W, 4]`; the fourth lane stays as it is.
pub(super) fn interleave(item: &[f32], out: &mut [f32]) {
    let positions = item.len() / 3;
    for (p, quad) in out.chunks_exact_mut(LANES).enumerate() {
        (0..3).for_each(|c| quad[c] = item[c * positions + p]);
    }
}
