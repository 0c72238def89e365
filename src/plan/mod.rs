//! The plan: a graph as fused steps on storages, pure data that either executor runs.

mod fuse;
mod memory;
mod place;
mod view;

pub use memory::{Storage, lower_bound};
pub use view::{LANES, StorageId, View, Views, quads};

use crate::graph::{Graph, TensorId};
use crate::kernels::Kernel;
use crate::{Error, Result};

/// What a plan depends on besides the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlanOptions {
    /// Batch size, at least 1.
    pub batch: usize,
    /// Names of tensors to read back besides the result and every unit's attention; disables the fusions that hide them.
    pub retain: Vec<String>,
    /// Whether Select is folded into the loads of the 1×1 convolution that follows.
    pub fold_select: bool,
}

impl PlanOptions {
    /// Defaults for `batch` items.
    pub fn batch(batch: usize) -> Self {
        Self { batch, ..Self::default() }
    }
}

/// A graph made ready to run.
#[derive(Debug)]
pub struct Plan {
    /// Batch size.
    pub batch: usize,
    /// The steps, in order.
    pub steps: Vec<Box<dyn Kernel>>,
    /// Where each tensor lies.
    pub views: Views,
    /// The storages behind the views.
    pub storages: Vec<Storage>,
    /// The picture, `[N, H, W]` of one quad.
    pub input: TensorId,
    /// Overrides of every unit, in unit order: one storage, zero by default.
    pub overrides: Vec<TensorId>,
    /// Storages to read back: the results (logits and attention) first, then those of retained tensors.
    pub read_back: Vec<StorageId>,
    buffers: Vec<usize>,
}

/// Kernel, weights and layouts of each step: plans with equal packing share their constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing(Vec<(&'static str, Vec<String>, Vec<Layout>)>);

/// Slots and lanes of a tensor's view.
type Layout = (TensorId, Vec<u32>, Vec<u32>);

impl Plan {
    /// Plans `graph`.
    ///
    /// # Errors
    /// If the batch is 0 or a retained name is unknown.
    pub fn new(graph: &Graph, options: &PlanOptions) -> Result<Self> {
        if options.batch == 0 {
            return Err(Error::bad_option("a plan needs a batch of at least 1"));
        }
        let mut retained = Vec::new();
        for name in &options.retain {
            let id =
                graph.find(name).ok_or_else(|| Error::bad_option(format!("the network has no tensor {name:?}")))?;
            retained.push(id);
        }
        let fused = fuse::fuse(graph, &retained, options);
        let placed = place::place(graph, fused);
        let buffers = memory::assign(&placed.storages);
        Ok(Self {
            batch: options.batch,
            steps: placed.steps,
            views: placed.views,
            storages: placed.storages,
            input: graph.input,
            overrides: graph.units.iter().map(|u| u.override_input).collect(),
            read_back: placed.read_back,
            buffers,
        })
    }

    /// What the packed constants of the steps depend on; it does not change with size and batch.
    pub fn packing(&self) -> Packing {
        let layout = |id: TensorId| {
            let view = self.views.of(id);
            (id, view.slots.clone(), view.lanes.clone())
        };
        let step = |step: &dyn Kernel| {
            let tensors = step.inputs().into_iter().chain(step.outputs()).map(layout).collect();
            (step.family(), step.parameters(), tensors)
        };
        Packing(self.steps.iter().map(|s| step(s.as_ref())).collect())
    }

    /// The buffer that holds a storage.
    pub fn buffer_of(&self, storage: StorageId) -> usize {
        self.buffers[storage.0]
    }

    /// Floats in each buffer for `batch` items.
    pub fn buffer_sizes(&self, batch: usize) -> Vec<usize> {
        let mut sizes = vec![0; self.buffers.iter().max().map_or(0, |&b| b + 1)];
        for (storage, &buffer) in self.storages.iter().zip(&self.buffers) {
            sizes[buffer] = sizes[buffer].max(storage.item * LANES * batch);
        }
        sizes
    }
}
