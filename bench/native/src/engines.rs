//! The engines behind one interface.

use anyhow::{Context, Result};
use pollster::block_on;
use sklens::session::{BackendChoice, Session};
use sklens::weights::Source;
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::*;

/// A network made ready by an engine.
pub trait Contestant {
    /// The output for an input `[N, C, H, W]`.
    fn run(&mut self, input: &[f32], shape: [usize; 4]) -> Result<Vec<f32>>;
}

/// SK Lens's CPU backend.
pub struct Sklens(Session);

impl Sklens {
    /// Opens the network `name` with its weights in `folder`.
    pub fn open(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let session = Session::open(name, Source::Bytes(bytes.into()), BackendChoice::Cpu, |_| ());
        Ok(Self(block_on(session)?))
    }
}

impl Contestant for Sklens {
    fn run(&mut self, input: &[f32], shape: [usize; 4]) -> Result<Vec<f32>> {
        let results = block_on(self.0.analyze_tensor(input, shape))?;
        Ok(results.into_iter().flat_map(|result| result.logits).collect())
    }
}

/// tract, with its optimiser, for one input shape.
pub struct Tract(Arc<TypedRunnableModel>);

impl Tract {
    /// Opens the ONNX file `name` in `folder`.
    pub fn open(folder: &Path, name: &str, shape: [usize; 4]) -> Result<Self> {
        let model = tract_onnx::onnx()
            .model_for_path(folder.join(format!("{name}.onnx")))?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()?;
        Ok(Self(model))
    }
}

impl Contestant for Tract {
    fn run(&mut self, input: &[f32], shape: [usize; 4]) -> Result<Vec<f32>> {
        let input = Tensor::from_shape(&shape, input)?;
        let outputs = self.0.run(tvec!(input.into()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}
