//! SK Lens: Selective Kernel networks (Li et al., CVPR 2019) on WebGPU and CPU.
//!
//! Data flows one way: [`network`] describes an architecture, which becomes a [`graph`], then a plan of fused steps,
//! which an executor runs on the GPU or the CPU. `docs/design.md` tells why.

pub mod analysis;
pub mod backend;
pub mod benchmark;
pub mod bundled;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cpu;
pub mod effective_field;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod image;
pub mod kernels;
pub mod network;
mod order;
pub mod overrides;
pub mod plan;
mod self_check;
pub mod session;
mod tuner;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use error::{Error, ErrorCode, Result};
