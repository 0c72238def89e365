//! Which network a file's tensors belong to.

use super::{Checkpoint, Format};
use crate::network::{Network, ablations, preset, presets};
use crate::{Error, Result};
use serde::Serialize;

/// What the names and shapes of a file's tensors tell.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recognition {
    /// The network to take: the only one that fits, or the most probable of those that do.
    #[serde(rename = "recognised")]
    pub network: Option<String>,
    /// Every network that fits. They differ in what weights do not show: dilation, padding, preprocessing.
    pub candidates: Vec<String>,
    /// The network with the fewest mismatches.
    pub closest: String,
    /// How the file differs from it, a line per tensor; empty where it fits.
    pub mismatches: Vec<String>,
}

impl Recognition {
    /// The network to take.
    ///
    /// # Errors
    /// `bad-weights` if none fits, with every difference from the closest.
    pub fn chosen(&self) -> Result<Network> {
        let Self { network, closest, mismatches, .. } = self;
        let Some(name) = network else {
            return Err(Error::bad_weights(format!(
                "the weights fit no network known here; {closest} is the closest, {} tensors differ:\n{}",
                mismatches.len(),
                mismatches.join("\n")
            )));
        };
        preset(name)
    }
}

/// Compares `checkpoint` with every network, at its own number of classes.
///
/// # Errors
/// If a description does not build: a fault of the description.
pub fn recognise(checkpoint: &Checkpoint) -> Result<Recognition> {
    let mut candidates = Vec::new();
    let mut closest: Option<(String, Vec<String>)> = None;
    for network in presets().into_iter().chain(ablations()) {
        let mismatches = compare(checkpoint, &network)?;
        if mismatches.is_empty() {
            candidates.push(network.name.clone());
        }
        if closest.as_ref().is_none_or(|(_, fewest)| mismatches.len() < fewest.len()) {
            closest = Some((network.name, mismatches));
        }
    }
    let (closest, mismatches) = closest.unwrap_or_default();
    let network = preferred(checkpoint, &candidates);
    Ok(Recognition { network, candidates, closest, mismatches })
}

/// The network that `checkpoint` is recognised as.
///
/// # Errors
/// `bad-weights` if none fits, with every difference from the closest.
pub fn recognised(checkpoint: &Checkpoint) -> Result<Network> {
    recognise(checkpoint)?.chosen()
}

/// How `checkpoint` differs from what `network` reads, a line per tensor.
///
/// # Errors
/// If the description does not build.
pub fn compare(checkpoint: &Checkpoint, network: &Network) -> Result<Vec<String>> {
    let network = Network { folded: checkpoint.is_folded(), ..network.clone() };
    let graph = network.graph(network.preprocessing.input_size, checkpoint.classes().unwrap_or(network.classes))?;
    Ok(checkpoint.mismatches(&graph.parameters()))
}

/// The network that the file names itself, the authors' form for Caffe, else the first that is not the authors' form.
fn preferred(checkpoint: &Checkpoint, candidates: &[String]) -> Option<String> {
    let named = checkpoint.metadata.get("model").and_then(|name| preset(name).ok()).map(|network| network.name);
    if named.as_ref().is_some_and(|name| candidates.contains(name)) {
        return named;
    }
    let caffe = checkpoint.format == Format::Caffe;
    let fitting = candidates.iter().find(|name| name.ends_with("_caffe") == caffe);
    fitting.or(candidates.first()).cloned()
}
