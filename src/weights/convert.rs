//! Writing weights of any format as safetensors.

use super::checkpoint::{BATCH_NORM, FOLDED};
use super::safetensors::header;
use super::{Checkpoint, FoldedNorm, Parameters, names};
use crate::graph::{Conv2d, Graph, Linear, Node, Op, Parameter};
use crate::network::Network;
use crate::{Error, Result};
use half::f16;
use safetensors::Dtype;
use std::collections::HashMap;

/// How weights are written.
#[derive(Clone, Debug, Default)]
pub struct Conversion {
    /// Whether values are f16 in place of f32.
    pub half: bool,
    /// Whether a bias stands in place of the batch norm behind a layer. Needs a network.
    pub fold: bool,
    /// Whose weights they are, which the metadata `model` then tells; without it every floating-point tensor is written.
    pub network: Option<Network>,
}

impl Conversion {
    /// Hands the parts of a safetensors file with the weights of `checkpoint` to `write`: the header, then tensor by
    /// tensor.
    ///
    /// # Errors
    /// `bad-weights` if the weights do not fit the network, cannot be read, or hold what f16 cannot; `bad-option` if batch
    /// norms of no network are to be folded; those of `write`.
    pub async fn run(&self, checkpoint: &Checkpoint, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let targets = self.targets(checkpoint)?;
        let mut metadata = checkpoint.metadata.clone();
        if let Some(network) = &self.network {
            metadata.insert("model".into(), network.name.clone());
        }
        if self.fold {
            metadata.insert(BATCH_NORM.into(), FOLDED.into());
        }
        let dtype = if self.half { Dtype::F16 } else { Dtype::F32 };
        write(&header(dtype, targets.iter().map(|t| (t.name.clone(), t.shape.clone())), metadata)?)?;
        let mut reader = checkpoint.reader().await?;
        for target in &targets {
            let values = target.values(&reader.read(&target.reads()).await?)?;
            write(&encode(&target.name, &values, self.half)?)?;
        }
        Ok(())
    }

    fn targets(&self, checkpoint: &Checkpoint) -> Result<Vec<Target>> {
        let plain = |(name, shape)| Target { name, shape, made: Made::Read };
        let Some(network) = &self.network else {
            if self.fold {
                return Err(Error::bad_option("only the batch norms of a known network can be folded"));
            }
            let floats = checkpoint.tensors().iter().filter(|(_, entry)| entry.dtype.size().is_some());
            let weights = floats.filter(|(name, _)| !names::is_counter(name));
            return Ok(weights.map(|(name, entry)| plain((name.clone(), entry.shape.clone()))).collect());
        };
        let classes = checkpoint.classes().unwrap_or(network.classes);
        let graph = |folded| Network { folded, ..network.clone() }.graph(network.preprocessing.input_size, classes);
        let read = graph(checkpoint.is_folded())?;
        checkpoint.check(&network.name, &read.parameters())?;
        if !self.fold {
            return Ok(read.parameters().into_iter().map(|p| plain((p.name, p.shape))).collect());
        }
        let norms = norms(&read);
        let target = |p: Parameter| {
            let layer = p.name.rsplit_once('.').and_then(|(path, part)| Some((part, norms.get(path)?)));
            let made = match layer {
                Some(("weight", norm)) => Made::Scale(norm.clone()),
                Some((_, norm)) => Made::Shift(norm.clone()),
                None => Made::Read,
            };
            Target { name: p.name, shape: p.shape, made }
        };
        Ok(graph(true)?.parameters().into_iter().map(target).collect())
    }
}

/// A tensor to write.
struct Target {
    name: String,
    shape: Vec<usize>,
    made: Made,
}

/// What the values of a tensor are.
enum Made {
    /// Those of the tensor of the same name.
    Read,
    /// Those of the tensor of the same name, with each output channel scaled as by the batch norm.
    Scale(FoldedNorm),
    /// What the batch norm adds.
    Shift(FoldedNorm),
}

impl Target {
    fn reads(&self) -> Vec<String> {
        match &self.made {
            Made::Read => vec![self.name.clone()],
            Made::Scale(norm) => [vec![self.name.clone()], norm.parameters()].concat(),
            Made::Shift(norm) => norm.parameters(),
        }
    }

    fn values(&self, read: &Parameters) -> Result<Vec<f32>> {
        match &self.made {
            Made::Read => Ok(read.get(&self.name)?.to_vec()),
            Made::Scale(norm) => {
                let weight = read.get(&self.name)?;
                let (scale, _) = norm.fold(read)?;
                let fan_in = weight.len() / norm.channels;
                Ok(weight.iter().enumerate().map(|(i, value)| value * scale[i / fan_in]).collect())
            }
            Made::Shift(norm) => Ok(norm.fold(read)?.1),
        }
    }
}

/// The batch norms behind layers, with the layer's bias, by the layer's path.
fn norms(graph: &Graph) -> HashMap<&str, FoldedNorm> {
    let behind = |node: &Node| {
        let Op::BatchNorm(norm) = &node.op else { return None };
        let (Op::Conv2d(Conv2d { weight, bias, .. }) | Op::Linear(Linear { weight, bias, .. })) =
            &graph.producer(node.inputs[0])?.op
        else {
            return None;
        };
        let channels = graph.tensor(node.output).shape[0];
        let norm = FoldedNorm { channels, bias: bias.clone(), norm: Some(norm.clone()) };
        Some((weight.strip_suffix(".weight")?, norm))
    };
    graph.nodes.iter().filter_map(behind).collect()
}

/// Little-endian `values` of the tensor `name`.
fn encode(name: &str, values: &[f32], half: bool) -> Result<Vec<u8>> {
    if !half {
        return Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }
    let encoded = |&value: &f32| {
        let rounded = f16::from_f32(value);
        if rounded.is_finite() { Ok(rounded.to_le_bytes()) } else { Err(value) }
    };
    let bytes: Result<Vec<[u8; 2]>, f32> = values.iter().map(encoded).collect();
    bytes.map(|bytes| bytes.concat()).map_err(|value| {
        Error::bad_weights(format!("tensor {name} holds {value}; f16 ends at {}, so write f32", f16::MAX))
    })
}
