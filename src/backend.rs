//! One interface over the two executors.

use crate::cpu::CpuExecutor;
use crate::gpu::{GpuConstants, GpuDevice, GpuExecutor};
use crate::graph::TensorId;
use crate::kernels::Packed;
use crate::plan::{Plan, StorageId};
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
    /// Bytes that one storage may have.
    pub fn max_storage(&self) -> u64 {
        match self {
            // What a 32-bit address space allows for one allocation.
            Self::Cpu => i32::MAX as u64,
            Self::Gpu(device) => device.max_binding(),
        }
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
    /// Adds the constants of the next step.
    pub fn push(&mut self, backend: &Backend, packed: Vec<Packed>) {
        match (self, backend) {
            (Self::Gpu(all), Backend::Gpu(device)) => all.push(device, &packed),
            (Self::Cpu(all), _) => all.push(packed),
            (Self::Gpu(_), Backend::Cpu) => unreachable!("constants belong to the backend that they were made for"),
        }
    }
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
    Gpu(GpuExecutor),
}

impl Runner {
    /// Takes buffers and, on the GPU, records the dispatches.
    ///
    /// # Errors
    /// `device-lost` if the GPU refuses.
    pub async fn new(backend: &Backend, plan: Plan, constants: Rc<Constants>) -> Result<Self> {
        let executor = match (backend, &*constants) {
            (Backend::Gpu(device), Constants::Gpu(on_device)) => {
                Executor::Gpu(GpuExecutor::new(device.clone(), &plan, on_device).await?)
            }
            _ => Executor::Cpu(CpuExecutor::new(&plan), constants),
        };
        Ok(Self { plan, executor })
    }

    /// GPU dispatches of one run, 0 on the CPU.
    pub fn dispatches(&self) -> usize {
        match &self.executor {
            Executor::Cpu(..) => 0,
            Executor::Gpu(gpu) => gpu.dispatches(),
        }
    }

    /// Writes a whole storage through one of its tensors: all batch items, padding lanes included.
    pub fn write(&mut self, id: TensorId, values: &[f32]) {
        match &mut self.executor {
            Executor::Cpu(cpu, _) => cpu.storage_mut(&self.plan, id)[..values.len()].copy_from_slice(values),
            Executor::Gpu(gpu) => gpu.write(&self.plan, id, values),
        }
    }

    /// Runs the plan.
    ///
    /// # Errors
    /// `device-lost` if the GPU went away.
    pub async fn run(&mut self) -> Result<Values> {
        match &mut self.executor {
            Executor::Gpu(gpu) => Ok(Values(gpu.run(&self.plan).await?)),
            Executor::Cpu(cpu, constants) => {
                if let Constants::Cpu(constants) = &**constants {
                    cpu.run(&self.plan, constants);
                }
                Ok(Values(cpu.read_back(&self.plan)))
            }
        }
    }
}
