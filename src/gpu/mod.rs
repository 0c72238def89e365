//! The GPU executor: the only code that names wgpu.

#[cfg(target_arch = "wasm32")]
mod browser;
mod device;
mod executor;

pub use device::{Adapter, GpuDevice};
pub use executor::{GpuConstants, GpuExecutor};
