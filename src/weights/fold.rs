//! Batch norm folded into a scale and a shift per channel.

use super::Parameters;
use crate::graph::BatchNorm;
use crate::{Error, Result};

/// Bias and batch norm behind a convolution or fully connected layer; both may be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedNorm {
    /// Output channels.
    pub channels: usize,
    /// Name of the bias.
    pub bias: Option<String>,
    /// The batch norm.
    pub norm: Option<BatchNorm>,
}

impl FoldedNorm {
    /// Names of the weights that [`FoldedNorm::fold`] reads.
    pub fn parameters(&self) -> Vec<String> {
        let norm = self.norm.iter().flat_map(|bn| {
            ["weight", "bias", "running_mean", "running_var"].map(|suffix| format!("{}.{suffix}", bn.prefix))
        });
        self.bias.iter().cloned().chain(norm).collect()
    }

    /// Scale and shift per channel such that `scale · x + shift` is batch norm of `x + bias`.
    ///
    /// # Errors
    /// `bad-weights` if a parameter is missing, or a variance is so negative or small that the scale is not finite.
    pub fn fold(&self, parameters: &Parameters) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut scale = vec![1.0_f64; self.channels];
        let mut shift = vec![0.0_f64; self.channels];
        if let Some(bias) = &self.bias {
            shift.iter_mut().zip(parameters.get(bias)?).for_each(|(s, &b)| *s = f64::from(b));
        }
        if let Some(bn) = &self.norm {
            let get = |suffix: &str| parameters.get(&format!("{}.{suffix}", bn.prefix));
            let (weight, bias, mean, var) = (get("weight")?, get("bias")?, get("running_mean")?, get("running_var")?);
            for c in 0..self.channels {
                scale[c] = f64::from(weight[c]) / (f64::from(var[c]) + f64::from(bn.epsilon)).sqrt();
                shift[c] = f64::from(bias[c]) + scale[c] * (shift[c] - f64::from(mean[c]));
            }
        }
        let round = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<_>>();
        let (scale, shift) = (round(scale), round(shift));
        if let (Some(c), Some(bn)) = (scale.iter().zip(&shift).position(|(a, b)| !(a + b).is_finite()), &self.norm) {
            return Err(Error::bad_weights(format!(
                "{}: channel {c} scales by {} and shifts by {}; its running_var must not be negative",
                bn.prefix, scale[c], shift[c]
            )));
        }
        Ok((scale, shift))
    }
}
