//! The CPU twin of `sk_branches.wgsl`.

use super::{SkBranches, Sparsity};
use crate::cpu::CpuContext;
use crate::cpu::simd::{Lanes, Quad, add_lanes, at_least, load, mul_add_lanes, multiply_add_quad, splat, store};
use crate::graph::Conv2d;
use crate::plan::{LANES, View};
use pulp::{Arch, Simd, WithSimd};
use std::array::from_fn;

/// Pixels of a row that are computed together: as many sums, beside the weights of a tap, as 16 registers hold, and a divisor
/// of the widths that a picture of 224 pixels has in the units of SKNet.
const WIDE: usize = 7;
/// The same for rows that those would fill badly.
const NARROW: usize = 4;
/// Taps of a depthwise branch that are added in one pass over a row: those of 3×3, the weights in registers.
const TAPS: usize = 9;

/// The input quads that an output quad reads, each with the zeros that the taps at the border read.
struct Planes {
    values: Vec<Quad>,
    /// Positions of a quad.
    len: usize,
    width: usize,
    /// Zeros on each side.
    border: usize,
}

impl Planes {
    /// With at least as many columns as a tile needs; all zero.
    fn new(step: &SkBranches, x: &View) -> Self {
        let border = step.convs.iter().map(|c| c.padding).max().unwrap_or(0);
        let stride = step.convs[0].stride;
        let width = x.width.max(WIDE * stride) + 2 * border;
        let len = width * (x.height + 2 * border);
        // The last window of a row may be one of `stride` columns.
        Self { values: vec![[0.0; LANES]; step.sparsity().count * len + stride - 1], len, width, border }
    }

    /// Reads the quads of batch item `n` from `first` on.
    fn read(&mut self, x: &View, values: &[f32], n: usize, first: usize) {
        for (quad, plane) in self.values.chunks_exact_mut(self.len).enumerate() {
            for (row, line) in plane.chunks_exact_mut(self.width).skip(self.border).take(x.height).enumerate() {
                let (from, _) = values[x.offset(n, row * x.width, first + quad)..].as_chunks::<LANES>();
                let pixels = line[self.border..][..x.width].iter_mut();
                pixels.zip(from.iter().step_by(x.stride)).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// Where the taps of a pixel lie, from its first one on: tap by tap in each of `quads` successive planes.
    fn taps(&self, conv: &Conv2d, quads: usize) -> Vec<usize> {
        let taps = (0..conv.kernel.pow(2)).map(|tap| tap / conv.kernel * self.width + tap % conv.kernel);
        taps.flat_map(|tap| (0..quads).map(move |quad| quad * self.len + tap * conv.dilation)).collect()
    }
}

pub(super) fn run(step: &SkBranches, context: &mut CpuContext) {
    let (x, sums) = (context.view(step.input), context.view(step.partial_sums));
    let branches: Vec<_> = step.outputs.iter().map(|&u| context.view(u)).collect();
    let batch = context.batch;
    let sparsity = step.sparsity();
    let mut planes = Planes::new(step, x);
    let taps: Vec<_> = step.convs.iter().map(|conv| planes.taps(conv, sparsity.count)).collect();
    let arch = Arch::new();
    context.write(step.outputs[0], |context, u| {
        context.write(step.partial_sums, |context, partial_sums| {
            let [weights, biases] = [0, 1].map(|i| context.floats(i).as_chunks().0);
            let values = context.read(step.input);
            let (branches, taps) = (branches.as_slice(), taps.as_slice());
            for n in 0..batch {
                let (u, partial_sums, planes) = (&mut *u, &mut *partial_sums, &mut planes);
                let item = Item {
                    step,
                    sparsity,
                    x,
                    values,
                    planes,
                    taps,
                    weights,
                    biases,
                    branches,
                    u,
                    sums,
                    partial_sums,
                    n,
                };
                match (step.convs[0].stride, sparsity.is_depthwise()) {
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
    sparsity: Sparsity,
    x: &'a View,
    values: &'a [f32],
    planes: &'a mut Planes,
    /// [`Planes::taps`] of each branch.
    taps: &'a [Vec<usize>],
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
        let width = self.0.branches[0].width;
        // A tile costs about what one pixel more would. Units with a stride are few: not worth more code.
        let cost = |pixels: usize| width.div_ceil(pixels) * (pixels + 1);
        if STRIDE == 1 && ROWS != 1 && cost(WIDE) <= cost(NARROW) {
            self.0.run::<S, STRIDE, ROWS, WIDE>();
        } else {
            self.0.run::<S, STRIDE, ROWS, NARROW>();
        }
    }
}

impl Item<'_> {
    #[inline(always)]
    fn run<S: Simd, const STRIDE: usize, const ROWS: usize, const PIXELS: usize>(self) {
        let Self { step, sparsity, x, values, planes, taps, weights, biases, branches, u, sums, partial_sums, n } =
            self;
        let (height, width) = (branches[0].height, branches[0].width);
        let per_quad = taps[0].len() * ROWS;
        for part in 0..sums.positions() {
            partial_sums[sums.offset(n, part, 0)..][..sparsity.quads * LANES].fill(0.0);
        }
        let mut line = vec![[0.0; LANES]; width.max(PIXELS)];
        for quad in 0..sparsity.quads {
            let first = sparsity.first(quad);
            if quad == 0 || first != sparsity.first(quad - 1) {
                planes.read(x, values, n, first);
            }
            let mut total = splat(0.0);
            for (m, ((view, conv), taps)) in branches.iter().zip(&step.convs).zip(taps).enumerate() {
                let index = m * sparsity.quads + quad;
                let weights = weights[index * per_quad..][..per_quad].as_chunks::<ROWS>().0;
                let bias = biases[index];
                let inset = planes.border - conv.padding;
                for row in 0..height {
                    let input = &planes.values[(row * STRIDE + inset) * planes.width + inset..];
                    if ROWS == 1 {
                        line.fill(bias);
                        for (taps, weights) in taps.chunks(TAPS).zip(weights.as_flattened().chunks(TAPS)) {
                            add_taps::<S, STRIDE>(&mut line[..width], input, taps, weights);
                        }
                    } else {
                        for column in (0..width).step_by(PIXELS) {
                            // The last tile of a row computes some pixels again.
                            let first = column.min(width.saturating_sub(PIXELS));
                            let tile =
                                tile::<S, STRIDE, ROWS, PIXELS>(&input[first * STRIDE..], taps, weights, load(bias));
                            line[first..][..PIXELS].iter_mut().zip(tile).for_each(|(to, sum)| *to = store(sum));
                        }
                    }
                    let (to, _) = u[view.offset(n, row * width, quad)..].as_chunks_mut::<LANES>();
                    for (to, sum) in to.iter_mut().step_by(view.stride).zip(&line[..width]) {
                        let value = at_least(load(*sum), splat(0.0));
                        total = add_lanes(value, total);
                        *to = store(value);
                    }
                }
            }
            partial_sums[sums.offset(n, 0, quad)..][..LANES].copy_from_slice(&store(total));
        }
    }
}

/// Adds up to [`TAPS`] taps to each pixel of a row, those of the first of them from the start of `planes`.
#[inline(always)]
fn add_taps<S: Simd, const STRIDE: usize>(line: &mut [Quad], planes: &[Quad], taps: &[usize], weights: &[Quad]) {
    let last = taps.len() - 1;
    let rows: [_; TAPS] = from_fn(|i| &planes[taps[i.min(last)]..].as_chunks::<STRIDE>().0[..line.len()]);
    let weights: [_; TAPS] = from_fn(|i| if i <= last { load(weights[i]) } else { splat(0.0) });
    for (pixel, sum) in line.iter_mut().enumerate() {
        let products = rows.iter().zip(weights);
        *sum = store(products.fold(load(*sum), |sum, (row, w)| mul_add_lanes::<S>(load(row[pixel][0]), w, sum)));
    }
}

/// One output quad of successive pixels of a row, the first taps of the first of them from the start of `planes`.
#[inline(always)]
fn tile<S: Simd, const STRIDE: usize, const ROWS: usize, const PIXELS: usize>(
    planes: &[Quad],
    taps: &[usize],
    weights: &[[Quad; ROWS]],
    bias: Lanes,
) -> [Lanes; PIXELS] {
    let mut sums = [bias; PIXELS];
    for (tap, rows) in taps.iter().zip(weights) {
        let window = &planes[*tap..][..(PIXELS - 1) * STRIDE + 1];
        let rows = rows.map(load);
        for (pixel, sum) in sums.iter_mut().enumerate() {
            *sum = multiply_add_quad::<S, ROWS>(*sum, &window[pixel * STRIDE], &rows);
        }
    }
    sums
}
