//! One interface over the two executors.

use crate::cpu::CpuExecutor;
use crate::gpu::{GpuConstants, GpuDevice, GpuExecutor, Watch};
use crate::graph::{Graph, TensorId};
use crate::kernels::{Choices, Crops, Kernel, Lowering, Packed, Shape};
use crate::plan::{LANES, Plan, PlanOptions, StorageId, Views};
use crate::weights::generated::parameters;
use crate::weights::{Parameters, WeightPrecision};
use crate::{Error, Result};
use std::rc::Rc;

/// Where plans run.
#[derive(Clone, Debug)]
pub enum Backend {
    /// SIMD code on the CPU.
    Cpu,
    /// Compute shaders.
    Gpu(Rc<GpuDevice>),
}

impl Backend {
    /// `cpu` or `gpu`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu(_) => "gpu",
        }
    }
    /// Whether plans run on the GPU.
    pub fn is_gpu(&self) -> bool {
        matches!(self, Self::Gpu(_))
    }
    /// The GPU, if plans run there.
    pub fn device(&self) -> Option<Rc<GpuDevice>> {
        match self {
            Self::Cpu => None,
            Self::Gpu(device) => Some(device.clone()),
        }
    }
    /// Catches what goes wrong on the GPU from here on; nothing on the CPU.
    pub(crate) fn watch(&self) -> Option<Watch<'_>> {
        match self {
            Self::Cpu => None,
            Self::Gpu(device) => Some(device.watch()),
        }
    }
    /// Bytes that one storage may have.
    pub fn max_storage(&self) -> u64 {
        match self {
            // What a 32-bit address space allows for one allocation.
            Self::Cpu => i32::MAX as u64,
            Self::Gpu(device) => device.max_binding(),
        }
    }
    /// Bytes that all buffers of a plan may have together.
    fn max_memory(&self) -> u64 {
        match self {
            // Of a browser's 4 GiB, beside weights and photos.
            Self::Cpu if cfg!(target_arch = "wasm32") => 2 << 30,
            _ => u64::MAX,
        }
    }
    /// Bytes of all buffers from which on a larger batch is not worth its memory, with that many bytes of weights.
    fn batch_memory(&self, weights: u64) -> u64 {
        match self {
            // What a cache holds, or else what is saved by reading the weights only once.
            Self::Cpu => weights.max(16 << 20),
            Self::Gpu(_) => 2 << 30,
        }
    }
    /// The largest batch that plans like `plan`, for other batches, should have; the network has `weights` bytes of weights.
    ///
    /// # Errors
    /// `bad-option` if not even one item fits.
    pub fn max_batch(&self, plan: &Plan, weights: u64) -> Result<usize> {
        let sizes = plan.buffer_sizes(1).into_iter().map(|floats| (floats * size_of::<f32>()) as u64);
        let (largest, total) = sizes.fold((1, 1), |(largest, total), bytes| (bytes.max(largest), total + bytes));
        let (storage, memory) = (self.max_storage(), self.max_memory());
        if largest > storage || total > memory {
            return Err(Error::bad_option(format!(
                "a picture of this size needs {total} bytes, {largest} of them in one buffer; the {} backend allows \
                 {memory} and {storage} here: use a smaller size",
                self.name()
            )));
        }
        let worthwhile = (self.batch_memory(weights) / total).max(1);
        Ok((storage / largest).min(worthwhile).min(Lowering::MAX_WORKGROUPS as u64) as usize)
    }
}

/// The packed constants of a plan's steps, where a backend reads them.
#[derive(Debug)]
pub enum Constants {
    /// In memory.
    Cpu(Vec<Vec<Packed>>),
    /// On the device.
    Gpu(GpuConstants),
}

impl Constants {
    /// No steps yet.
    pub fn new(backend: &Backend) -> Self {
        match backend {
            Backend::Cpu => Self::Cpu(Vec::new()),
            Backend::Gpu(_) => Self::Gpu(GpuConstants::default()),
        }
    }
    /// Adds the constants of `step`, the next one of a plan with these `views`.
    ///
    /// # Errors
    /// `bad-option` if these constants are for the other kind of backend.
    pub fn push(&mut self, backend: &Backend, step: &dyn Kernel, views: &Views, mut packed: Vec<Packed>) -> Result<()> {
        match (self, backend) {
            (Self::Gpu(all), Backend::Gpu(device)) => all.push(device, &packed),
            (Self::Cpu(all), Backend::Cpu) => {
                step.arrange(views, &mut packed);
                all.push(packed);
            }
            _ => return Err(misplaced(backend)),
        }
        Ok(())
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> u64 {
        (0..self.steps()).map(|index| self.step_bytes(index)).sum()
    }

    /// Steps whose constants are here.
    fn steps(&self) -> usize {
        match self {
            Self::Cpu(all) => all.len(),
            Self::Gpu(all) => all.steps(),
        }
    }

    /// Bytes that those of step `index` take.
    fn step_bytes(&self, index: usize) -> u64 {
        match self {
            Self::Cpu(all) => all[index].iter().map(|packed| packed.bytes().len() as u64).sum(),
            Self::Gpu(all) => all.step_bytes(index),
        }
    }

    /// The constants, if they are in memory.
    fn on_cpu(&self) -> Option<&[Vec<Packed>]> {
        match self {
            Self::Cpu(all) => Some(all),
            Self::Gpu(_) => None,
        }
    }
}

fn misplaced(backend: &Backend) -> Error {
    Error::bad_option(format!("the constants were not made for the {} backend; make them anew", backend.name()))
}

/// What a run reads back.
#[derive(Clone, Debug)]
pub struct Values(Vec<(StorageId, Vec<f32>)>);

impl Values {
    /// A tensor as `[N, C, H, W]`.
    ///
    /// # Errors
    /// If the plan was not asked to keep it.
    pub fn tensor(&self, plan: &Plan, id: TensorId) -> Result<Vec<f32>> {
        let view = plan.views.get(id);
        let found = view.and_then(|view| self.0.iter().find(|(s, _)| *s == view.storage).map(|(_, v)| (view, v)));
        let (view, values) = found.ok_or_else(|| Error::bad_option(format!("tensor {} was not read back", id.0)))?;
        Ok(view.to_nchw(plan.batch, values))
    }
}

/// A plan made ready on a backend.
#[derive(Debug)]
pub struct Runner {
    /// The plan.
    pub plan: Plan,
    executor: Executor,
}

#[derive(Debug)]
enum Executor {
    Cpu(CpuExecutor, Rc<Constants>),
    Gpu(GpuExecutor, Rc<Constants>),
}

impl Runner {
    /// Takes buffers and, on the GPU, records the dispatches.
    ///
    /// # Errors
    /// `device-lost` if the GPU refuses, `bad-option` if the constants are of another plan or backend.
    pub async fn new(backend: &Backend, plan: Plan, constants: Rc<Constants>) -> Result<Self> {
        if constants.steps() != plan.steps.len() {
            return Err(Error::bad_option(format!(
                "there are constants for {} steps; the plan has {}",
                constants.steps(),
                plan.steps.len()
            )));
        }
        let executor = match (backend, &*constants) {
            (Backend::Gpu(device), Constants::Gpu(on_device)) => {
                let choices = device.choices().clone();
                Executor::Gpu(GpuExecutor::new(device.clone(), &plan, on_device, &choices).await?, constants)
            }
            (Backend::Cpu, Constants::Cpu(_)) => Executor::Cpu(CpuExecutor::new(&plan), constants),
            _ => return Err(misplaced(backend)),
        };
        Ok(Self { plan, executor })
    }

    /// [`Runner::planned`] with the generated weights of tests and benchmarks.
    ///
    /// # Errors
    /// As there.
    pub async fn generated(backend: &Backend, graph: &Graph, options: &PlanOptions) -> Result<Self> {
        Self::planned(backend, graph, options, &parameters(graph), WeightPrecision::default()).await
    }

    /// Plans `graph` and makes it ready with the weights in `parameters`, kept in `precision`.
    ///
    /// # Errors
    /// If the plan or the weights do not fit the graph or the backend.
    pub async fn planned(
        backend: &Backend,
        graph: &Graph,
        options: &PlanOptions,
        parameters: &Parameters,
        precision: WeightPrecision,
    ) -> Result<Self> {
        let plan = Plan::new(graph, options)?;
        let mut constants = Constants::new(backend);
        for step in &plan.steps {
            let packed = step.pack(&plan.views, parameters)?;
            let packed = packed.into_iter().map(|constant| constant.kept(precision)).collect();
            constants.push(backend, step.as_ref(), &plan.views, packed)?;
        }
        Self::new(backend, plan, Rc::new(constants)).await
    }

    /// Fills a tensor's storage with `[N, C, H, W]` values and zeros in the padding.
    pub fn write_nchw(&mut self, id: TensorId, values: &[f32]) {
        let view = self.plan.views.of(id);
        let mut storage = vec![0.0; self.plan.storages[view.storage.0].item * LANES * self.plan.batch];
        view.write_nchw(self.plan.batch, values, &mut storage);
        self.write(id, &storage);
    }

    /// Whether it can make its pictures of `crops`: as many and as large ones, not on the CPU, nor beyond the device's limits.
    pub fn takes(&self, crops: &Crops<'_>) -> bool {
        match &self.executor {
            Executor::Cpu(..) => false,
            Executor::Gpu(gpu, _) => crops.fit(&self.plan) && gpu.takes(crops),
        }
    }

    /// GPU dispatches of one run without those for crops, 0 on the CPU.
    pub fn dispatches(&self) -> usize {
        match &self.executor {
            Executor::Cpu(..) => 0,
            Executor::Gpu(gpu, _) => gpu.dispatches(),
        }
    }

    /// Writes a whole storage through one of its tensors: all batch items, padding lanes included.
    pub fn write(&mut self, id: TensorId, values: &[f32]) {
        match &mut self.executor {
            Executor::Cpu(cpu, _) => cpu.storage_mut(&self.plan, id)[..values.len()].copy_from_slice(values),
            Executor::Gpu(gpu, _) => gpu.write(&self.plan, id, values),
        }
    }

    /// Bytes of the constants of step `index`.
    pub fn constant_bytes(&self, index: usize) -> u64 {
        match &self.executor {
            Executor::Cpu(_, constants) => constants.step_bytes(index),
            Executor::Gpu(_, constants) => constants.step_bytes(index),
        }
    }

    /// Records the plan anew on the GPU, with the variants of kernels in `choices`; does nothing on the CPU. Whatever was
    /// written before is lost.
    ///
    /// # Errors
    /// `device-lost` if the GPU refuses.
    pub async fn record(&mut self, choices: &Choices) -> Result<()> {
        if let Executor::Gpu(gpu, constants) = &mut self.executor
            && let Constants::Gpu(on_device) = &**constants
        {
            *gpu = GpuExecutor::new(gpu.device(), &self.plan, on_device, choices).await?;
        }
        Ok(())
    }

    /// The shapes that variants of kernels can be chosen for, step by step.
    pub fn shapes(&self) -> Vec<Option<Shape>> {
        let choices = Choices::default();
        let lowering = Lowering { views: &self.plan.views, batch: self.plan.batch, choices: &choices };
        self.plan.steps.iter().map(|step| step.shape(&lowering)).collect()
    }

    /// [`Runner::time`] by the clock, with what it takes to start a step and wait for it; on the CPU the same.
    ///
    /// # Errors
    /// `device-lost` if the GPU went away.
    pub async fn time_by_clock(&mut self, repeats: &[usize]) -> Result<Vec<f64>> {
        match &mut self.executor {
            Executor::Gpu(gpu, _) => gpu.time_by_clock(repeats).await,
            Executor::Cpu(..) => Ok(self.time(repeats).await?.unwrap_or_default()),
        }
    }

    /// Runs each step as often as `repeats` says; returns the milliseconds that each took once, or nothing if the GPU
    /// does not tell time.
    ///
    /// # Errors
    /// `device-lost` if the GPU went away.
    pub async fn time(&mut self, repeats: &[usize]) -> Result<Option<Vec<f64>>> {
        match &mut self.executor {
            Executor::Gpu(gpu, _) => gpu.time(repeats).await,
            Executor::Cpu(cpu, constants) => Ok(constants.on_cpu().map(|all| cpu.time(&self.plan, all, repeats))),
        }
    }

    /// [`Runner::run_on`] the pictures that were written.
    ///
    /// # Errors
    /// As there.
    pub fn run(&mut self) -> impl Future<Output = Result<Values>> {
        self.run_on(None)
    }

    /// Runs the plan, on the pictures of `crops` if there are any.
    ///
    /// # Errors
    /// `device-lost` if the GPU went away, `bad-option` if it does not take these crops ([`Runner::takes`]).
    pub async fn run_on(&mut self, crops: Option<&Crops<'_>>) -> Result<Values> {
        if crops.is_some_and(|crops| !self.takes(crops)) {
            return Err(Error::bad_option("the backend does not crop this photo"));
        }
        match &mut self.executor {
            Executor::Gpu(gpu, _) => Ok(Values(gpu.run(&self.plan, crops).await?)),
            Executor::Cpu(cpu, constants) => {
                if let Some(constants) = constants.on_cpu() {
                    cpu.run(&self.plan, constants);
                }
                Ok(Values(cpu.read_back(&self.plan)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;
    use crate::plan::PlanOptions;

    #[test]
    fn batches_stay_within_the_memory_that_they_are_worth() {
        let batch = |name: &str, side: usize| {
            let network = preset(name).unwrap();
            let graph = network.graph([side, side], 10).unwrap();
            let plan = Plan::new(&graph, &PlanOptions::batch(1)).unwrap();
            let batch = Backend::Cpu.max_batch(&plan, graph.weight_bytes()).unwrap();
            let bytes: usize = plan.buffer_sizes(batch).iter().map(|floats| floats * 4).sum();
            let most = Backend::Cpu.batch_memory(graph.weight_bytes());
            assert!(batch == 1 || bytes as u64 <= most, "{name}: {batch} items, {bytes} bytes");
            batch
        };
        assert!(batch("sknet50", 512) > 1);
        assert!(batch("sk_shufflenet_v2_x0_5", 64) > 16);
        assert!((2..8).contains(&batch("sk_shufflenet_v2_x1_0", 224)));
        assert_eq!(batch("sknet29_cifar10", 512), 1);
    }
}
