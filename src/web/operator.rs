//! Single operators with generated weights, for the benchmark's page.

use crate::backend::{Backend, Runner};
use crate::gpu::GpuDevice;
use crate::graph::Graph;
use crate::network::Operator;
use crate::plan::PlanOptions;
use crate::{Error, Result};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// An operator made ready on a backend.
#[wasm_bindgen]
#[derive(Debug)]
pub struct OperatorRunner {
    graph: Graph,
    runner: RefCell<Runner>,
}

#[wasm_bindgen]
impl OperatorRunner {
    /// Prepares the [`Operator`] that `operator` describes in JSON, on the GPU or else the CPU.
    ///
    /// # Errors
    /// `bad-option`, `device-lost`.
    pub async fn open(operator: String, gpu: bool) -> Result<OperatorRunner, JsValue> {
        Ok(Self::prepare(&operator, gpu).await?)
    }

    /// The output for one input, both as `[1, C, H, W]`.
    ///
    /// # Errors
    /// `device-lost`.
    #[expect(clippy::await_holding_refcell_ref, reason = "the benchmark's calls do not overlap")]
    pub async fn run(&self, input: &[f32]) -> Result<Vec<f32>, JsValue> {
        let mut runner = self.runner.borrow_mut();
        runner.write_nchw(self.graph.input, input);
        let values = runner.run().await?;
        Ok(values.tensor(&runner.plan, self.graph.output)?)
    }
}

impl OperatorRunner {
    async fn prepare(operator: &str, gpu: bool) -> Result<Self> {
        let operator: Operator =
            serde_json::from_str(operator).map_err(|e| Error::bad_option(format!("bad operator: {e}")))?;
        let graph = operator.graph()?;
        let backend = if gpu { Backend::Gpu(Rc::new(GpuDevice::open().await?)) } else { Backend::Cpu };
        let runner = Runner::generated(&backend, &graph, &PlanOptions::batch(1)).await?;
        Ok(Self { graph, runner: RefCell::new(runner) })
    }
}
