//! What networks and sessions are, for people and programs.

use crate::Result;
use crate::graph::{Branch, Graph, SkUnit};
use crate::network::{Accuracy, Network, Paper};
use crate::weights::WeightPrecision;
use serde::Serialize;
use std::collections::HashMap;

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
    let info = |u: &SkUnit| UnitInfo {
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
    /// GPU dispatches of the last run, without the two that crop and resize a photo.
    pub dispatches: usize,
    /// Shapes whose variant of a kernel a measurement chose, see [`super::Session::tune`].
    pub tuned: usize,
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
