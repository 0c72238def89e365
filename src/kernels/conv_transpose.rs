//! `y = Wᵀ∗g`: transposed convolutions with a stride, the gradients of strided convolutions.

use super::conv_step::blocks;
use super::*;
use crate::cpu::gemm::{Finish, Matrix, Output, affine, arrange};
use crate::cpu::simd::{Quad, load, multiply_add_quad, splat, store};
use crate::graph::Conv2d;
use crate::plan::LANES;
use crate::weights::FoldedNorm;
use pulp::{Arch, Simd, WithSimd};
use std::array::from_fn;
use std::ops::Range;

/// The gradient of a convolution with respect to its input, of any kernel, stride, padding, dilation and groups.
///
/// On the GPU a convolution whose input has zeros between its positions; on the CPU only what is not such a zero counts.
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
    /// The same the other way round: for each coordinate of y below `size`, the taps of the turned weight and the
    /// coordinates of g below `count` that add to it.
    fn sources(&self, size: usize, count: usize) -> Vec<Vec<[usize; 2]>> {
        let mut sources = vec![Vec::new(); size];
        for (tap, at) in (0..self.conv.kernel).flat_map(|tap| (0..count).map(move |at| (tap, at))) {
            if let Some(y) = self.target(at, tap, size) {
                sources[y].push([tap, at]);
            }
        }
        sources
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
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        match self.conv.groups {
            1 => DenseConv { step: self.step.clone() }.shape(lowering),
            _ => self.grouped().shape(lowering),
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
        context.write(self.step.output, |context, out| match self.conv.groups {
            1 => self.dense(context, g, y, out),
            _ => self.groups(context, g, y, out),
        });
    }
}

/// Floats of products that are worked on at once, so that they stay in the cache.
const PANEL: usize = 1 << 14;
/// Columns from which on a product of matrices is fast.
const MIN_COLUMNS: usize = 64;

impl ConvTranspose {
    /// Products of matrices, for several taps at once where y is narrow; their rows are added where they belong.
    fn dense(&self, context: &CpuContext, g: &View, y: &View, out: &mut [f32]) {
        let (rows, columns, taps) = (g.quads() * LANES, y.quads() * LANES, self.conv.kernel.pow(2));
        let (weights, values) = (context.floats(0), context.read(self.step.input));
        for n in 0..context.batch {
            (0..y.positions()).for_each(|p| out[y.offset(n, p, 0)..][..columns].fill(0.0));
        }
        for taps in blocks(taps, MIN_COLUMNS.div_ceil(columns)) {
            let stride = taps.len() * columns;
            let mut beside = beside(&weights[taps.start * rows * columns..], taps.len(), rows, columns);
            arrange(bytemuck::cast_slice_mut(&mut beside), rows, stride, size_of::<f32>());
            let (bias, slots) = (vec![0.0; stride], Vec::from_iter(0..(stride / LANES) as u32));
            let finish = Finish { bias: &bias, residual: None, relu: false };
            let height = (PANEL / stride).clamp(32, 256);
            let mut products = vec![0.0; height * stride];
            for (n, panel) in (0..context.batch).flat_map(|n| blocks(g.positions(), height).map(move |p| (n, p))) {
                let a = Matrix { values: &values[g.offset(n, panel.start, 0)..], stride: g.stride * LANES };
                let products = &mut products[..panel.len() * stride];
                let mut out_of_taps = Output { values: products, stride, slots: &slots };
                affine([panel.len(), rows, stride], a, &beside, finish, &mut out_of_taps);
                for (p, row) in panel.zip(products.chunks_exact(stride)) {
                    self.add(taps.clone(), p, row, n, [g, y], out);
                }
            }
        }
    }

    /// Adds the products of position `p` of g, tap by tap.
    fn add(&self, taps: Range<usize>, p: usize, products: &[f32], n: usize, [g, y]: [&View; 2], out: &mut [f32]) {
        let (kernel, columns) = (self.conv.kernel, y.quads() * LANES);
        for (tap, products) in taps.zip(products.chunks_exact(columns)) {
            let row = self.target(p / g.width, tap / kernel, y.height);
            let column = self.target(p % g.width, tap % kernel, y.width);
            if let (Some(row), Some(column)) = (row, column) {
                let out = &mut out[y.offset(n, row * y.width + column, 0)..][..columns];
                out.iter_mut().zip(products).for_each(|(o, v)| *o += v);
            }
        }
    }

    /// Quad by quad of y, from the quads of g in its reach.
    fn groups(&self, context: &CpuContext, g: &View, y: &View, out: &mut [f32]) {
        let weights = context.floats(0);
        let (weights, _) = weights[..weights.len() - y.quads() * LANES].as_chunks::<LANES>();
        let (weights, _) = weights.as_chunks::<LANES>();
        let Conv2d { in_channels, out_channels, groups, .. } = self.conv;
        if [in_channels, out_channels] == [groups; 2] && g.lanes == y.lanes {
            // Each lane of y reads the same lane of g and no other.
            let diagonals: Vec<_> = weights.iter().map(|rows| [from_fn(|lane| rows[lane][lane])]).collect();
            self.images(context, &diagonals, [g, y], out);
        } else {
            self.images(context, weights, [g, y], out);
        }
    }

    /// [`QuadOfImage`] for every batch item and quad.
    fn images<const ROWS: usize>(
        &self,
        context: &CpuContext,
        weights: &[[Quad; ROWS]],
        [g, y]: [&View; 2],
        out: &mut [f32],
    ) {
        let (first, values) = (context.table(1), context.read(self.step.input));
        let (rows, columns) = (self.sources(y.height, g.height), self.sources(y.width, g.width));
        let per_quad = weights.len() / y.quads();
        for (n, k) in (0..context.batch).flat_map(|n| (0..y.quads()).map(move |k| (n, k))) {
            Arch::new().dispatch(QuadOfImage {
                kernel: self.conv.kernel,
                rows: &rows,
                columns: &columns,
                g,
                input: values[g.offset(n, 0, first[k] as usize)..].as_chunks().0,
                weights: &weights[k * per_quad..][..per_quad],
                out: &mut out[y.offset(n, 0, k)..],
                stride: y.stride * LANES,
            });
        }
    }
}

/// The matrices `rows × columns` of successive taps side by side.
fn beside(weights: &[f32], taps: usize, rows: usize, columns: usize) -> Vec<f32> {
    let mut beside = Vec::with_capacity(rows * taps * columns);
    for row in 0..rows {
        (0..taps).for_each(|tap| beside.extend_from_slice(&weights[(tap * rows + row) * columns..][..columns]));
    }
    beside
}

/// One quad of y at every position of one batch item.
struct QuadOfImage<'a, const ROWS: usize> {
    kernel: usize,
    /// [`ConvTranspose::sources`] of the rows of y.
    rows: &'a [Vec<[usize; 2]>],
    columns: &'a [Vec<[usize; 2]>],
    g: &'a View,
    /// Quads of the item, from the first in the reach of this quad of y.
    input: &'a [Quad],
    /// `[tap][quad of g]`, as [`multiply_add_quad`] reads them.
    weights: &'a [[Quad; ROWS]],
    out: &'a mut [f32],
    /// Floats from one position of y to the next.
    stride: usize,
}

impl<const ROWS: usize> WithSimd for QuadOfImage<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let count = self.weights.len() / self.kernel.pow(2);
        for (y, rows) in self.rows.iter().enumerate() {
            for (x, columns) in self.columns.iter().enumerate() {
                let mut sum = splat(0.0);
                for [ky, gy] in rows {
                    for [kx, gx] in columns {
                        let quads = &self.input[(gy * self.g.width + gx) * self.g.stride..][..count];
                        let weights = &self.weights[(ky * self.kernel + kx) * count..][..count];
                        for (g, w) in quads.iter().zip(weights) {
                            sum = multiply_add_quad::<S, ROWS>(sum, g, &w.map(load));
                        }
                    }
                }
                self.out[(y * self.columns.len() + x) * self.stride..][..LANES].copy_from_slice(&store(sum));
            }
        }
    }
}
