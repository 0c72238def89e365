//! Files of random weights, for networks of which nobody trained any.

use super::generated::fill;
use crate::graph::Graph;
use crate::{Error, Result};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
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
    let mut end = 0;
    let infos = parameters
        .iter()
        .map(|p| {
            let start = end;
            end += 4 * p.shape.iter().product::<usize>();
            (p.name.clone(), TensorInfo { dtype: Dtype::F32, shape: p.shape.clone(), data_offsets: (start, end) })
        })
        .collect();
    let failed = |e: &dyn std::fmt::Display| Error::bad_weights(format!("random weights cannot be written: {e}"));
    let metadata = HashMap::from([("weights".to_owned(), RANDOM.to_owned())]);
    let metadata = Metadata::new(Some(metadata), infos).map_err(|e| failed(&e))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| failed(&e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let first = [(header.len() as u64).to_le_bytes().to_vec(), header].concat();
    let tensors =
        parameters.into_iter().map(|p| fill(&p.name, &p.shape).into_iter().flat_map(f32::to_le_bytes).collect());
    Ok(std::iter::once(first).chain(tensors))
}
