//! Constants of a step, as they stay in memory.

use crate::cpu::gemm;
use crate::weights::WeightPrecision;
use bytemuck::{AnyBitPattern, NoUninit};
use half::f16;

/// Packed constant data of a step, as both backends read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Packed {
    /// Weights that may be kept as f16: at most one constant of a step, in whole quads.
    Weights(Vec<f32>),
    /// Such weights as f16, all finite.
    Halves(Vec<f16>),
    /// What is small and always f32: biases, depthwise kernels, the layers of attention.
    F32(Vec<f32>),
    /// Tables.
    U32(Vec<u32>),
}

impl Packed {
    /// The bytes to upload.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Weights(v) | Self::F32(v) => bytemuck::cast_slice(v),
            Self::Halves(v) => bytemuck::cast_slice(v),
            Self::U32(v) => bytemuck::cast_slice(v),
        }
    }

    /// Weights in f16.
    pub fn halves(&self) -> Option<&[f16]> {
        match self {
            Self::Halves(v) => Some(v),
            _ => None,
        }
    }

    /// [`gemm::arrange`] of weights, the rows that are used first, the others anywhere behind them.
    pub fn arrange(&mut self, used: &[bool], columns: usize) {
        match self {
            Self::Weights(values) | Self::F32(values) => arrange(values, used, columns),
            Self::Halves(values) => arrange(values, used, columns),
            Self::U32(_) => {}
        }
    }

    /// The constant as it is kept in memory. Weights that f16 cannot hold stay f32.
    pub fn kept(self, precision: WeightPrecision) -> Self {
        match self {
            Self::Weights(weights) if precision == WeightPrecision::F16 => {
                let halves: Vec<f16> = weights.iter().map(|&v| f16::from_f32(v)).collect();
                if halves.iter().all(|v| v.is_finite()) { Self::Halves(halves) } else { Self::Weights(weights) }
            }
            other => other,
        }
    }
}

fn arrange<T: NoUninit + AnyBitPattern>(values: &mut [T], used: &[bool], columns: usize) {
    for (row, (lane, _)) in used.iter().enumerate().filter(|(_, used)| **used).enumerate() {
        values.copy_within(lane * columns..(lane + 1) * columns, row * columns);
    }
    gemm::arrange(bytemuck::cast_slice_mut(values), used.len(), columns, size_of::<T>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;
    use crate::plan::{Plan, PlanOptions};
    use crate::weights::generated::parameters;

    #[test]
    fn only_weights_that_fit_are_kept_as_halves() {
        let kept = |packed: Packed| packed.kept(WeightPrecision::F16);
        let third = f16::from_f32(1.0 / 3.0);
        assert_eq!(kept(Packed::Weights(vec![1.0 / 3.0; 4])), Packed::Halves(vec![third; 4]));
        for large in [Packed::Weights(vec![1.0, -7e4]), Packed::F32(vec![0.1]), Packed::U32(vec![1])] {
            assert_eq!(kept(large.clone()), large);
        }
        let weights = Packed::Weights(vec![0.1; 8]);
        assert_eq!(weights.clone().kept(WeightPrecision::F32), weights);
        assert_eq!(kept(weights.clone()).bytes().len() * 2, weights.bytes().len());
    }

    #[test]
    fn constants_reserve_what_they_hold() {
        for name in ["skresnet18", "sk_shufflenet_v2_x0_5"] {
            let graph = preset(name).unwrap().graph([64, 64], 10).unwrap();
            let parameters = parameters(&graph);
            let plan = Plan::new(&graph, &PlanOptions::batch(1)).unwrap();
            for step in &plan.steps {
                for constant in step.pack(&plan.views, &parameters).unwrap() {
                    if let Packed::Weights(values) | Packed::F32(values) = constant {
                        assert_eq!(values.capacity(), values.len(), "{name}: {:?}", step.parameters());
                    }
                }
            }
        }
    }
}
