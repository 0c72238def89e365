//! The module of measurements: times of layers, and the variants of the kernels that an adapter runs fastest. It has a
//! device and generated weights of its own, which take as long as others.

use super::set;
use super::values::{from_js, network, to_js};
use crate::Result;
use crate::backend::{Backend, Runner};
use crate::benchmark::{self, check_batch};
use crate::gpu::GpuDevice;
use crate::graph::Graph;
use crate::image::check_size;
use crate::plan::{Plan, PlanOptions};
use crate::session::{BackendChoice, OpenOptions};
use crate::tuner;
use crate::weights::generated::parameters;
use js_sys::{Function, Object};
use serde::Deserialize;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// What is measured.
#[derive(Deserialize)]
struct Request {
    /// A preset's name or a description in JSON.
    model: String,
    classes: usize,
    /// `gpu` or `cpu`, the precision of the weights, and what is known of adapters.
    #[serde(flatten)]
    options: OpenOptions,
    /// Height and width.
    size: [usize; 2],
    batch: usize,
}

impl Request {
    async fn prepare(self) -> Result<Prepared> {
        let Self { model, classes, options, size, batch } = self;
        let network = network(&model)?;
        check_size(size, network.sides())?;
        let graph = network.graph(size, classes)?;
        let backend = Own(match options.backend {
            BackendChoice::Cpu => Backend::Cpu,
            BackendChoice::Auto | BackendChoice::Gpu => {
                let device = GpuDevice::open().await?;
                options.tune(&device);
                Backend::Gpu(Rc::new(device))
            }
        });
        let single = Plan::new(&graph, &PlanOptions::batch(1))?;
        check_batch(batch, backend.0.max_batch(&single, graph.weight_bytes())?)?;
        let options_of_plan = PlanOptions::batch(batch);
        let runner =
            Runner::planned(&backend.0, &graph, &options_of_plan, &parameters(&graph), options.precision).await?;
        Ok(Prepared { backend, graph, runner })
    }
}

/// A backend whose device nothing else uses: its memory goes with it, not with a later collection of the browser's.
struct Own(Backend);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.device().into_iter().for_each(|device| device.destroy());
    }
}

struct Prepared {
    backend: Own,
    graph: Graph,
    runner: Runner,
}

/// `Benchmark` of `{ model, classes, backend, precision, tunings, size, batch }`.
///
/// # Errors
/// `unknown-model`, `bad-option`, `device-lost`.
#[wasm_bindgen]
pub async fn benchmark(request: JsValue) -> Result<JsValue, JsValue> {
    let request: Request = from_js(request)?;
    let Prepared { backend, graph, mut runner } = request.prepare().await?;
    to_js(&benchmark::measure(&backend.0, &graph, &mut runner).await?)
}

/// `Tuning` for the same request, with all that its `tunings` know of this adapter. `on_progress` gets
/// `{ phase: 'measure', done, total }`.
///
/// # Errors
/// As [`benchmark`]; `bad-option` on the CPU.
#[wasm_bindgen]
pub async fn tune(request: JsValue, on_progress: Function) -> Result<JsValue, JsValue> {
    let request: Request = from_js(request)?;
    let Prepared { backend, graph, mut runner } = request.prepare().await?;
    let progress = |done: usize, total: usize| {
        let object = Object::new();
        set(&object, "phase", &"measure".into());
        set(&object, "done", &done.into());
        set(&object, "total", &total.into());
        // A listener that throws must not stop the measurement.
        let _ = on_progress.call1(&JsValue::NULL, &object);
    };
    to_js(&tuner::tune(&backend.0, &graph, &mut runner, progress).await?)
}
