//! An open network: weights on a backend, plans made as they are needed.

mod info;
mod measure;
mod metadata;
mod placement;
mod prepared;
mod receptive_field;
mod run;
mod view;

pub use crate::tuner::Tuning;
pub use info::{BranchInfo, ModelInfo, Progress, SessionInfo, UnitInfo, models, unit_infos};
pub use receptive_field::FieldRequest;
pub use view::View;

use crate::Result;
use crate::analysis::Analysis;
use crate::backend::{Backend, Constants};
use crate::gpu::GpuDevice;
use crate::image::{Preprocessing, WorkingImage};
use crate::network::{Network, preset};
use crate::overrides::RunOptions;
use crate::plan::{Packing, Plan, PlanOptions};
use crate::weights::{Checkpoint, Source, WeightPrecision};
use metadata::{labels_of, preprocessing_of};
use placement::{Placed, place};
use prepared::{Prepared, RunnerKey};
use receptive_field::{Gradient, GradientKey};
use run::interleave;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use view::check_run;
use web_time::Instant;

/// Which backend to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The GPU if it is a real one, else the CPU.
    #[default]
    Auto,
    /// The GPU, even a software adapter; fails without one.
    Gpu,
    /// The CPU.
    Cpu,
}

/// Where a network runs, and how its weights are kept there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OpenOptions {
    /// The backend.
    pub backend: BackendChoice,
    /// The weights in memory.
    pub precision: WeightPrecision,
    /// Whether a GPU that runs the network crops and resizes photos as well; if absent unless the adapter is software,
    /// where the CPU does so faster. The results are the same.
    #[serde(skip)]
    pub crops_on_gpu: Option<bool>,
    /// What [`Session::tune`] measured earlier, on this adapter or others; of those for the adapter that runs the last counts.
    #[serde(default)]
    pub tunings: Vec<Tuning>,
}

impl OpenOptions {
    /// Lets `device` use what was measured of it.
    pub(crate) fn tune(&self, device: &GpuDevice) {
        if let Some(tuning) = self.tunings.iter().rfind(|tuning| tuning.fits(&device.adapter)) {
            device.tune(tuning.variants());
        }
    }
}

impl From<BackendChoice> for OpenOptions {
    fn from(backend: BackendChoice) -> Self {
        Self { backend, ..Self::default() }
    }
}

/// An open network.
#[derive(Debug)]
pub struct Session {
    network: Network,
    preprocessing: Preprocessing,
    classes: usize,
    labels: Vec<String>,
    checkpoint: Checkpoint,
    backend: Backend,
    reason: String,
    precision: WeightPrecision,
    crops_on_gpu: bool,
    /// Packed weights, those of plain runs first.
    constants: Vec<(Packing, Rc<Constants>)>,
    runners: VecDeque<(RunnerKey, Prepared)>,
    gradients: VecDeque<(GradientKey, Gradient)>,
    /// By size and retained tensors.
    max_batches: HashMap<([usize; 2], Vec<String>), usize>,
    dispatches: usize,
}

impl Session {
    /// Opens preset `model` with the weights of `source`.
    ///
    /// # Errors
    /// `unknown-model`, and those of [`Session::open_network`].
    pub async fn open(
        model: &str,
        source: Source,
        options: impl Into<OpenOptions>,
        progress: impl FnMut(Progress),
    ) -> Result<Self> {
        Self::open_network(preset(model)?, source, options, progress).await
    }

    /// Opens `network` with the weights of `source`.
    ///
    /// # Errors
    /// `bad-weights`, or `device-lost` if a GPU was asked for and none works.
    pub async fn open_network(
        network: Network,
        source: Source,
        options: impl Into<OpenOptions>,
        progress: impl FnMut(Progress),
    ) -> Result<Self> {
        Self::open_checkpoint(network, Checkpoint::open(source).await?, options, progress).await
    }

    /// Opens `network` with the weights of `checkpoint`.
    ///
    /// # Errors
    /// `bad-weights`, or `device-lost` if a GPU was asked for and none works.
    pub async fn open_checkpoint(
        network: Network,
        checkpoint: Checkpoint,
        options: impl Into<OpenOptions>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Self> {
        let options = options.into();
        let network = Network { folded: checkpoint.is_folded(), ..network };
        let preprocessing = preprocessing_of(&network, &checkpoint)?;
        let classes = checkpoint.classes().unwrap_or(network.classes);
        let graph = network.graph(preprocessing.input_size, classes)?;
        checkpoint.check(&network.name, &graph.parameters())?;
        let labels = labels_of(&checkpoint, classes)?;
        let plan = Plan::new(&graph, &PlanOptions::batch(1))?;
        let OpenOptions { precision, crops_on_gpu, .. } = options;
        let Placed { backend, reason, constants } = place(options, &plan, &checkpoint, &mut progress).await?;
        let crops_on_gpu = backend.device().is_some_and(|device| crops_on_gpu.unwrap_or(!device.adapter.software));
        Ok(Self {
            network,
            preprocessing,
            classes,
            labels,
            checkpoint,
            backend,
            reason,
            precision,
            crops_on_gpu,
            constants: vec![(plan.packing(), Rc::new(constants))],
            runners: VecDeque::new(),
            gradients: VecDeque::new(),
            max_batches: HashMap::new(),
            dispatches: 0,
        })
    }

    /// What runs.
    ///
    /// # Errors
    /// If the graph does not build at the default input size; [`Session::open`] would have failed then.
    pub fn info(&self) -> Result<SessionInfo> {
        let graph = self.network.graph(self.preprocessing.input_size, self.classes)?;
        let adapter = match &self.backend {
            Backend::Gpu(device) => device.adapter.name.clone(),
            Backend::Cpu => crate::cpu::description(),
        };
        Ok(SessionInfo {
            model: self.network.name.clone(),
            backend: self.backend.name(),
            adapter,
            reason: self.reason.clone(),
            params: graph.parameter_count(),
            macs: graph.macs(),
            units: unit_infos(&graph),
            input_size: self.preprocessing.input_size,
            crop_pct: self.preprocessing.crop_pct,
            classes: self.classes,
            dispatches: self.dispatches,
            tuned: self.backend.device().map_or(0, |device| device.choices().tuned.len()),
            weight_precision: self.precision,
            weight_bytes: self.constants.first().map_or(0, |(_, constants)| constants.bytes()),
            metadata: self.checkpoint.metadata.clone(),
        })
    }

    /// Plain names of the classes in the order of their logits; empty if nothing names them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Names the classes of a file that does not name them itself; ignored if it does or the count differs.
    pub fn name_classes(&mut self, labels: Vec<String>) {
        if self.labels.is_empty() && labels.len() == self.classes {
            self.labels = labels;
        }
    }

    /// Looks at `photo`; one result per zoom, all zooms as one batch.
    ///
    /// # Errors
    /// `bad-option` for a bad view, `device-lost` if the GPU went away.
    pub async fn analyze(&mut self, photo: &WorkingImage, view: &View) -> Result<Vec<Analysis>> {
        self.analyze_all(std::slice::from_ref(photo), view).await
    }

    /// Looks at `photos` as one batch; one result per photo and zoom, photo by photo. `milliseconds` is the time of all.
    ///
    /// # Errors
    /// As [`Session::analyze`].
    pub async fn analyze_all(&mut self, photos: &[WorkingImage], view: &View) -> Result<Vec<Analysis>> {
        let start = Instant::now();
        view.check(&self.network)?;
        let size = view.size.unwrap_or(self.preprocessing.input_size);
        let (preprocessing, whole) = (self.preprocessing.clone(), self.preprocessing.whole());
        let looks: Vec<_> = photos.iter().flat_map(|p| view.scales.iter().map(move |&scale| (p, scale))).collect();
        if looks.is_empty() {
            return Ok(Vec::new());
        }
        let shown = match photos {
            [photo] if self.crops_on_gpu && view.through.is_none() => Some((photo, view)),
            _ => None,
        };
        let fill = |n: usize, out: &mut [f32]| {
            let (photo, scale) = looks[n];
            let Some(pixels) = view.through else {
                return preprocessing.to_input(photo, size, scale, view.center, out);
            };
            let few = preprocessing.through(photo, size, scale, view.center, pixels)?;
            whole.to_input(&few, size, 1.0, [0.5, 0.5], out)
        };
        let mut results = self.run(size, looks.len(), &view.run, shown, &fill).await?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        for (result, (_, scale)) in results.iter_mut().zip(looks) {
            result.scale = scale;
            result.milliseconds = milliseconds;
        }
        Ok(results)
    }

    /// [`Session::analyze_tensor_with`] without options.
    ///
    /// # Errors
    /// As there.
    pub async fn analyze_tensor(&mut self, data: &[f32], shape: [usize; 4]) -> Result<Vec<Analysis>> {
        self.analyze_tensor_with(data, shape, &RunOptions::default()).await
    }

    /// Runs a ready input `[N, 3, H, W]`; one result per item, with scale 1.
    ///
    /// # Errors
    /// `bad-option` if the shape does not fit the data or the network, a value is not finite or the options do not fit
    /// the network; `device-lost` if the GPU went away.
    pub async fn analyze_tensor_with(
        &mut self,
        data: &[f32],
        shape: [usize; 4],
        run: &RunOptions,
    ) -> Result<Vec<Analysis>> {
        let start = Instant::now();
        check_run(run, &self.network)?;
        let size = self.check_tensor(data, shape)?;
        let item = data.len() / shape[0];
        let fill = |n: usize, out: &mut [f32]| {
            interleave(&data[n * item..][..item], out);
            Ok(())
        };
        let mut results = self.run(size, shape[0], run, None, &fill).await?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        results.iter_mut().for_each(|r| r.milliseconds = milliseconds);
        Ok(results)
    }
}
