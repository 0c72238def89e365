//! The GPU executor: the only code that names wgpu.

mod device;
mod executor;

pub use device::{Adapter, GpuDevice};
pub use executor::{GpuConstants, GpuExecutor};
