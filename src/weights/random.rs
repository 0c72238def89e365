//! Files of random weights, for networks of which nobody trained any.

use super::generated::fill;
use super::safetensors::header;
use crate::Result;
use crate::graph::Graph;
use safetensors::Dtype;
use std::collections::HashMap;

/// What the metadata `weights` of such a file says.
pub const RANDOM: &str = "random";

/// The parts of a safetensors file with [generated](super::generated) weights for `graph`, to be written one after the
/// other: the header, then each tensor as f32. Its metadata `weights` is [`RANDOM`].
///
/// # Errors
/// `bad-weights` if the header cannot be written.
pub fn random_file(graph: &Graph) -> Result<impl Iterator<Item = Vec<u8>>> {
    let parameters = graph.parameters();
    let metadata = HashMap::from([("weights".to_owned(), RANDOM.to_owned())]);
    let first = header(Dtype::F32, parameters.iter().map(|p| (p.name.clone(), p.shape.clone())), metadata)?;
    let tensors =
        parameters.into_iter().map(|p| fill(&p.name, &p.shape).into_iter().flat_map(f32::to_le_bytes).collect());
    Ok(std::iter::once(first).chain(tensors))
}
