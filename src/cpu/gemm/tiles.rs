//! The product in tiles that stay in registers: 6 rows by 2 quads of columns, which fill the 16 registers of x86 behind
//! WebAssembly: 12 sums, a quad of each of the two columns, a value of the left matrix and a product.
//!
//! A tile reads its panel of the right matrix from front to back.

use super::{Finish, Matrix, Output};
use crate::cpu::simd::{Lanes, Quad, add_lanes, at_least, load, mul_add_lanes, splat, store};
use crate::plan::LANES;
use pulp::Scalar;
use std::array::from_fn;

/// Rows of a tile, at most.
const ROWS: usize = 6;
/// Quads of columns of a tile, at most.
const QUADS: usize = 2;
/// Columns of a panel.
pub(super) const PANEL: usize = QUADS * LANES;
/// Rows of a panel that are worked on at once: half of a first-level cache.
const DEPTH: usize = 512;
/// Rows of a panel between tests for the end.
const UNROLLED: usize = 4;

/// [`super::affine`] for matrices that were checked, b in panels.
pub(super) fn product([m, k, n]: [usize; 3], a: Matrix, b: &[f32], finish: Finish, out: &mut Output) {
    let height = b.len() / n;
    for start in (0..k).step_by(DEPTH) {
        let depth = DEPTH.min(k - start);
        let a = Matrix { values: &a.values[start..], ..a };
        let step = Step { a, depth, finish, first: start == 0, last: start + depth == k };
        for column in (0..n).step_by(PANEL) {
            let (b, _) = b[column * height..].as_chunks::<LANES>();
            if n - column >= PANEL {
                step.columns::<QUADS>(m, &b.as_chunks().0[start..height], column, out);
            } else {
                step.columns::<1>(m, &b.as_chunks().0[start..height], column, out);
            }
        }
    }
}

/// What successive columns of the left matrix add to a product.
struct Step<'a> {
    a: Matrix<'a>,
    /// How many.
    depth: usize,
    finish: Finish<'a>,
    /// Whether the result holds nothing yet.
    first: bool,
    last: bool,
}

impl Step<'_> {
    /// `Q` quads of columns of the result, from `column` on; b starts at the first of those columns.
    fn columns<const Q: usize>(&self, m: usize, b: &[[Quad; Q]], column: usize, out: &mut Output) {
        let Self { a, depth, finish: Finish { bias, residual, relu }, first, last } = *self;
        let bias: [Lanes; Q] = from_fn(|q| if first { load(quad(&bias[column + q * LANES..])) } else { splat(0.0) });
        let least = splat(if last && relu { 0.0 } else { f32::NEG_INFINITY });
        let slots: [usize; Q] = from_fn(|q| out.slots[column / LANES + q] as usize * LANES);
        let mut sums = [[[0.0; LANES]; Q]; ROWS];
        // Tiles of nearly equal height: a low one takes almost as long as a high one.
        let tiles = m.div_ceil(ROWS);
        for tile in 0..tiles {
            let (start, end) = (m * tile / tiles, m * (tile + 1) / tiles);
            let a = a.from_row(start);
            match end - start {
                6 => rows::<6, Q>(a, depth, b, &mut sums),
                5 => rows::<5, Q>(a, depth, b, &mut sums),
                4 => rows::<4, Q>(a, depth, b, &mut sums),
                3 => rows::<3, Q>(a, depth, b, &mut sums),
                2 => rows::<2, Q>(a, depth, b, &mut sums),
                _ => row(&a.values[..depth], &b[..depth], &mut sums[0]),
            }
            let height = end - start;
            let to = &mut out.values[start * out.stride..];
            if !first {
                for (sums, to) in sums[..height].iter_mut().zip(to.chunks(out.stride)) {
                    add(sums, from_fn(|q| &to[slots[q]..]));
                }
            } else if let Some(residual) = residual.map(|residual| residual.from_row(start)) {
                for (sums, from) in sums[..height].iter_mut().zip(residual.values.chunks(residual.stride)) {
                    add(sums, from_fn(|q| &from[column + q * LANES..]));
                }
            }
            for (sums, to) in sums[..height].iter().zip(to.chunks_mut(out.stride)) {
                for q in 0..Q {
                    let sum = at_least(add_lanes(load(sums[q]), bias[q]), least);
                    to[slots[q]..][..LANES].copy_from_slice(&store(sum));
                }
            }
        }
    }
}

/// Adds the first quad of each of `values`.
fn add<const Q: usize>(sums: &mut [Quad; Q], values: [&[f32]; Q]) {
    for (sum, values) in sums.iter_mut().zip(values) {
        *sum = store(add_lanes(load(*sum), load(quad(values))));
    }
}

/// One row of a product, the sums of every fourth one apart from each other, which hides the latency of an addition.
fn row<const Q: usize>(a: &[f32], b: &[[Quad; Q]], result: &mut [Quad; Q]) {
    let mut sums = [[splat(0.0); Q]; UNROLLED];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<UNROLLED>(), b.as_chunks::<UNROLLED>());
    for (a, b) in a.iter().zip(b) {
        add_products(&mut sums, a, b);
    }
    add_products(&mut sums, rest_of_a, rest_of_b);
    for (q, result) in result.iter_mut().enumerate() {
        *result = store(sums.iter().fold(splat(0.0), |total, sums| add_lanes(sums[q], total)));
    }
}

/// Adds the products of as many values of a row as there are.
#[inline(always)]
fn add_products<const Q: usize>(sums: &mut [[Lanes; Q]; UNROLLED], a: &[f32], b: &[[Quad; Q]]) {
    for (sums, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = mul_add_lanes::<Scalar>(splat(*a), load(*b), *sum);
        }
    }
}

/// The first `R` rows of a product of `depth` columns of a with as many rows of b.
fn rows<const R: usize, const Q: usize>(a: Matrix, depth: usize, b: &[[Quad; Q]], result: &mut [[Quad; Q]; ROWS]) {
    let blocks = depth.div_ceil(UNROLLED);
    let a: [&[[f32; UNROLLED]]; R] = from_fn(|r| &a.values[r * a.stride..].as_chunks().0[..blocks]);
    let mut sums = [[splat(0.0); Q]; R];
    let mut left = depth;
    for (l, b) in b.as_chunks::<UNROLLED>().0[..blocks].iter().enumerate() {
        // Compilers do not move what belongs to one row of b across the tests. Without them they add all products of one sum
        // after the other, which needs more registers than there are.
        add_outer(&mut sums, |r| a[r][l][0], &b[0]);
        if left == 1 {
            break;
        }
        add_outer(&mut sums, |r| a[r][l][1], &b[1]);
        if left == 2 {
            break;
        }
        add_outer(&mut sums, |r| a[r][l][2], &b[2]);
        if left == 3 {
            break;
        }
        add_outer(&mut sums, |r| a[r][l][3], &b[3]);
        left -= UNROLLED;
    }
    for (result, sums) in result.iter_mut().zip(sums) {
        *result = sums.map(store);
    }
}

/// Adds the products of a column of the left matrix, read value by value, and a row of the right one.
#[inline(always)]
fn add_outer<const R: usize, const Q: usize>(sums: &mut [[Lanes; Q]; R], a: impl Fn(usize) -> f32, b: &[Quad; Q]) {
    let b = b.map(load);
    for (r, sums) in sums.iter_mut().enumerate() {
        let a = splat(a(r));
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = mul_add_lanes::<Scalar>(a, b, *sum);
        }
    }
}

/// The first quad of `values`.
fn quad(values: &[f32]) -> Quad {
    from_fn(|i| values[i])
}
