//! An open network: weights on a backend, plans made as they are needed.

mod placement;
mod prepared;
mod receptive_field;

use crate::analysis::{self, Analysis, TensorValues};
use crate::backend::{Backend, Constants, Runner, Values};
use crate::graph::{Branch, Graph};
use crate::image::{Preprocessing, WorkingImage, check_center, check_scale, check_size, check_through};
use crate::network::{Accuracy, Network, Paper, preset};
use crate::overrides::RunOptions;
use crate::plan::{LANES, Packing, Plan, PlanOptions};
use crate::weights::{Checkpoint, Source, WeightPrecision};
use crate::{Error, Result};
use placement::{Placed, load, place};
use prepared::{Prepared, RunnerKey, bring_forward};
pub use receptive_field::FieldRequest;
use receptive_field::{Gradient, GradientKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use web_time::Instant;

/// Plans kept ready; the least recently used goes first.
const KEPT_PLANS: usize = 4;
/// Sets of packed weights kept besides that of plain runs, for plans that retain tensors which fusions hide.
const KEPT_CONSTANTS: usize = 1;
const TOP: usize = 5;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OpenOptions {
    /// The backend.
    pub backend: BackendChoice,
    /// The weights in memory.
    pub precision: WeightPrecision,
}

impl From<BackendChoice> for OpenOptions {
    fn from(backend: BackendChoice) -> Self {
        Self { backend, ..Self::default() }
    }
}

/// One branch of a unit, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BranchInfo {
    /// Kernel width.
    pub kernel: usize,
    /// Dilation.
    pub dilation: usize,
    /// Groups.
    pub groups: usize,
    /// Effective kernel width.
    pub size: usize,
}

impl From<&Branch> for BranchInfo {
    fn from(b: &Branch) -> Self {
        Self { kernel: b.kernel, dilation: b.dilation, groups: b.groups, size: b.size() }
    }
}

/// One SK unit, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitInfo {
    /// The paper's name.
    pub name: String,
    /// Module path.
    pub path: String,
    /// Channels per branch.
    pub channels: usize,
    /// The branches.
    pub branches: Vec<BranchInfo>,
}

/// The SK units of a graph, for people.
pub fn unit_infos(graph: &Graph) -> Vec<UnitInfo> {
    let info = |u: &crate::graph::SkUnit| UnitInfo {
        name: u.name.clone(),
        path: u.path.clone(),
        channels: u.channels,
        branches: u.branches.iter().map(BranchInfo::from).collect(),
    };
    graph.units.iter().map(info).collect()
}

/// A network with its figures at its input size and number of classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Preset name.
    pub name: String,
    /// Other names of the same network.
    pub aliases: Vec<String>,
    /// Learned parameters.
    pub params: u64,
    /// Multiply-adds of convolutions and fully connected layers.
    pub macs: u64,
    /// Multiply-adds of Select, which the paper counts as well.
    pub select_macs: u64,
    /// `[height, width]`.
    pub input_size: [usize; 2],
    /// Number of classes of its data set.
    pub classes: usize,
    /// What the paper reports.
    pub paper: Option<Paper>,
    /// How well published weights do.
    pub accuracy: Option<Accuracy>,
    /// SK units in order of depth.
    pub units: Vec<UnitInfo>,
}

impl ModelInfo {
    /// The figures of `network`.
    ///
    /// # Errors
    /// If it does not build.
    pub fn of(network: Network) -> Result<Self> {
        let input_size = network.preprocessing.input_size;
        let graph = network.graph(input_size, network.classes)?;
        Ok(Self {
            name: network.name,
            aliases: network.aliases,
            params: graph.parameter_count(),
            macs: graph.macs(),
            select_macs: graph.select_macs(),
            input_size,
            classes: network.classes,
            paper: network.paper,
            accuracy: network.accuracy,
            units: unit_infos(&graph),
        })
    }
}

/// All presets and ablations with their figures.
///
/// # Errors
/// If a preset does not build: a fault of the description.
pub fn models() -> Result<Vec<ModelInfo>> {
    crate::network::presets().into_iter().chain(crate::network::ablations()).map(ModelInfo::of).collect()
}

/// What a session runs, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Preset name.
    pub model: String,
    /// `gpu` or `cpu`.
    pub backend: &'static str,
    /// The adapter's name, or what the CPU code uses.
    pub adapter: String,
    /// Why this backend runs, a sentence.
    pub reason: String,
    /// Learned parameters of the loaded file's network.
    pub params: u64,
    /// Multiply-adds at the default input size.
    pub macs: u64,
    /// SK units in order of depth.
    pub units: Vec<UnitInfo>,
    /// Default input `[height, width]`.
    pub input_size: [usize; 2],
    /// Share of the photo's shorter side that is shown at zoom 1.
    pub crop_pct: f64,
    /// Number of classes.
    pub classes: usize,
    /// GPU dispatches of the last run.
    pub dispatches: usize,
    /// How the weights are kept in memory.
    pub weight_precision: WeightPrecision,
    /// Bytes of the packed weights of plain runs.
    pub weight_bytes: u64,
    /// The weights file's metadata.
    pub metadata: HashMap<String, String>,
}

/// Progress of opening a session: steps done, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Steps of the plan whose weights are packed.
    pub done: usize,
    /// All steps.
    pub total: usize,
}

/// How to look at a photo.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct View {
    /// Zooms, each 1 to 8; one result each, in this order.
    pub scales: Vec<f64>,
    /// Where the box is centred, as fractions of the upright photo: x right, y down.
    pub center: [f64; 2],
    /// Input `[height, width]`; the model's default if absent.
    pub size: Option<[usize; 2]>,
    /// Pixels of the shorter side that every view goes through first, so that all zooms are as blurred; none if absent.
    pub through: Option<usize>,
    /// Overrides of attention, and tensors to return.
    #[serde(flatten)]
    pub run: RunOptions,
}

impl Default for View {
    fn default() -> Self {
        Self { scales: vec![1.0], center: [0.5, 0.5], size: None, through: None, run: RunOptions::default() }
    }
}

impl View {
    /// Refuses what no photo can satisfy with `network`.
    ///
    /// # Errors
    /// `bad-option` that names the value.
    pub fn check(&self, network: &Network) -> Result<()> {
        if self.scales.is_empty() {
            return Err(Error::bad_option("scales is empty; give at least one zoom from 1 to 8"));
        }
        self.scales.iter().try_for_each(|&scale| check_scale(scale))?;
        check_center(self.center)?;
        self.through.map_or(Ok(()), check_through)?;
        self.size.map_or(Ok(()), |size| check_size(size, network.sides()))?;
        check_run(&self.run, network)
    }
}

/// Refuses what does not fit `network`; neither units nor names of tensors depend on size or classes.
fn check_run(run: &RunOptions, network: &Network) -> Result<()> {
    if *run == RunOptions::default() {
        return Ok(());
    }
    run.check(&network.graph(network.preprocessing.input_size, network.classes)?)
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
        let Placed { backend, reason, constants } = place(options, &plan, &checkpoint, &mut progress).await?;
        Ok(Self {
            network,
            preprocessing,
            classes,
            labels,
            checkpoint,
            backend,
            reason,
            precision: options.precision,
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
        let fill = |n: usize, out: &mut [f32]| {
            let (photo, scale) = looks[n];
            let Some(pixels) = view.through else {
                return preprocessing.to_input(photo, size, scale, view.center, out);
            };
            let few = preprocessing.through(photo, size, scale, view.center, pixels)?;
            whole.to_input(&few, size, 1.0, [0.5, 0.5], out)
        };
        let mut results = self.run(size, looks.len(), &view.run, fill).await?;
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
        let mut results = self.run(size, shape[0], run, fill).await?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        results.iter_mut().for_each(|r| r.milliseconds = milliseconds);
        Ok(results)
    }

    /// The size of a ready input `[N, 3, H, W]`.
    fn check_tensor(&self, data: &[f32], shape: [usize; 4]) -> Result<[usize; 2]> {
        let [batch, channels, height, width] = shape;
        let size = [height, width];
        check_size(size, self.network.sides())?;
        let expected = batch.checked_mul(3 * height * width);
        if batch == 0 || channels != 3 || expected != Some(data.len()) {
            return Err(Error::bad_option(format!(
                "the tensor has shape {shape:?} and {} values; it must be [n, 3, h, w] with n at least 1 and that many values",
                data.len()
            )));
        }
        match data.iter().position(|v| !v.is_finite()) {
            Some(at) => {
                Err(Error::bad_option(format!("value {at} of the tensor is {}; values must be finite", data[at])))
            }
            None => Ok(size),
        }
    }

    /// Runs `batch` inputs of `[H, W, 4]`, in as many batches as the backend's limits need; `fill(n, input)` writes the
    /// `n`th, which holds an earlier one before.
    async fn run(
        &mut self,
        size: [usize; 2],
        batch: usize,
        run: &RunOptions,
        fill: impl Fn(usize, &mut [f32]) -> Result<()>,
    ) -> Result<Vec<Analysis>> {
        let retain = match run.tensors.is_empty() {
            true => Vec::new(),
            false => run.retain(&self.network.graph(size, self.classes)?),
        };
        let most = self.max_batch(size, &retain)?.min(batch);
        let item = size[0] * size[1] * LANES;
        let mut input = vec![0.0; most * item];
        let mut results = Vec::new();
        for start in (0..batch).step_by(most) {
            let count = most.min(batch - start);
            let input = &mut input[..count * item];
            for (n, out) in input.chunks_exact_mut(item).enumerate() {
                fill(start + n, out)?;
            }
            let options = PlanOptions { retain: retain.clone(), ..PlanOptions::batch(count) };
            results.extend(self.run_batch(input, RunnerKey { size, options }, run).await?);
        }
        Ok(results)
    }

    /// The largest batch of inputs of `size` for plans that retain `retain`.
    fn max_batch(&mut self, size: [usize; 2], retain: &[String]) -> Result<usize> {
        let key = (size, retain.to_vec());
        if let Some(&batch) = self.max_batches.get(&key) {
            return Ok(batch);
        }
        let options = PlanOptions { retain: retain.to_vec(), ..PlanOptions::batch(1) };
        let batch = self.backend.max_batch(&Plan::new(&self.network.graph(size, self.classes)?, &options)?)?;
        self.max_batches.insert(key, batch);
        Ok(batch)
    }

    async fn run_batch(&mut self, input: &[f32], key: RunnerKey, run: &RunOptions) -> Result<Vec<Analysis>> {
        self.prepare(key).await?;
        let (_, prepared) = &mut self.runners[0];
        let picture = prepared.graph.input;
        let values = prepared.run(|runner| runner.write(picture, input), run).await?;
        let (_, Prepared { graph, runner, .. }) = &self.runners[0];
        self.dispatches = runner.dispatches();
        self.read(graph, &runner.plan, &values, &run.tensors)
    }

    /// Moves the runner for `key` to the front, making it if needed.
    async fn prepare(&mut self, key: RunnerKey) -> Result<()> {
        if bring_forward(&mut self.runners, &key) {
            return Ok(());
        }
        let graph = self.network.graph(key.size, self.classes)?;
        let plan = Plan::new(&graph, &key.options)?;
        self.runners.truncate(KEPT_PLANS - 1);
        let constants = self.constants_of(&plan).await?;
        let runner = Runner::new(&self.backend, plan, constants).await?;
        self.runners.push_front((key, Prepared::new(graph, runner)));
        Ok(())
    }

    /// The packed weights of `plan`, read again from the file if no plan like it ran lately.
    async fn constants_of(&mut self, plan: &Plan) -> Result<Rc<Constants>> {
        let packing = plan.packing();
        if let Some((_, constants)) = self.constants.iter().find(|(p, _)| *p == packing) {
            return Ok(constants.clone());
        }
        self.constants.truncate(KEPT_CONSTANTS);
        let constants = Rc::new(load(&self.backend, self.precision, plan, &self.checkpoint, &mut |_| ()).await?);
        self.constants.push((packing, constants.clone()));
        Ok(constants)
    }

    fn read(&self, graph: &Graph, plan: &Plan, values: &Values, tensors: &[String]) -> Result<Vec<Analysis>> {
        let logits = values.tensor(plan, graph.output)?;
        if let Some(bad) = logits.iter().find(|v| !v.is_finite()) {
            return Err(Error::bad_weights(format!(
                "the network computed {bad}: the weights or the input overflow f32"
            )));
        }
        let mut attention = Vec::new();
        for unit in &graph.units {
            attention.push(values.tensor(plan, unit.attention)?);
        }
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_else(|| format!("class {index}"));
        let result = |(n, logits): (usize, &[f32])| {
            let of_item = |all: &Vec<f32>| all.chunks(all.len() / plan.batch).nth(n).unwrap_or_default().to_vec();
            let units = analysis::units(graph, attention.iter().map(of_item).collect());
            let (top, tensors) = (analysis::top(logits, TOP, label), BTreeMap::new());
            Analysis { scale: 1.0, top, logits: logits.to_vec(), units, tensors, milliseconds: 0.0 }
        };
        let mut results: Vec<_> = logits.chunks(self.classes).enumerate().map(result).collect();
        for (name, id) in tensors.iter().filter_map(|name| Some((name, graph.find(name)?))) {
            let (shape, all) = (graph.tensor(id).shape, values.tensor(plan, id)?);
            for (result, data) in results.iter_mut().zip(all.chunks(shape.iter().product())) {
                result.tensors.insert(name.clone(), TensorValues { shape, data: data.to_vec() });
            }
        }
        Ok(results)
    }
}

/// From `[3, H, W]` to `[H, W, 4]`; the fourth lane stays as it is.
fn interleave(item: &[f32], out: &mut [f32]) {
    let positions = item.len() / 3;
    for (p, quad) in out.chunks_exact_mut(LANES).enumerate() {
        (0..3).for_each(|c| quad[c] = item[c * positions + p]);
    }
}

fn preprocessing_of(network: &Network, checkpoint: &Checkpoint) -> Result<Preprocessing> {
    let mut preprocessing = network.preprocessing.clone();
    let metadata = |key: &str| checkpoint.metadata.get(key);
    let bad =
        |key: &str, text: &str| Error::bad_weights(format!("metadata {key} is {text:?}, which is not understood"));
    let triple = |key: &str| -> Result<Option<[f32; 3]>> {
        let Some(text) = metadata(key) else { return Ok(None) };
        let values: Option<Vec<f32>> = text.split(',').map(|v| v.trim().parse().ok()).collect();
        let values: [f32; 3] = values.and_then(|v| v.try_into().ok()).ok_or_else(|| bad(key, text))?;
        let fits = values.iter().all(|v| v.is_finite() && (key == "mean" || *v > 0.0));
        if fits { Ok(Some(values)) } else { Err(bad(key, text)) }
    };
    preprocessing.mean = triple("mean")?.unwrap_or(preprocessing.mean);
    preprocessing.std = triple("std")?.unwrap_or(preprocessing.std);
    if let Some(text) = metadata("input_size") {
        let side: usize = text.trim().parse().map_err(|_| bad("input_size", text))?;
        check_size([side, side], network.sides()).map_err(|_| bad("input_size", text))?;
        preprocessing.input_size = [side, side];
    }
    if let Some(text) = metadata("crop_pct") {
        let value: f64 = text.trim().parse().map_err(|_| bad("crop_pct", text))?;
        preprocessing.crop_pct = if value > 0.0 && value <= 1.0 { value } else { return Err(bad("crop_pct", text)) };
    }
    if let Some(text) = metadata("interpolation") {
        preprocessing.interpolation = text.parse().map_err(|_| bad("interpolation", text))?;
    }
    Ok(preprocessing)
}

/// Class names from metadata `labels`, a JSON array of strings; none if the file has none.
fn labels_of(checkpoint: &Checkpoint, classes: usize) -> Result<Vec<String>> {
    let Some(text) = checkpoint.metadata.get("labels") else { return Ok(Vec::new()) };
    let labels: Vec<String> = serde_json::from_str(text)
        .map_err(|e| Error::bad_weights(format!("metadata labels is not a JSON array of strings: {e}")))?;
    if labels.len() != classes {
        return Err(Error::bad_weights(format!("metadata labels names {} classes of {classes}", labels.len())));
    }
    Ok(labels)
}
