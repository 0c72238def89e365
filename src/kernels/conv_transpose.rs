//! `y = Wᵀ∗g`: transposed convolutions with a stride, the gradients of strided convolutions.

use super::conv_step::blocks;
use super::*;
use crate::cpu::gemm::{Matrix, multiply_add};
use crate::graph::Conv2d;
use crate::plan::LANES;
use crate::weights::FoldedNorm;
use pulp::Arch;
use std::ops::Range;

/// The gradient of a convolution with respect to its input, of any kernel, stride, padding, dilation and groups.
///
/// On the GPU a convolution whose input has zeros between its positions; on the CPU every position of g adds to the
/// window that it was computed from.
#[derive(Clone, Debug)]
pub struct ConvTranspose {
    /// The convolution.
    conv: Conv2d,
    /// From g to y, with input and output exchanged and the weight turned round.
    step: ConvStep,
}

impl ConvTranspose {
    /// The gradient `output` of the input of `conv` for the gradient `gradient` of its output.
    pub fn new(conv: Conv2d, gradient: TensorId, output: TensorId) -> Self {
        let (in_channels, out_channels) = (conv.out_channels, conv.in_channels);
        let norm = FoldedNorm { channels: out_channels, bias: None, norm: None };
        let exchanged = Conv2d { bias: None, in_channels, out_channels, stride: 1, ..conv.clone() };
        let step =
            ConvStep { conv: exchanged, transposed: true, norm, relu: false, residual: None, input: gradient, output };
        Self { conv, step }
    }

    fn grouped(&self) -> GroupedConv {
        GroupedConv { step: self.step.clone() }
    }
    /// The coordinate of y, in one direction, to which position `at` of g adds through `tap` of the turned weight.
    fn target(&self, at: usize, tap: usize, size: usize) -> Option<usize> {
        let tap = self.conv.kernel - 1 - tap;
        (at * self.conv.stride + tap * self.conv.dilation).checked_sub(self.conv.padding).filter(|&y| y < size)
    }
}

impl Kernel for ConvTranspose {
    fn family(&self) -> &'static str {
        "conv_transpose"
    }
    fn inputs(&self) -> Vec<TensorId> {
        self.step.inputs()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.step.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        self.step.rewire(from, to);
    }
    fn parameters(&self) -> Vec<String> {
        self.step.parameters()
    }
    /// As a dense or a grouped convolution packs its weights.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        match self.conv.groups {
            1 => DenseConv { step: self.step.clone() }.pack(views, parameters),
            _ => self.grouped().pack(views, parameters),
        }
    }
    /// The dispatch of a dense or a grouped convolution, with g spread.
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let mut dispatches = match self.conv.groups {
            1 => DenseConv { step: self.step.clone() }.lower(lowering),
            _ => self.grouped().lower(lowering),
        };
        let padding = (self.conv.effective_kernel() - 1) as f64 - self.conv.padding as f64;
        for dispatch in &mut dispatches {
            dispatch.constants.retain(|(name, _)| *name != "PADDING");
            dispatch.constants.extend([("PADDING", padding), ("SPREAD", self.conv.stride as f64)]);
        }
        dispatches
    }
    fn run(&self, context: &mut CpuContext) {
        let (g, y) = (context.view(self.step.input), context.view(self.step.output));
        context.write(self.step.output, |context, out| {
            for n in 0..context.batch {
                (0..y.positions()).for_each(|p| out[y.offset(n, p, 0)..][..y.quads() * LANES].fill(0.0));
                match self.conv.groups {
                    1 => self.dense(context, n, g, y, out),
                    _ => self.groups(context, n, g, y, out),
                }
            }
        });
    }
}

/// Positions of g that are multiplied at once.
const PANEL: usize = 256;

impl ConvTranspose {
    /// One product of matrices for every tap, whose rows are added where they belong.
    fn dense(&self, context: &CpuContext, n: usize, g: &View, y: &View, out: &mut [f32]) {
        let (rows, columns) = (g.quads() * LANES, y.quads() * LANES);
        let (weights, values) = (context.constant(0).floats(), context.read(self.step.input));
        let mut products = vec![0.0; PANEL * columns];
        for panel in blocks(g.positions(), PANEL) {
            let a = Matrix { values: &values[g.offset(n, panel.start, 0)..], stride: g.stride * LANES };
            for tap in 0..self.conv.kernel.pow(2) {
                let products = &mut products[..panel.len() * columns];
                products.fill(0.0);
                let b = Matrix { values: &weights[tap * rows * columns..][..rows * columns], stride: columns };
                multiply_add([panel.len(), rows, columns], a, b, products, columns);
                self.add(tap, panel.clone(), products, n, [g, y], out);
            }
        }
    }

    fn add(&self, tap: usize, panel: Range<usize>, products: &[f32], n: usize, [g, y]: [&View; 2], out: &mut [f32]) {
        let columns = y.quads() * LANES;
        let (ky, kx) = (tap / self.conv.kernel, tap % self.conv.kernel);
        for (p, row) in panel.zip(products.chunks_exact(columns)) {
            let target = (self.target(p / g.width, ky, y.height), self.target(p % g.width, kx, y.width));
            if let (Some(ty), Some(tx)) = target {
                let out = &mut out[y.offset(n, ty * y.width + tx, 0)..][..columns];
                out.iter_mut().zip(row).for_each(|(o, v)| *o += v);
            }
        }
    }

    /// Quad by quad of y, from the quads of g in its reach.
    fn groups(&self, context: &CpuContext, n: usize, g: &View, y: &View, out: &mut [f32]) {
        let (weights, first) = (context.constant(0).floats(), context.constant(1).table());
        let (weights, _) = weights[..weights.len() - y.quads() * LANES].as_chunks::<LANES>();
        let (taps, values) = (self.conv.kernel.pow(2), context.read(self.step.input));
        let count = weights.len() / (y.quads() * taps * LANES);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (p, tap) in (0..g.positions()).flat_map(|p| (0..taps).map(move |tap| (p, tap))) {
                    let (ky, kx) = (tap / self.conv.kernel, tap % self.conv.kernel);
                    let target = (self.target(p / g.width, ky, y.height), self.target(p % g.width, kx, y.width));
                    let (Some(ty), Some(tx)) = target else { continue };
                    let (quads, _) = out[y.offset(n, ty * y.width + tx, 0)..][..y.quads() * LANES].as_chunks_mut();
                    for (k, quad) in quads.iter_mut().enumerate() {
                        let x = &values[g.offset(n, p, first[k] as usize)..][..count * LANES];
                        let weights = &weights[(k * taps + tap) * count * LANES..][..count * LANES];
                        multiply_quad(quad, x, weights);
                    }
                }
            },
        );
    }
}

/// `quad += Σ x · row`.
#[inline(always)]
fn multiply_quad(quad: &mut [f32; LANES], x: &[f32], rows: &[[f32; LANES]]) {
    for (x, row) in x.iter().zip(rows) {
        quad.iter_mut().zip(row).for_each(|(q, w)| *q += x * w);
    }
}
