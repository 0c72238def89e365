//! The product in tiles that stay in registers: 6 rows by 2 quads of columns, which fill the 16 registers of x86 behind
//! WebAssembly: 12 sums, a quad of each of the two columns, a value of the left matrix and a product.
//!
//! The right matrix lies in panels of two quads of columns, the last one perhaps of one, each row by row: a tile reads it
//! from front to back.

use super::Matrix;
use crate::cpu::simd::{Lanes, Quad, add_lanes, load, mul_add_lanes, splat, store};
use crate::plan::LANES;
use pulp::Scalar;
use std::array::from_fn;

/// Rows of a tile, at most.
const ROWS: usize = 6;
/// Quads of columns of a tile, at most.
const QUADS: usize = 2;
/// Rows of a panel that are worked on at once: half of a first-level cache.
const DEPTH: usize = 512;
/// Rows of a panel between tests for the end.
const UNROLLED: usize = 4;

/// [`super::arrange`].
pub(super) fn arrange(values: &mut [u8], rows: usize, columns: usize, size: usize) {
    let (stride, widest) = (columns * size, QUADS * LANES * size);
    let before = values[..rows * stride].to_vec();
    let mut at = 0;
    for column in (0..stride).step_by(widest) {
        let width = (stride - column).min(widest);
        for row in before.chunks_exact(stride) {
            values[at..at + width].copy_from_slice(&row[column..][..width]);
            at += width;
        }
    }
}

/// `c += a · b` for matrices that were checked, b in panels.
pub(super) fn add_product([m, k, n]: [usize; 3], a: Matrix, b: &[f32], c: &mut [f32], c_stride: usize) {
    for start in (0..k).step_by(DEPTH) {
        let end = (start + DEPTH).min(k);
        let a = Matrix { values: &a.values[start..], ..a };
        for column in (0..n).step_by(QUADS * LANES) {
            let (b, _) = b[column * k..].as_chunks::<LANES>();
            let c = &mut c[column..];
            if n - column >= QUADS * LANES {
                columns(m, a, &b.as_chunks::<QUADS>().0[start..end], c, c_stride);
            } else {
                columns(m, a, &b.as_chunks::<1>().0[start..end], c, c_stride);
            }
        }
    }
}

/// `Q` quads of columns of the result.
fn columns<const Q: usize>(m: usize, a: Matrix, b: &[[Quad; Q]], c: &mut [f32], c_stride: usize) {
    // Tiles of nearly equal height: a low one takes almost as long as a high one.
    let tiles = m.div_ceil(ROWS);
    for tile in 0..tiles {
        let (first, end) = (m * tile / tiles, m * (tile + 1) / tiles);
        let a = a.from_row(first);
        let c = &mut c[first * c_stride..];
        match end - first {
            6 => rows::<6, Q>(a, b, c, c_stride),
            5 => rows::<5, Q>(a, b, c, c_stride),
            4 => rows::<4, Q>(a, b, c, c_stride),
            3 => rows::<3, Q>(a, b, c, c_stride),
            2 => rows::<2, Q>(a, b, c, c_stride),
            _ => row(&a.values[..b.len()], b, c),
        }
    }
}

/// One row of the result: `Q` quads of columns, the sums of every fourth product apart from each other, which hides the latency
/// of an addition.
fn row<const Q: usize>(a: &[f32], b: &[[Quad; Q]], c: &mut [f32]) {
    let mut sums = [[splat(0.0); Q]; UNROLLED];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<UNROLLED>(), b.as_chunks::<UNROLLED>());
    for (a, b) in a.iter().zip(b) {
        add_products(&mut sums, a, b);
    }
    add_products(&mut sums, rest_of_a, rest_of_b);
    for (q, c) in c.as_chunks_mut::<LANES>().0.iter_mut().enumerate().take(Q) {
        let total = sums.iter().fold(load(*c), |total, sums| add_lanes(sums[q], total));
        *c = store(total);
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

/// A tile of the result.
fn rows<const R: usize, const Q: usize>(a: Matrix, b: &[[[f32; LANES]; Q]], c: &mut [f32], c_stride: usize) {
    let a: [&[f32]; R] = from_fn(|r| &a.values[r * a.stride..][..b.len()]);
    let mut sums: [[Lanes; Q]; R] = from_fn(|r| from_fn(|q| load(quad(&c[r * c_stride + q * LANES..]))));
    let (unrolled, rest) = b.as_chunks::<UNROLLED>();
    let rest_of_a = a.map(|a| &a[unrolled.len() * UNROLLED..]);
    let a = a.map(|a| &a.as_chunks::<UNROLLED>().0[..unrolled.len()]);
    for (l, b) in unrolled.iter().enumerate() {
        for (i, b) in b.iter().enumerate() {
            add_outer(&mut sums, a.map(|a| a[l][i]), b);
        }
    }
    for (l, b) in rest.iter().enumerate() {
        add_outer(&mut sums, rest_of_a.map(|a| a[l]), b);
    }
    for (r, sums) in sums.iter().enumerate() {
        for (q, sum) in sums.iter().enumerate() {
            c[r * c_stride + q * LANES..][..LANES].copy_from_slice(&store(*sum));
        }
    }
}

/// Adds the products of a column of the left matrix and a row of the right one.
#[inline(always)]
fn add_outer<const R: usize, const Q: usize>(sums: &mut [[Lanes; Q]; R], a: [f32; R], b: &[[f32; LANES]; Q]) {
    let b = b.map(load);
    for (sums, a) in sums.iter_mut().zip(a) {
        let a = splat(a);
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = mul_add_lanes::<Scalar>(a, b, *sum);
        }
    }
}

/// The first quad of `values`.
fn quad(values: &[f32]) -> [f32; LANES] {
    from_fn(|i| values[i])
}
