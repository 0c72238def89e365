//! `y = act(scale · Σ xᵢ + shift)`: additions, batch norms and activations that no convolution absorbed.

use super::*;
use crate::cpu::simd::relu;
use crate::plan::LANES;
use crate::weights::FoldedNorm;

pub(super) const SHADER: &Shader = shader!("elementwise");
/// Inputs that one step can add.
pub const MAX_TERMS: usize = 3;

/// What follows the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
}

impl Activation {
    /// ReLU or nothing.
    pub fn relu_if(relu: bool) -> Self {
        if relu { Self::Relu } else { Self::Identity }
    }
}

/// Sum of one to three tensors, then an optional batch norm, then an activation.
#[derive(Clone, Debug)]
pub struct Elementwise {
    /// Terms of the sum, all of one shape; at most [`MAX_TERMS`].
    pub terms: Vec<TensorId>,
    /// Scale and shift per channel.
    pub norm: Option<FoldedNorm>,
    /// Applied last.
    pub activation: Activation,
    /// The result.
    pub output: TensorId,
}

impl Elementwise {
    /// [`Kernel::family`].
    pub const FAMILY: &'static str = "elementwise";
}

impl Kernel for Elementwise {
    fn family(&self) -> &'static str {
        Self::FAMILY
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
    /// Scale, shift, and 1 where a lane is a channel, each over the lanes of y; zero in padding.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let y = views.of(self.output);
        let (scale, shift) = match &self.norm {
            Some(norm) => norm.fold(parameters)?,
            None => (vec![1.0; y.channels()], vec![0.0; y.channels()]),
        };
        let lanes = y.quads() * LANES;
        let mut packed = vec![0.0; 3 * lanes];
        for (c, &lane) in y.lanes.iter().enumerate() {
            for (row, value) in [scale[c], shift[c], 1.0].into_iter().enumerate() {
                packed[row * lanes + lane as usize] = value;
            }
        }
        Ok(vec![Packed::F32(packed)])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let y = views.of(self.output);
        let mut constants = vec![
            ("TERMS", self.terms.len() as f64),
            ("QUADS", y.quads() as f64),
            ("POSITIONS", y.positions() as f64),
            ("ACTIVATION", f64::from(self.activation as u8)),
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
        let workgroups = lowering.grid(threads);
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let y = context.view(self.output);
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            let (norm, used) = context.floats(0).split_at(2 * width);
            let (scale, shift) = norm.split_at(width);
            for n in 0..context.batch {
                for p in 0..y.positions() {
                    let row = &mut out[y.offset(n, p, 0)..][..width];
                    row.fill(0.0);
                    for &term in &self.terms {
                        let x = context.view(term);
                        let x = &context.read(term)[x.offset(n, p, 0)..][..width];
                        row.iter_mut().zip(x).for_each(|(r, x)| *r += x);
                    }
                    row.iter_mut().zip(scale).zip(shift).for_each(|((r, s), b)| *r = *r * s + b);
                    match self.activation {
                        Activation::Identity => {}
                        Activation::Relu => row.iter_mut().for_each(|r| *r = relu(*r)),
                        Activation::Sigmoid => {
                            row.iter_mut().zip(used).for_each(|(r, used)| *r = used / (1.0 + (-*r).exp()));
                        }
                    }
                }
            }
        });
    }
}
