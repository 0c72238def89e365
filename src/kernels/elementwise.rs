//! `y = act(scale · Σ xᵢ + shift)`: additions, batch norms and ReLUs that no convolution absorbed.

use super::*;
use crate::plan::{LANES, quads};
use crate::weights::FoldedNorm;

pub(super) const SHADER: &Shader =
    &Shader { name: "elementwise", wgsl: include_str!("../../shaders/elementwise.wgsl"), entry: "main" };
const WORKGROUP: usize = 64;
/// Inputs that one step can add.
pub const MAX_TERMS: usize = 3;

/// Sum of one to three tensors, then an optional batch norm, then an optional ReLU.
#[derive(Clone, Debug)]
pub struct Elementwise {
    /// Terms of the sum, all of one shape; at most [`MAX_TERMS`].
    pub terms: Vec<TensorId>,
    /// Scale and shift per channel.
    pub norm: Option<FoldedNorm>,
    /// Whether negative results become zero.
    pub relu: bool,
    /// The result.
    pub output: TensorId,
}

impl Kernel for Elementwise {
    fn family(&self) -> &'static str {
        "elementwise"
    }
    fn inputs(&self) -> Vec<TensorId> {
        self.terms.clone()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for term in self.terms.iter_mut().filter(|t| **t == from) {
            *term = to;
        }
    }
    fn parameters(&self) -> Vec<String> {
        self.norm.iter().flat_map(FoldedNorm::parameters).collect()
    }
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let channels = views.of(self.output).channels();
        let (mut scale, mut shift) = match &self.norm {
            Some(norm) => norm.fold(parameters)?,
            None => (vec![1.0; channels], vec![0.0; channels]),
        };
        scale.resize(quads(channels) * LANES, 0.0);
        shift.resize(quads(channels) * LANES, 0.0);
        scale.extend(shift);
        Ok(vec![Packed::F32(scale)])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let y = views.of(self.output);
        let mut constants = vec![
            ("TERMS", self.terms.len() as f64),
            ("QUADS", y.quads() as f64),
            ("POSITIONS", y.positions() as f64),
            ("RELU", f64::from(self.relu)),
        ];
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let names =
            [["A_ITEM", "A_BASE", "A_STRIDE"], ["B_ITEM", "B_BASE", "B_STRIDE"], ["C_ITEM", "C_BASE", "C_STRIDE"]];
        let mut bindings = Vec::new();
        for (i, names) in names.into_iter().enumerate() {
            match self.terms.get(i) {
                Some(&term) => {
                    constants.extend(view_constants(names, views.of(term)));
                    bindings.push(Operand::Read(views.of(term).storage));
                }
                None => bindings.push(Operand::Unused),
            }
        }
        bindings.extend([Operand::Constant(0), Operand::Write(y.storage)]);
        let threads = y.positions() * y.quads();
        let workgroups = [threads.div_ceil(WORKGROUP) as u32, 1, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let y = context.view(self.output);
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            let (scale, shift) = context.constant(0).floats().split_at(width);
            for n in 0..context.batch {
                for p in 0..y.positions() {
                    let row = &mut out[y.offset(n, p, 0)..][..width];
                    row.fill(0.0);
                    for &term in &self.terms {
                        let x = context.view(term);
                        let x = &context.read(term)[x.offset(n, p, 0)..][..width];
                        row.iter_mut().zip(x).for_each(|(r, x)| *r += x);
                    }
                    for ((r, s), b) in row.iter_mut().zip(scale).zip(shift) {
                        let v = *r * s + b;
                        *r = if self.relu { v.max(0.0) } else { v };
                    }
                }
            }
        });
    }
}
