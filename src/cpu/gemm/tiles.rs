//! The product in tiles that stay in registers: 6 rows by 2 quads of columns, which fill the 16 registers of x86 behind
//! WebAssembly: 12 sums, a quad of each of the two columns, a value of the left matrix and a product.

use super::Matrix;
use crate::cpu::simd::{Lanes, load, mul_add_lanes, splat, store};
use crate::plan::LANES;
use pulp::Scalar;
use std::array::from_fn;

/// Rows of a tile, at most.
const ROWS: usize = 6;
/// Quads of columns of a tile, at most.
const QUADS: usize = 2;
/// Rows of the right matrix that are worked on at once: two quads of each are half of a first-level cache.
const DEPTH: usize = 512;

/// Rows of the right matrix between tests for the end.
const UNROLLED: usize = 4;
/// Rows of the left matrix for which the right one is read once, as it lies: copying it would take longer than they do.
const FEW: usize = 2;

/// [`super::multiply_add`] for matrices that were checked.
pub(super) fn product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], c_stride: usize) {
    if m <= FEW {
        for (a, c) in a.values.chunks(a.stride).zip(c.chunks_mut(c_stride)).take(m) {
            row_by_matrix(&a[..k], b, &mut c[..n]);
        }
        return;
    }
    let mut scratch = vec![[0.0; LANES]; QUADS * DEPTH.min(k)];
    for start in (0..k).step_by(DEPTH) {
        let depth = DEPTH.min(k - start);
        let a = Matrix { values: &a.values[start..], ..a };
        let b = Matrix { values: &b.values[start * b.stride..], ..b };
        for column in (0..n).step_by(QUADS * LANES) {
            let b = Matrix { values: &b.values[column..], ..b };
            let c = &mut c[column..];
            if n - column >= QUADS * LANES {
                columns::<QUADS>(m, a, b, c, c_stride, &mut scratch[..QUADS * depth]);
            } else {
                columns::<1>(m, a, b, c, c_stride, &mut scratch[..depth]);
            }
        }
    }
}

/// One row of the result.
fn row_by_matrix(a: &[f32], b: Matrix, c: &mut [f32]) {
    for (a, b) in a.iter().zip(b.values.chunks(b.stride)) {
        let a = splat(*a);
        for (c, b) in c.as_chunks_mut::<LANES>().0.iter_mut().zip(b.as_chunks::<LANES>().0) {
            *c = store(mul_add_lanes::<Scalar>(a, load(*b), load(*c)));
        }
    }
}

/// `Q` quads of columns of the result; `packed` has room for those of b.
fn columns<const Q: usize>(
    m: usize,
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    c_stride: usize,
    packed: &mut [[f32; LANES]],
) {
    let (packed, _) = packed.as_chunks_mut::<Q>();
    for (packed, row) in packed.iter_mut().zip(b.values.chunks(b.stride)) {
        packed.as_flattened_mut().copy_from_slice(&row[..Q * LANES]);
    }
    // Tiles of nearly equal height: a low one takes almost as long as a high one.
    let tiles = m.div_ceil(ROWS);
    for tile in 0..tiles {
        let (first, end) = (m * tile / tiles, m * (tile + 1) / tiles);
        let a = Matrix { values: &a.values[first * a.stride..], ..a };
        let c = &mut c[first * c_stride..];
        match end - first {
            6 => rows::<6, Q>(a, packed, c, c_stride),
            5 => rows::<5, Q>(a, packed, c, c_stride),
            4 => rows::<4, Q>(a, packed, c, c_stride),
            3 => rows::<3, Q>(a, packed, c, c_stride),
            2 => rows::<2, Q>(a, packed, c, c_stride),
            _ => rows::<1, Q>(a, packed, c, c_stride),
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
            add_product(&mut sums, a.map(|a| a[l][i]), b);
        }
    }
    for (l, b) in rest.iter().enumerate() {
        add_product(&mut sums, rest_of_a.map(|a| a[l]), b);
    }
    for (r, sums) in sums.iter().enumerate() {
        for (q, sum) in sums.iter().enumerate() {
            c[r * c_stride + q * LANES..][..LANES].copy_from_slice(&store(*sum));
        }
    }
}

/// Adds the products of a column of the left matrix and a row of the right one.
#[inline(always)]
fn add_product<const R: usize, const Q: usize>(sums: &mut [[Lanes; Q]; R], a: [f32; R], b: &[[f32; LANES]; Q]) {
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
