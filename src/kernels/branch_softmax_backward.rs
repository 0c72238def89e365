//! Gradient of the softmax over the branches of an SK unit and of the override of its result.

use super::*;
use crate::plan::{LANES, quads};

pub(super) const SHADER: &Shader = shader!("branch_softmax_backward");
const WORKGROUP: usize = 64;

/// `yₘ = aₘ·(gₘ − Σ aₖ·gₖ)` per channel, with gₘ = 0 where the override's mask is set.
#[derive(Clone, Debug)]
pub struct BranchSoftmaxBackward {
    /// M.
    pub branches: usize,
    /// g, `[M·C, 1, 1]`, branch-major: each branch starts a new quad.
    pub gradient: TensorId,
    /// a, the softmax, laid out like g.
    pub softmax: TensorId,
    /// Values, then mask, `[2·M·C, 1, 1]`, laid out like g.
    pub overrides: Option<TensorId>,
    /// y, laid out like g.
    pub output: TensorId,
}

impl Kernel for BranchSoftmaxBackward {
    fn family(&self) -> &'static str {
        "branch_softmax_backward"
    }
    fn inputs(&self) -> Vec<TensorId> {
        [self.gradient, self.softmax].into_iter().chain(self.overrides).collect()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        let all = [&mut self.gradient, &mut self.softmax].into_iter().chain(&mut self.overrides);
        all.filter(|t| **t == from).for_each(|t| *t = to);
    }
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (g, a, y) = (views.of(self.gradient), views.of(self.softmax), views.of(self.output));
        let mut constants = vec![
            ("BRANCHES", self.branches as f64),
            ("QUADS", (y.quads() / self.branches) as f64),
            ("OVERRIDE", f64::from(self.overrides.is_some())),
        ];
        let mut bindings = vec![Operand::Read(g.storage), Operand::Read(a.storage), Operand::Unused];
        let mut describe = |names, view| constants.extend(view_constants(names, view).into_iter().take(2));
        describe(["G_ITEM", "G_BASE", ""], g);
        describe(["A_ITEM", "A_BASE", ""], a);
        describe(["Y_ITEM", "Y_BASE", ""], y);
        if let Some(o) = self.overrides.map(|o| views.of(o)) {
            describe(["O_ITEM", "O_BASE", ""], o);
            bindings[2] = Operand::Read(o.storage);
        }
        bindings.push(Operand::Write(y.storage));
        let workgroups = [(y.quads() / self.branches).div_ceil(WORKGROUP) as u32, 1, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (g, a, y) = (context.view(self.gradient), context.view(self.softmax), context.view(self.output));
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            for n in 0..context.batch {
                let mut gradient = context.read(self.gradient)[g.offset(n, 0, 0)..][..width].to_vec();
                if let Some(overrides) = self.overrides {
                    let start = context.view(overrides).offset(n, 0, 0);
                    let mask = &context.read(overrides)[start + width..][..width];
                    gradient.iter_mut().zip(mask).filter(|(_, mask)| **mask != 0.0).for_each(|(g, _)| *g = 0.0);
                }
                let softmax = &context.read(self.softmax)[a.offset(n, 0, 0)..][..width];
                backward(&gradient, softmax, self.branches, &mut out[y.offset(n, 0, 0)..][..width]);
            }
        });
    }
}

/// Of `[M][quads(C) · 4]` each; padding lanes come out zero where the softmax is.
fn backward(gradient: &[f32], softmax: &[f32], branches: usize, result: &mut [f32]) {
    let width = result.len() / branches;
    debug_assert_eq!(width, quads(width) * LANES);
    for c in 0..width {
        let branch = (0..branches).map(|m| m * width + c);
        let mean: f32 = branch.clone().map(|i| softmax[i] * gradient[i]).sum();
        branch.for_each(|i| result[i] = softmax[i] * (gradient[i] - mean));
    }
}
