//! `y = act(W∗x + b + residual)`: k×k convolutions with groups.
//!
//! Groups need not be whole quads. Each quad of y reads the range of quads of x that its groups need, all quads equally
//! many, with zero weights outside the groups.

use super::conv_step::blocks;
use super::*;
use crate::cpu::simd::{Quad, mul_add, relu};
use crate::cpu::window;
use crate::plan::{LANES, quads};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

pub(super) const SHADER: &Shader = shader!("grouped_conv");

/// A convolution with any number of groups, of any kernel, stride, padding and dilation.
#[derive(Clone, Debug)]
pub struct GroupedConv {
    /// The convolution.
    pub step: ConvStep,
}

/// The quads of x that quads of y read.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    /// First quad of x, by quad of y.
    first: Vec<u32>,
    /// Quads of x per quad of y.
    count: usize,
}

impl GroupedConv {
    /// Input channels of the group of output channel `o`.
    fn group(&self, o: usize) -> Range<usize> {
        let conv = &self.step.conv;
        let (inputs, outputs) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
        let group = o / outputs;
        group * inputs..(group + 1) * inputs
    }

    fn product(&self, lowering: &Lowering) -> Shape {
        let (x, y) = (lowering.views.of(self.step.input), lowering.views.of(self.step.output));
        Shape::new(Kind::Grouped, SHADER, self.reach(x, y).count * self.step.conv.kernel.pow(2), y, lowering)
    }

    fn reach(&self, x: &View, y: &View) -> Reach {
        let ranges: Vec<Range<usize>> = y
            .channel_of_lane()
            .chunks_exact(LANES)
            .map(|quad| {
                let inputs = || quad.iter().flatten().flat_map(|&o| self.group(o)).map(|i| x.lanes[i] as usize);
                inputs().min().unwrap_or(0) / LANES..quads(inputs().max().map_or(0, |lane| lane + 1))
            })
            .collect();
        let count = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let first = ranges.iter().map(|r| r.start.min(x.quads() - count) as u32).collect();
        Reach { first, count }
    }
}

impl Kernel for GroupedConv {
    fn family(&self) -> &'static str {
        "grouped_conv"
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
    fn macs(&self, views: &Views) -> u64 {
        self.step.macs(views)
    }
    /// `[quad of y][tap][quad of x in its reach][lane of x][lane of y]` and the bias; then the first quad of each reach.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let folded = self.step.fold(parameters)?;
        let Reach { first, count } = self.reach(x, y);
        let mut packed = folded.zeros_and_bias(y.quads() * folded.taps * count * LANES * LANES, y);
        for (o, &column) in y.lanes.iter().enumerate() {
            let (quad, column) = (column as usize / LANES, column as usize % LANES);
            for (i, channel) in self.group(o).enumerate() {
                let row = x.lanes[channel] as usize - first[quad] as usize * LANES;
                for tap in 0..folded.taps {
                    let at = ((quad * folded.taps + tap) * count * LANES + row) * LANES + column;
                    packed[at] = folded.at(o, i, tap);
                }
            }
        }
        Ok(vec![Packed::Weights(packed), Packed::U32(first)])
    }
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        Some(self.product(lowering))
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let tiling = lowering.choices.tiling(&self.product(lowering));
        let count = self.reach(x, y).count;
        let mut constants = self.step.constants(views, x);
        constants.extend(tiling.constants());
        constants.extend(self.step.window_constants(x));
        let per_quad = self.step.conv.kernel.pow(2) * count * LANES;
        constants.extend([("COUNT", count as f64), ("W_QUAD", per_quad as f64), ("W_LANE", 1.0), ("TABLE", 1.0)]);
        let bindings = vec![
            Operand::Read(x.storage),
            self.step.residual_operand(views),
            Operand::Constant(0),
            Operand::Constant(1),
            Operand::Write(y.storage),
        ];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: tiling.workgroups(y, lowering) }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.step.input), context.view(self.step.output));
        context.write(self.step.output, |context, out| {
            let residual = self.step.residual.map(|id| (context.view(id), context.read(id)));
            let (weights, first) = (context.floats(0), context.table(1));
            let (weights, bias) = weights.split_at(weights.len() - y.quads() * LANES);
            let taps = weights.len() / (y.quads() * LANES * LANES);
            let count = taps / self.step.conv.kernel.pow(2);
            for n in 0..context.batch {
                let start = x.offset(n, 0, 0);
                let (input, _) = context.read(self.step.input)[start..].as_chunks::<LANES>();
                for k in 0..y.quads() {
                    let (weights, _) = weights[k * taps * LANES * LANES..][..taps * LANES * LANES].as_chunks();
                    let (weights, _) = weights.as_chunks();
                    Arch::new().dispatch(QuadOfImage {
                        step: &self.step,
                        x,
                        y,
                        input: &input[first[k] as usize..],
                        weights,
                        count,
                        bias: std::array::from_fn(|i| bias[k * LANES + i]),
                        residual: residual.map(|(r, values)| (&values[r.offset(n, 0, k)..], r.stride * LANES)),
                        out: &mut out[y.offset(n, 0, k)..],
                    });
                }
            }
        });
    }
}

/// One quad of y at every position of one batch item.
struct QuadOfImage<'a> {
    step: &'a ConvStep,
    x: &'a View,
    y: &'a View,
    /// Quads of the item, from the first that this quad of y needs.
    input: &'a [Quad],
    /// `[tap][quad of x][lane of x]`.
    weights: &'a [[Quad; LANES]],
    count: usize,
    bias: Quad,
    /// Values from this quad on, and floats from one position to the next.
    residual: Option<(&'a [f32], usize)>,
    out: &'a mut [f32],
}

/// Pixels that are computed together.
const PIXELS: usize = 6;

impl WithSimd for QuadOfImage<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _simd: S) {
        let conv = &self.step.conv;
        let interior = window::interior(conv, self.x.width);
        for oy in 0..self.y.height {
            let rows = window::taps(conv, oy, self.x.height);
            for ox in (0..interior.start).chain(interior.end..self.y.width) {
                self.pixels::<S, 1>(oy, ox, rows.clone(), window::taps(conv, ox, self.x.width));
            }
            for block in blocks(interior.len(), PIXELS) {
                let start = interior.start + block.start;
                if block.len() == PIXELS {
                    self.pixels::<S, PIXELS>(oy, start, rows.clone(), 0..conv.kernel);
                } else {
                    (0..block.len()).for_each(|i| self.pixels::<S, 1>(oy, start + i, rows.clone(), 0..conv.kernel));
                }
            }
        }
    }
}

impl QuadOfImage<'_> {
    /// Output pixels `ox .. ox + P` of row `oy`, from the given taps, which are inside the input for all of them.
    #[inline(always)]
    fn pixels<S: Simd, const P: usize>(&mut self, oy: usize, ox: usize, rows: Range<usize>, columns: Range<usize>) {
        let conv = &self.step.conv;
        let mut sums = [self.bias; P];
        let step = conv.stride * self.x.stride;
        for ky in rows {
            let line = window::input(conv, oy, ky) * self.x.width;
            for kx in columns.clone() {
                let start = (line + window::input(conv, ox, kx)) * self.x.stride;
                let input = &self.input[start..][..(P - 1) * step + self.count];
                let weights = &self.weights[(ky * conv.kernel + kx) * self.count..][..self.count];
                for (j, w) in weights.iter().enumerate() {
                    let pixels: [Quad; P] = std::array::from_fn(|p| input[p * step + j]);
                    for (sum, x) in sums.iter_mut().zip(&pixels) {
                        for (x, w) in x.iter().zip(w) {
                            for (s, w) in sum.iter_mut().zip(w) {
                                *s = mul_add::<S>(*x, *w, *s);
                            }
                        }
                    }
                }
            }
        }
        let position = oy * self.y.width + ox;
        for (p, sum) in sums.iter_mut().enumerate() {
            if let Some((residual, stride)) = self.residual {
                sum.iter_mut().zip(&residual[(position + p) * stride..]).for_each(|(s, r)| *s += r);
            }
            if self.step.relu {
                sum.iter_mut().for_each(|s| *s = relu(*s));
            }
            self.out[(position + p) * self.y.stride * LANES..][..LANES].copy_from_slice(sum);
        }
    }
}
