//! The CPU twin of `sk_branches.wgsl`.

use super::{PART_STRIPS, STRIP, SkBranches};
use crate::cpu::CpuContext;
use crate::cpu::simd::{Quad, multiply_add_quad, relu};
use crate::graph::Conv2d;
use crate::plan::{LANES, View};
use pulp::{Arch, Simd, WithSimd};
use std::array::from_fn;

/// Strips that are computed together, which share the weights and hide the latency of the sums.
const PAIR: usize = 2;

/// One batch item of the input, quad by quad, with the zeros that the taps at the border read.
struct Planes {
    values: Vec<Quad>,
    /// Positions of a quad.
    len: usize,
    width: usize,
}

impl Planes {
    #[inline(always)]
    fn new(x: &View, n: usize, values: &[f32], border: usize, columns: usize) -> Self {
        let width = (x.width + 2 * border).max(columns);
        let len = width * (x.height + 2 * border);
        let mut planes = vec![[0.0; LANES]; x.quads() * len];
        for row in 0..x.height {
            let start = (row + border) * width + border;
            for column in 0..x.width {
                let (pixel, _) = values[x.offset(n, row * x.width + column, 0)..].as_chunks::<LANES>();
                for (quad, plane) in pixel.iter().zip(planes.chunks_exact_mut(len)) {
                    plane[start + column] = *quad;
                }
            }
        }
        Self { values: planes, len, width }
    }
}

pub(super) fn run(step: &SkBranches, context: &mut CpuContext) {
    let (x, sums) = (context.view(step.input), context.view(step.partial_sums));
    let branches: Vec<_> = step.outputs.iter().map(|&u| context.view(u)).collect();
    let batch = context.batch;
    context.write(step.outputs[0], |context, u| {
        context.write(step.partial_sums, |context, partial_sums| {
            let [weights, biases] = [0, 1].map(|i| context.floats(i).as_chunks().0);
            let values = context.read(step.input);
            let arch = Arch::new();
            let branches = branches.as_slice();
            for n in 0..batch {
                let (u, partial_sums) = (&mut *u, &mut *partial_sums);
                let item = Item { step, x, values, weights, biases, branches, u, sums, partial_sums, n };
                match (step.convs[0].stride, step.sparsity().is_depthwise()) {
                    (1, true) => arch.dispatch(Specialised::<1, 1>(item)),
                    (1, false) => arch.dispatch(Specialised::<1, LANES>(item)),
                    (_, true) => arch.dispatch(Specialised::<2, 1>(item)),
                    (_, false) => arch.dispatch(Specialised::<2, LANES>(item)),
                }
            }
        });
    });
}

/// One batch item of a step.
struct Item<'a> {
    step: &'a SkBranches,
    x: &'a View,
    values: &'a [f32],
    weights: &'a [Quad],
    biases: &'a [Quad],
    branches: &'a [&'a View],
    u: &'a mut [f32],
    sums: &'a View,
    partial_sums: &'a mut [f32],
    n: usize,
}

/// [`Item`] for a stride and the weight quads per pair of an output and an input quad.
struct Specialised<'a, const STRIDE: usize, const ROWS: usize>(Item<'a>);

impl<const STRIDE: usize, const ROWS: usize> WithSimd for Specialised<'_, STRIDE, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Item { step, x, values, weights, biases, branches, u, sums, partial_sums, n } = self.0;
        let sparsity = step.sparsity();
        let kernel = step.convs[0].kernel;
        let (height, width) = (branches[0].height, branches[0].width);
        let per_row = width.div_ceil(STRIP);
        let strips = height * per_row;
        let border = step.convs.iter().map(|c| c.padding).max().unwrap_or(0);
        let planes = Planes::new(x, n, values, border, (per_row * STRIP - 1) * STRIDE + 2 * border + 1);
        let per_quad = kernel * kernel * sparsity.count * ROWS;
        for quad in 0..sparsity.quads {
            let input = &planes.values[sparsity.first(quad) * planes.len..][..sparsity.count * planes.len];
            for part in 0..sums.positions() {
                partial_sums[sums.offset(n, part, quad)..][..LANES].fill(0.0);
            }
            for (m, (view, conv)) in branches.iter().zip(&step.convs).enumerate() {
                let index = m * sparsity.quads + quad;
                let weights = &weights[index * per_quad..][..per_quad];
                for first in (0..strips).step_by(PAIR) {
                    // An odd last strip is computed twice and written once.
                    let origins = [first, (first + 1).min(strips - 1)].map(|strip| {
                        let (row, column) = (strip / per_row, strip % per_row * STRIP);
                        let inset = border - conv.padding;
                        (row * STRIDE + inset) * planes.width + column * STRIDE + inset
                    });
                    let pair = strip_pair::<S, STRIDE, ROWS>(conv, (&planes, input), (weights, biases[index]), origins);
                    for (strip, pixels) in (first..strips).zip(pair.as_chunks::<STRIP>().0) {
                        let (row, column) = (strip / per_row, strip % per_row * STRIP);
                        let sum = &mut partial_sums[sums.offset(n, strip / PART_STRIPS, quad)..][..LANES];
                        let start = view.offset(n, row * width + column, quad);
                        let mut total = [0.0; LANES];
                        for (j, pixel) in pixels.iter().enumerate().take(width - column) {
                            let out = &mut u[start + j * view.stride * LANES..][..LANES];
                            for ((out, total), value) in out.iter_mut().zip(&mut total).zip(pixel) {
                                *out = relu(*value);
                                *total += *out;
                            }
                        }
                        sum.iter_mut().zip(total).for_each(|(s, v)| *s += v);
                    }
                }
            }
        }
    }
}

/// One output quad of two strips, whose first taps lie at `origins` of a plane.
#[inline(always)]
fn strip_pair<S: Simd, const STRIDE: usize, const ROWS: usize>(
    conv: &Conv2d,
    (planes, input): (&Planes, &[Quad]),
    (weights, bias): (&[Quad], Quad),
    origins: [usize; PAIR],
) -> [Quad; PAIR * STRIP] {
    let mut sums = [bias; PAIR * STRIP];
    let mut weights = weights.as_chunks::<ROWS>().0.iter();
    for ky in 0..conv.kernel {
        for kx in 0..conv.kernel {
            let tap = (ky * planes.width + kx) * conv.dilation;
            for (plane, rows) in input.chunks_exact(planes.len).zip(&mut weights) {
                let strips = [strip::<STRIDE>(plane, origins[0] + tap), strip::<STRIDE>(plane, origins[1] + tap)];
                let pixels: [Quad; PAIR * STRIP] = from_fn(|i| strips[i / STRIP][i % STRIP * STRIDE]);
                for (sum, x) in sums.iter_mut().zip(&pixels) {
                    multiply_add_quad::<S, ROWS>(sum, x, rows);
                }
            }
        }
    }
    sums
}

/// The input of one tap for a strip.
#[inline(always)]
fn strip<const STRIDE: usize>(plane: &[Quad], start: usize) -> &[Quad] {
    &plane[start..][..(STRIP - 1) * STRIDE + 1]
}
