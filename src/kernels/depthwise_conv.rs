//! `y = act(w∗x + b + residual)` channel by channel: convolutions with as many groups as channels.

use super::conv_step::blocks;
use super::*;
use crate::cpu::simd::{mul_add, relu};
use crate::cpu::window;
use crate::plan::LANES;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

pub(super) const SHADER: &Shader = shader!("depthwise_conv");

/// A convolution of each channel with its own kernel, of any size, stride, padding and dilation.
#[derive(Clone, Debug)]
pub struct DepthwiseConv {
    /// The convolution.
    pub step: ConvStep,
}

impl DepthwiseConv {
    fn product(&self, lowering: &Lowering) -> Shape {
        Shape::new(Kind::Grouped, SHADER, self.step.conv.kernel.pow(2), lowering.views.of(self.step.output), lowering)
    }
}

impl Kernel for DepthwiseConv {
    fn family(&self) -> &'static str {
        "depthwise_conv"
    }
    fn inputs(&self) -> Vec<TensorId> {
        self.step.inputs()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.step.output]
    }
    /// A residual is plain, so the output must be as well, and with it the input.
    fn input_layout(&self, _input: TensorId) -> InputLayout {
        if self.step.residual.is_none() { InputLayout::Propagates } else { InputLayout::Plain }
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
    /// `[tap][lane of y]` and the bias; then the slots of x if they are not contiguous.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let folded = self.step.fold(parameters)?;
        let width = y.quads() * LANES;
        let mut packed = folded.zeros_and_bias(folded.taps * width, y);
        for (c, &lane) in y.lanes.iter().enumerate() {
            for tap in 0..folded.taps {
                packed[tap * width + lane as usize] = folded.at(c, 0, tap);
            }
        }
        let mut packed = vec![Packed::F32(packed)];
        if !x.is_contiguous() {
            packed.push(Packed::U32(x.slots.clone()));
        }
        Ok(packed)
    }
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        Some(self.product(lowering))
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let tiling = lowering.choices.tiling(&self.product(lowering));
        let mut constants = self.step.constants(views, x);
        constants.extend(tiling.constants());
        constants.extend(self.step.window_constants(x));
        constants.push(("X_TABLE", f64::from(!x.is_contiguous())));
        let bindings = vec![
            Operand::Read(x.storage),
            self.step.residual_operand(views),
            Operand::Constant(0),
            if x.is_contiguous() { Operand::Unused } else { Operand::Constant(1) },
            Operand::Write(y.storage),
        ];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: tiling.workgroups(y, lowering) }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.step.input), context.view(self.step.output));
        context.write(self.step.output, |context, out| {
            let residual = self.step.residual.map(|id| (context.view(id), context.read(id)));
            let width = y.quads() * LANES;
            let constants = context.floats(0);
            let (weights, bias) = constants.split_at(constants.len() - width);
            // Wide strips where both tensors have their quads in a row.
            let strip = if x.is_contiguous() { Strip::QUADS } else { 1 };
            for (n, quads) in (0..context.batch).flat_map(|n| blocks(y.quads(), strip).map(move |quads| (n, quads))) {
                let run = |quad: usize, wide: bool, out: &mut [f32]| {
                    Arch::new().dispatch(Strip {
                        step: &self.step,
                        x,
                        y,
                        wide,
                        input: &context.read(self.step.input)[x.offset(n, 0, quad)..],
                        weights: &weights[quad * LANES..],
                        width,
                        bias: &bias[quad * LANES..],
                        residual: residual.map(|(r, values)| (&values[r.offset(n, 0, quad)..], r.stride * LANES)),
                        out: &mut out[y.offset(n, 0, quad)..],
                    });
                };
                if quads.len() == Strip::QUADS {
                    run(quads.start, true, out);
                } else {
                    quads.for_each(|quad| run(quad, false, out));
                }
            }
        });
    }
}

/// One quad, or [`Strip::QUADS`] successive ones, at every position of one batch item. Slices start at the first lane.
struct Strip<'a> {
    step: &'a ConvStep,
    x: &'a View,
    y: &'a View,
    wide: bool,
    input: &'a [f32],
    weights: &'a [f32],
    /// Floats from one tap to the next.
    width: usize,
    bias: &'a [f32],
    /// With floats from one position to the next.
    residual: Option<(&'a [f32], usize)>,
    out: &'a mut [f32],
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        if self.wide { self.image::<S, { Strip::QUADS * LANES }>() } else { self.image::<S, LANES>() }
    }
}

/// Pixels that are computed together.
const PIXELS: usize = 4;

impl Strip<'_> {
    const QUADS: usize = 4;

    #[inline(always)]
    fn image<S: Simd, const L: usize>(mut self) {
        let conv = &self.step.conv;
        let interior = window::interior(conv, self.x.width);
        for oy in 0..self.y.height {
            let rows = window::taps(conv, oy, self.x.height);
            for ox in (0..interior.start).chain(interior.end..self.y.width) {
                self.pixels::<S, L, 1>(oy, ox, rows.clone(), window::taps(conv, ox, self.x.width));
            }
            for block in blocks(interior.len(), PIXELS) {
                let start = interior.start + block.start;
                if block.len() == PIXELS {
                    self.pixels::<S, L, PIXELS>(oy, start, rows.clone(), 0..conv.kernel);
                } else {
                    (0..block.len()).for_each(|i| self.pixels::<S, L, 1>(oy, start + i, rows.clone(), 0..conv.kernel));
                }
            }
        }
    }

    /// Output pixels `ox .. ox + P` of row `oy`, from the given taps, which are inside the input for all of them.
    #[inline(always)]
    fn pixels<S: Simd, const L: usize, const P: usize>(
        &mut self,
        oy: usize,
        ox: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let conv = &self.step.conv;
        let mut sums = [lanes::<L>(self.bias, 0); P];
        let step = conv.stride * self.x.stride * LANES;
        for ky in rows {
            let line = window::input(conv, oy, ky) * self.x.width;
            for kx in columns.clone() {
                let start = (line + window::input(conv, ox, kx)) * self.x.stride * LANES;
                let w = lanes::<L>(self.weights, (ky * conv.kernel + kx) * self.width);
                for (p, sum) in sums.iter_mut().enumerate() {
                    let x = lanes::<L>(self.input, start + p * step);
                    for ((s, x), w) in sum.iter_mut().zip(x).zip(w) {
                        *s = mul_add::<S>(x, w, *s);
                    }
                }
            }
        }
        let position = oy * self.y.width + ox;
        for (p, sum) in sums.iter_mut().enumerate() {
            if let Some((residual, stride)) = self.residual {
                let residual = lanes::<L>(residual, (position + p) * stride);
                sum.iter_mut().zip(residual).for_each(|(s, r)| *s += r);
            }
            if self.step.relu {
                sum.iter_mut().for_each(|s| *s = relu(*s));
            }
            self.out[(position + p) * self.y.stride * LANES..][..L].copy_from_slice(sum);
        }
    }
}

/// `L` values from `at` on.
#[inline(always)]
fn lanes<const L: usize>(values: &[f32], at: usize) -> [f32; L] {
    let mut lanes = [0.0; L];
    lanes.copy_from_slice(&values[at..][..L]);
    lanes
}
