//! Softmax over the branches of an SK unit (paper, equation 5) and the override of its result.

use super::*;
use crate::plan::{LANES, quads};

pub(super) const SHADER: &Shader = shader!("branch_softmax");
const WORKGROUP: usize = 64;

/// Softmax over branches per channel and the override behind it, where no larger step does both.
#[derive(Clone, Debug)]
pub struct BranchSoftmax {
    /// M.
    pub branches: usize,
    /// `[M·C, 1, 1]`, branch-major: each branch starts a new quad.
    pub logits: TensorId,
    /// The softmax, laid out like the logits.
    pub softmax: TensorId,
    /// Values, then mask, `[2·M·C, 1, 1]`, laid out like the logits.
    pub override_input: Option<TensorId>,
    /// The softmax, overridden where the mask is set; present if `override_input` is.
    pub attention: Option<TensorId>,
}

impl BranchSoftmax {
    /// The override and its result.
    fn overriding(&self) -> Option<(TensorId, TensorId)> {
        self.override_input.zip(self.attention)
    }
}

impl Kernel for BranchSoftmax {
    fn family(&self) -> &'static str {
        "branch_softmax"
    }
    fn inputs(&self) -> Vec<TensorId> {
        std::iter::once(self.logits).chain(self.override_input).collect()
    }
    fn outputs(&self) -> Vec<TensorId> {
        std::iter::once(self.softmax).chain(self.attention).collect()
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for tensor in std::iter::once(&mut self.logits).chain(&mut self.override_input).filter(|t| **t == from) {
            *tensor = to;
        }
    }
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    /// One dispatch for the softmax, another for the overridden one.
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let x = views.of(self.logits);
        let channels = x.channels() / self.branches;
        let dispatch = |overrides: Option<TensorId>, output: TensorId| {
            let y = views.of(output);
            let mut constants = vec![
                ("BRANCHES", self.branches as f64),
                ("CHANNELS", channels as f64),
                ("OVERRIDE", f64::from(overrides.is_some())),
            ];
            constants.extend(view_constants(["X_ITEM", "X_BASE", ""], x).into_iter().take(2));
            constants.extend(view_constants(["Y_ITEM", "Y_BASE", ""], y).into_iter().take(2));
            let mut bindings = vec![Operand::Read(x.storage), Operand::Unused, Operand::Write(y.storage)];
            if let Some(o) = overrides.map(|o| views.of(o)) {
                constants.extend(view_constants(["O_ITEM", "O_BASE", ""], o).into_iter().take(2));
                bindings[1] = Operand::Read(o.storage);
            }
            let workgroups = [quads(channels).div_ceil(WORKGROUP) as u32, 1, lowering.batch as u32];
            Dispatch { shader: SHADER, constants, bindings, workgroups }
        };
        let overridden = self.overriding().map(|(overrides, attention)| dispatch(Some(overrides), attention));
        std::iter::once(dispatch(None, self.softmax)).chain(overridden).collect()
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.logits), context.view(self.softmax));
        let channels = x.channels() / self.branches;
        let width = x.quads() * LANES;
        context.write(self.softmax, |context, out| {
            for n in 0..context.batch {
                let logits = &context.read(self.logits)[x.offset(n, 0, 0)..][..width];
                softmax(logits, channels, &mut out[y.offset(n, 0, 0)..][..width]);
            }
        });
        let Some((overrides, attention)) = self.overriding() else { return };
        let (o, a) = (context.view(overrides), context.view(attention));
        context.write(attention, |context, out| {
            for n in 0..context.batch {
                let softmax = &context.read(self.softmax)[y.offset(n, 0, 0)..][..width];
                let overrides = &context.read(overrides)[o.offset(n, 0, 0)..][..2 * width];
                override_attention(softmax, overrides, &mut out[a.offset(n, 0, 0)..][..width]);
            }
        });
    }
}

/// Softmax over branches: `[M][quads(C) · 4]` to the same, padding lanes zero.
pub(super) fn softmax(logits: &[f32], channels: usize, result: &mut [f32]) {
    let width = quads(channels) * LANES;
    result.fill(0.0);
    for c in 0..channels {
        let of_channel = || logits[c..].iter().step_by(width);
        let largest = of_channel().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = of_channel().map(|v| (v - largest).exp()).sum();
        for (r, v) in result[c..].iter_mut().step_by(width).zip(of_channel()) {
            *r = (v - largest).exp() / sum;
        }
    }
}

/// The softmax, or where the mask (second half of `overrides`) is not zero the value (first half).
pub(super) fn override_attention(softmax: &[f32], overrides: &[f32], attention: &mut [f32]) {
    let (values, mask) = overrides.split_at(softmax.len());
    for (((a, &s), &value), &mask) in attention.iter_mut().zip(softmax).zip(values).zip(mask) {
        *a = if mask == 0.0 { s } else { value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_leaves_padding_zero_and_survives_large_logits() {
        let mut result = [9.0; 8];
        softmax(&[1000.0, 0.0, 0.0, 0.0, 1000.0, 3.0_f32.ln(), 0.0, 0.0], 2, &mut result);
        assert_eq!([result[0], result[4]], [0.5, 0.5]);
        assert!((result[1] - 0.25).abs() < 1e-6 && (result[5] - 0.75).abs() < 1e-6);
        assert_eq!([result[2], result[3], result[6], result[7]], [0.0; 4]);
    }

    #[test]
    fn override_takes_values_where_the_mask_is_set() {
        let mut attention = [0.0; 3];
        override_attention(&[0.1, 0.2, 0.3], &[7.0, 8.0, 0.0, 0.0, 1.0, 1.0], &mut attention);
        assert_eq!(attention, [0.1, 8.0, 0.0]);
    }
}
