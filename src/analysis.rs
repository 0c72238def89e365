//! From raw logits and attention to what people read: top classes and branch preferences.

use crate::graph::{FieldSizes, Graph, SkUnit};
use serde::Serialize;
use std::collections::BTreeMap;

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Plain name.
    pub label: String,
    /// Index of the logit.
    pub index: usize,
    /// Softmax over all classes.
    pub probability: f32,
}

/// What one SK unit did with one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitAttention {
    /// The paper's name, `SK_3_4`.
    pub name: String,
    /// Module path.
    pub path: String,
    /// The attention that Select used, branch-major `[M·C]`; sums to 1 over branches unless it was overridden.
    pub attention: Vec<f32>,
    /// Mean over channels of the largest minus the smallest kernel's attention (paper, section 4.4); none for M = 1.
    pub mean_difference: Option<f32>,
    /// Mean over channels of Σ aₘ·sizeₘ, in input pixels of the unit.
    pub expected_kernel: f32,
    /// Theoretical receptive field of the unit's output, in pixels of the network's input.
    pub receptive_field: FieldSizes,
}

/// The values of one tensor of the graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorValues {
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// `C·H·W` values, row-major.
    pub data: Vec<f32>,
}

/// The result for one picture at one zoom.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Zoom, the paper's enlargement.
    pub scale: f64,
    /// The five most probable classes.
    pub top: Vec<Prediction>,
    /// One per class.
    pub logits: Vec<f32>,
    /// One per SK unit, in order of depth; empty for networks without.
    pub units: Vec<UnitAttention>,
    /// The tensors that were asked for, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tensors: BTreeMap<String, TensorValues>,
    /// Duration of the call that made it.
    pub milliseconds: f64,
}

/// The `count` most probable classes; `label` names a class.
pub fn top(logits: &[f32], count: usize, label: impl Fn(usize) -> String) -> Vec<Prediction> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - max).exp()).sum();
    let mut order = Vec::new();
    for _ in 0..count.min(logits.len()) {
        // Of equals the first, as a stable sort would have it.
        let left = (0..logits.len()).rev().filter(|index| !order.contains(index));
        let best = left.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        order.extend(best);
    }
    let predict = |index: usize| Prediction {
        label: label(index),
        index,
        probability: (f64::from(logits[index] - max).exp() / sum) as f32,
    };
    order.into_iter().map(predict).collect()
}

/// Summaries of the attention `[M·C]` of each unit of `graph`.
pub fn units(graph: &Graph, attention: Vec<Vec<f32>>) -> Vec<UnitAttention> {
    let shares: Vec<_> = graph.units.iter().zip(&attention).map(|(unit, a)| branch_means(unit, a)).collect();
    let fields = graph.field_sizes(&shares);
    let summaries = graph.units.iter().zip(attention).zip(shares).zip(fields);
    summaries.map(|(((unit, attention), means), field)| summary(unit, attention, &means, field)).collect()
}

/// Mean over channels, per branch.
pub(crate) fn branch_means(unit: &SkUnit, attention: &[f32]) -> Vec<f64> {
    let mean = |branch: &[f32]| branch.iter().map(|&a| f64::from(a)).sum::<f64>() / unit.channels as f64;
    attention.chunks(unit.channels).map(mean).collect()
}

fn summary(unit: &SkUnit, attention: Vec<f32>, means: &[f64], receptive_field: FieldSizes) -> UnitAttention {
    let mean_difference = (means.len() > 1).then(|| (means[unit.largest()] - means[unit.smallest()]) as f32);
    let sizes = unit.branches.iter().map(|b| b.size() as f64);
    let expected_kernel = means.iter().zip(sizes).map(|(mean, size)| mean * size).sum::<f64>() as f32;
    let (name, path) = (unit.name.clone(), unit.path.clone());
    UnitAttention { name, path, attention, mean_difference, expected_kernel, receptive_field }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;

    #[test]
    fn top_sorts_and_normalises() {
        let top = top(&[0.0, 2.0, 1.0], 2, |i| format!("class {i}"));
        assert_eq!(top.iter().map(|p| p.index).collect::<Vec<_>>(), [1, 2]);
        let e = std::f64::consts::E;
        assert!((f64::from(top[0].probability) - e * e / (1.0 + e + e * e)).abs() < 1e-6);
        assert_eq!(top[1].label, "class 2");
    }

    #[test]
    fn difference_is_twice_the_mean_of_the_larger_kernel_minus_one() {
        let graph = preset("sk_shufflenet_v2_x0_5").unwrap().graph([64, 64], 10).unwrap();
        let channels = graph.units[0].channels;
        let larger: Vec<f32> = (0..channels).map(|c| c as f32 / channels as f32).collect();
        let mean = larger.iter().sum::<f32>() / larger.len() as f32;
        let attention: Vec<f32> = larger.iter().map(|b| 1.0 - b).chain(larger.iter().copied()).collect();
        let even = |unit: &SkUnit| vec![0.5; 2 * unit.channels];
        let all = std::iter::once(attention).chain(graph.units[1..].iter().map(even)).collect();
        let result = &units(&graph, all)[0];
        assert!((result.mean_difference.unwrap() - (2.0 * mean - 1.0)).abs() < 1e-6);
        assert!((result.expected_kernel - (3.0 + 2.0 * mean)).abs() < 1e-6);
    }
}
