//! Weights files made of generated weights.

use safetensors::tensor::{Dtype, TensorView};
use sklens::graph::Graph;
use sklens::weights::Source;
use sklens::weights::generated::fill;
use std::collections::HashMap;

/// A safetensors file with the weights of `graph`; the tensor called `name` gets the generated values of `edit(name)`.
pub fn generated_checkpoint(graph: &Graph, edit: impl Fn(&str) -> String) -> Source {
    let tensors: HashMap<String, (Vec<usize>, Vec<u8>)> = graph
        .parameters()
        .into_iter()
        .map(|p| {
            let bytes = fill(&edit(&p.name), &p.shape).into_iter().flat_map(f32::to_le_bytes).collect();
            (p.name, (p.shape, bytes))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("view")));
    Source::Bytes(safetensors::serialize(views, None).expect("serialise").into())
}
