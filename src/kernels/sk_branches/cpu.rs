//! The CPU twin of `sk_branches.wgsl`.

use super::{SkBranches, Sparsity};
use crate::cpu::CpuContext;
use crate::cpu::simd::{Lanes, Quad, add_lanes, load, multiply_add_quad, relu, splat, store};
use crate::graph::Conv2d;
use crate::plan::{LANES, View};
use pulp::{Arch, Simd, WithSimd};

/// Pixels of a row that are computed together: as many sums, beside the weights of a tap, as 16 registers hold, and a divisor
/// of the widths that a picture of 224 pixels has in the units of SKNet.
const WIDE: usize = 7;
/// The same for rows that those would fill badly.
const NARROW: usize = 4;

/// One batch item of the input, quad by quad, with the zeros that the taps at the border read.
struct Planes {
    values: Vec<Quad>,
    /// Positions of a quad.
    len: usize,
    width: usize,
    /// Zeros on each side.
    border: usize,
}

impl Planes {
    /// With at least as many columns as a tile needs.
    fn new(step: &SkBranches, x: &View, n: usize, values: &[f32]) -> Self {
        let border = step.convs.iter().map(|c| c.padding).max().unwrap_or(0);
        let width = (x.width.max(WIDE * step.convs[0].stride)) + 2 * border;
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
        Self { values: planes, len, width, border }
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
    let arch = Arch::new();
    context.write(step.outputs[0], |context, u| {
        context.write(step.partial_sums, |context, partial_sums| {
            let [weights, biases] = [0, 1].map(|i| context.floats(i).as_chunks().0);
            let values = context.read(step.input);
            let branches = branches.as_slice();
            for n in 0..batch {
                let (u, partial_sums) = (&mut *u, &mut *partial_sums);
                let sparsity = step.sparsity();
                let planes = &Planes::new(step, x, n, values);
                let taps: &Vec<_> = &step.convs.iter().map(|conv| planes.taps(conv, sparsity.count)).collect();
                let item = Item { step, sparsity, planes, taps, weights, biases, branches, u, sums, partial_sums, n };
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
    planes: &'a Planes,
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
        // A tile costs about what one pixel more would. Units with a stride are few, depthwise ones
        // bound by what they load: not worth more code.
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
        let Self { step, sparsity, planes, taps, weights, biases, branches, u, sums, partial_sums, n } = self;
        let (height, width) = (branches[0].height, branches[0].width);
        let per_quad = taps[0].len() * ROWS;
        for part in 0..sums.positions() {
            partial_sums[sums.offset(n, part, 0)..][..sparsity.quads * LANES].fill(0.0);
        }
        for quad in 0..sparsity.quads {
            let input = &planes.values[sparsity.first(quad) * planes.len..][..sparsity.count * planes.len];
            let mut total = splat(0.0);
            for (m, ((view, conv), taps)) in branches.iter().zip(&step.convs).zip(taps).enumerate() {
                let index = m * sparsity.quads + quad;
                let weights = weights[index * per_quad..][..per_quad].as_chunks::<ROWS>().0;
                let bias = load(biases[index]);
                let inset = planes.border - conv.padding;
                for row in 0..height {
                    let line = (row * STRIDE + inset) * planes.width + inset;
                    for column in (0..width).step_by(PIXELS) {
                        // The last tile of a row computes some pixels again.
                        let first = column.min(width.saturating_sub(PIXELS));
                        let tile = tile::<S, STRIDE, ROWS, PIXELS>(input, line + first * STRIDE, taps, weights, bias);
                        let start = view.offset(n, row * width + first, quad);
                        for (pixel, sum) in tile.into_iter().enumerate() {
                            if (column - first..width).contains(&pixel) {
                                let value = store(sum).map(relu);
                                total = add_lanes(load(value), total);
                                u[start + pixel * view.stride * LANES..][..LANES].copy_from_slice(&value);
                            }
                        }
                    }
                }
            }
            partial_sums[sums.offset(n, 0, quad)..][..LANES].copy_from_slice(&store(total));
        }
    }
}

/// One output quad of successive pixels of a row, the first taps of the first of them at `origin` of the planes.
#[inline(always)]
fn tile<S: Simd, const STRIDE: usize, const ROWS: usize, const PIXELS: usize>(
    planes: &[Quad],
    origin: usize,
    taps: &[usize],
    weights: &[[Quad; ROWS]],
    bias: Lanes,
) -> [Lanes; PIXELS] {
    let mut sums = [bias; PIXELS];
    for (tap, rows) in taps.iter().zip(weights) {
        let window = &planes[origin + tap..][..(PIXELS - 1) * STRIDE + 1];
        let rows = rows.map(load);
        for (pixel, sum) in sums.iter_mut().enumerate() {
            *sum = multiply_add_quad::<S, ROWS>(*sum, &window[pixel * STRIDE], &rows);
        }
    }
    sums
}
