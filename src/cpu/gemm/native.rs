//! The product by the crate `gemm`, which picks the machine's widest instruction set.

use super::{Finish, Matrix, Output};
use crate::cpu::simd::relu;
use crate::plan::LANES;

/// Columns of a panel: a multiple of those that the crate works on at once, few enough for memory to be read from front to back.
/// In a whole matrix of thousands of columns it would read a few of each row, as slowly as memory answers.
pub(super) const PANEL: usize = 48;
/// Rows that are worked on at once where the result's quads lie apart, so that they stay in the cache.
const ROWS: usize = 128;

/// [`super::affine`] for matrices that were checked, b in panels.
pub(super) fn product([m, k, n]: [usize; 3], a: Matrix, b: &[f32], finish: Finish, out: &mut Output) {
    if out.slots.windows(2).all(|w| w[1] == w[0] + 1) {
        let start = out.slots.first().map_or(0, |&slot| slot as usize * LANES);
        return rows([m, k, n], a, b, finish, &mut out.values[start..], out.stride);
    }
    let mut scratch = vec![0.0; ROWS.min(m) * n];
    for first in (0..m).step_by(ROWS) {
        let height = ROWS.min(m - first);
        let residual = finish.residual.map(|residual| residual.from_row(first));
        rows([height, k, n], a.from_row(first), b, Finish { residual, ..finish }, &mut scratch, n);
        for (row, scratch) in (first..).zip(scratch.chunks_exact(n).take(height)) {
            for (slot, quad) in out.slots.iter().zip(scratch.as_chunks::<LANES>().0) {
                out.values[row * out.stride + *slot as usize * LANES..][..LANES].copy_from_slice(quad);
            }
        }
    }
}

/// The product with its columns in a row, `stride` floats from one row to the next.
fn rows([m, k, n]: [usize; 3], a: Matrix, b: &[f32], finish: Finish, c: &mut [f32], stride: usize) {
    for (r, row) in c.chunks_mut(stride).take(m).enumerate() {
        let row = &mut row[..n];
        row.copy_from_slice(&finish.bias[..n]);
        if let Some(residual) = finish.residual {
            row.iter_mut().zip(residual.from_row(r).values).for_each(|(y, r)| *y += r);
        }
    }
    let height = b.len() / n;
    for column in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - column);
        add_product([m, k, width], a, &b[column * height..][..width * height], &mut c[column..], stride);
    }
    if finish.relu {
        for row in c.chunks_mut(stride).take(m) {
            row[..n].iter_mut().for_each(|v| *v = relu(*v));
        }
    }
}

/// `c += a · b`, b row by row, the rows of c `stride` floats apart.
fn add_product([m, k, n]: [usize; 3], a: Matrix, b: &[f32], c: &mut [f32], stride: usize) {
    // SAFETY: the assertions of the callers keep every access of the three strided matrices inside its
    // slice and the rows of c apart, c is borrowed exclusively, and f32 is an element type that gemm supports.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
            true,
            a.values.as_ptr(),
            1,
            a.stride as isize,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
