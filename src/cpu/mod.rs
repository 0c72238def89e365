//! The CPU executor: the plan's steps in a loop.

pub mod gemm;
pub mod simd;
pub mod window;

use crate::cpu::simd::widen;
use crate::graph::TensorId;
use crate::kernels::Packed;
use crate::plan::{LANES, Plan, StorageId, View, Views};
use web_time::Instant;

/// What the CPU code uses, for people.
pub fn description() -> String {
    if cfg!(target_arch = "wasm32") {
        let simd = match (cfg!(target_feature = "relaxed-simd"), cfg!(target_feature = "simd128")) {
            (true, _) => "relaxed SIMD",
            (_, true) => "SIMD",
            _ => "no SIMD",
        };
        return format!("WebAssembly, {simd}, one thread");
    }
    #[cfg(target_arch = "x86_64")]
    let simd = if std::is_x86_feature_detected!("avx2") { "AVX2" } else { "SSE2" };
    #[cfg(not(target_arch = "x86_64"))]
    let simd = "SIMD";
    format!("{}, {simd}, one thread", std::env::consts::ARCH)
}

/// What a kernel's CPU twin sees: the plan's views, its constants and the buffers.
#[derive(Debug)]
pub struct CpuContext<'a> {
    /// Batch size.
    pub batch: usize,
    plan: &'a Plan,
    constants: &'a [Packed],
    /// The weights, where they are kept as f16.
    widened: &'a [f32],
    buffers: &'a mut [Vec<f32>],
}

impl<'a> CpuContext<'a> {
    /// The plan's views.
    pub fn views(&self) -> &'a Views {
        &self.plan.views
    }
    /// The view of a tensor.
    pub fn view(&self, id: TensorId) -> &'a View {
        self.plan.views.of(id)
    }
    /// The step's packed constant of that index, weights or biases; empty for a table.
    pub fn floats(&self, index: usize) -> &'a [f32] {
        match &self.constants[index] {
            Packed::Weights(v) | Packed::F32(v) => v,
            Packed::Halves(_) => self.widened,
            Packed::U32(_) => &[],
        }
    }
    /// The step's table of that index; empty for weights.
    pub fn table(&self, index: usize) -> &'a [u32] {
        match &self.constants[index] {
            Packed::U32(v) => v,
            _ => &[],
        }
    }
    /// The storage of a tensor, to read; index it through its view.
    pub fn read(&self, id: TensorId) -> &[f32] {
        &self.buffers[self.plan.buffer_of(self.view(id).storage)]
    }
    /// Calls `f` with the storage of `id` to write; other tensors can be read meanwhile.
    pub fn write(&mut self, id: TensorId, f: impl FnOnce(&mut Self, &mut [f32])) {
        let buffer = self.plan.buffer_of(self.view(id).storage);
        let mut values = std::mem::take(&mut self.buffers[buffer]);
        f(self, &mut values);
        self.buffers[buffer] = values;
    }
}

/// Runs one plan on the CPU; holds its buffers and constants.
#[derive(Debug)]
pub struct CpuExecutor {
    buffers: Vec<Vec<f32>>,
}

impl CpuExecutor {
    /// An executor with zeroed buffers for `plan`.
    pub fn new(plan: &Plan) -> Self {
        Self { buffers: plan.buffer_sizes(plan.batch).into_iter().map(|n| vec![0.0; n]).collect() }
    }

    /// The values of a tensor's storage, to fill inputs and read results.
    pub fn storage_mut(&mut self, plan: &Plan, id: TensorId) -> &mut [f32] {
        &mut self.buffers[plan.buffer_of(plan.views.of(id).storage)]
    }

    /// Runs every step; `constants[i]` belong to step `i`. Of weights in f16, one step's at a time become f32.
    pub fn run(&mut self, plan: &Plan, constants: &[Vec<Packed>]) {
        let mut widened = Vec::new();
        (0..plan.steps.len()).for_each(|index| self.step(plan, constants, index, &mut widened));
    }

    /// Runs step `i` as often as `repeats[i]` says, one after the other; returns the milliseconds that each took once.
    pub fn time(&mut self, plan: &Plan, constants: &[Vec<Packed>], repeats: &[usize]) -> Vec<f64> {
        let mut widened = Vec::new();
        let time = |(index, &repeats): (usize, &usize)| {
            let start = Instant::now();
            (0..repeats).for_each(|_| self.step(plan, constants, index, &mut widened));
            start.elapsed().as_secs_f64() * 1e3 / repeats as f64
        };
        repeats.iter().enumerate().map(time).collect()
    }

    /// `widened` is room for weights.
    fn step(&mut self, plan: &Plan, constants: &[Vec<Packed>], index: usize, widened: &mut Vec<f32>) {
        let constants = &constants[index];
        if let Some(halves) = constants.iter().find_map(Packed::halves) {
            widen(halves, widened);
        }
        let (batch, buffers) = (plan.batch, &mut self.buffers[..]);
        plan.steps[index].run(&mut CpuContext { batch, plan, constants, widened, buffers });
    }

    /// A copy of [`Plan::read_back`], each storage whole.
    pub fn read_back(&self, plan: &Plan) -> Vec<(StorageId, Vec<f32>)> {
        let part = |id: StorageId| {
            let floats = plan.storages[id.0].item * LANES * plan.batch;
            self.buffers[plan.buffer_of(id)][..floats].to_vec()
        };
        plan.read_back.iter().map(|&id| (id, part(id))).collect()
    }
}
