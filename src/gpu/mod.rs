//! The GPU executor: the only code that names wgpu.

mod adapter;
#[cfg(target_arch = "wasm32")]
mod browser;
mod crops;
mod device;
mod executor;
mod timing;

pub use adapter::{Adapter, DeviceLimits, GpuAdapter};
pub(crate) use device::Watch;
pub use device::{GpuCounters, GpuDevice};
pub use executor::{GpuConstants, GpuExecutor};
