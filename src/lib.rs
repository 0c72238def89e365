//! SK Lens: Selective Kernel networks (Li et al., CVPR 2019) on WebGPU and CPU.
//!
//! Data flows one way: [`network`] describes an architecture, which becomes a [`graph`], then a plan of fused steps,
//! which an executor runs on the GPU or the CPU. `docs/design.md` tells why.

pub mod error;
pub mod image;
pub mod weights;

pub use error::{Error, ErrorCode, Result};
