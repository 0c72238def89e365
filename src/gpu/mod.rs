//! The GPU executor: the only code that names wgpu.

#[cfg(target_arch = "wasm32")]
mod browser;
mod device;
mod executor;

pub(crate) use device::Watch;
pub use device::{Adapter, DeviceLimits, GpuCounters, GpuDevice};
pub use executor::{GpuConstants, GpuExecutor};
