//! Matrix products with what follows them, single-threaded and with SIMD, on checked slices.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(any(target_arch = "wasm32", test))]
mod tiles;

use crate::plan::LANES;

#[cfg(not(target_arch = "wasm32"))]
use native::{PANEL, product};
#[cfg(target_arch = "wasm32")]
use tiles::{PANEL, product};

/// A row-major matrix in a slice.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The values; row `r` starts at `r · stride`.
    pub values: &'a [f32],
    /// Floats from one row to the next.
    pub stride: usize,
}

impl Matrix<'_> {
    /// The rows from `first` on.
    pub fn from_row(self, first: usize) -> Self {
        Self { values: &self.values[first * self.stride..], ..self }
    }
}

/// What is done to a product before it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// Added to every row.
    pub bias: &'a [f32],
    /// Added too.
    pub residual: Option<Matrix<'a>>,
    /// Whether negative results become zero.
    pub relu: bool,
}

/// Where a result lies: quad `q` of row `r` starts at `r · stride + 4 · slots[q]`.
#[derive(Debug)]
pub struct Output<'a> {
    /// The slice.
    pub values: &'a mut [f32],
    /// Floats from one row to the next.
    pub stride: usize,
    /// Quad of each quad of columns.
    pub slots: &'a [u32],
}

/// The smallest slice that holds `rows` rows of `columns` floats, `stride` apart.
fn extent(rows: usize, columns: usize, stride: usize) -> usize {
    assert!(columns <= stride || rows <= 1, "rows of {columns} floats overlap at a stride of {stride}");
    if rows == 0 { 0 } else { (rows - 1) * stride + columns }
}

/// Puts the `rows × columns` matrix at the start of `values`, whose elements have `size` bytes, into the order in which
/// [`affine`] reads its right matrix: panels of a few columns, each row by row, the last one perhaps narrower.
pub fn arrange(values: &mut [u8], rows: usize, columns: usize, size: usize) {
    in_panels(PANEL, values, rows, columns, size);
}

/// [`arrange`] for panels of that many columns.
fn in_panels(panel: usize, values: &mut [u8], rows: usize, columns: usize, size: usize) {
    let (stride, widest) = (columns * size, panel * size);
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

/// `out = act(a · b + bias + residual)` for a of m × k and b of k × n, which is [`arrange`]d; n is a multiple of 4. Where k is
/// none, rows of a go on up to the next one and b has at least as many rows, whatever they hold.
///
/// # Panics
/// If a slice is shorter than its matrix, rows overlap, or n is no multiple of 4.
pub fn affine(size: [usize; 3], a: Matrix, b: &[f32], finish: Finish, out: &mut Output) {
    check(size, a, b, finish, out);
    product(size, a, b, finish, out);
}

fn check([m, k, n]: [usize; 3], a: Matrix, b: &[f32], finish: Finish, out: &Output) {
    assert!(n.is_multiple_of(LANES), "the right matrix has {n} columns, which are not whole quads");
    let depth = k.next_multiple_of(LANES);
    assert!(a.values.len() >= extent(m, k, a.stride) + depth - k, "the left matrix is shorter than {m} × {k}");
    assert!(b.len() >= depth * n && b.len().is_multiple_of(n), "the right matrix is shorter than {k} × {n}");
    assert!(finish.bias.len() >= n, "there are fewer than {n} biases");
    if let Some(residual) = finish.residual {
        assert!(residual.values.len() >= extent(m, n, residual.stride), "the residual is shorter than {m} × {n}");
    }
    assert_eq!(out.slots.len() * LANES, n, "the result has other columns than the product");
    let columns = out.slots.iter().max().map_or(0, |&slot| (slot as usize + 1) * LANES);
    assert!(out.values.len() >= extent(m, columns, out.stride), "the result is shorter than {m} × {n}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An implementation and the columns of its panels.
    type Product = (fn([usize; 3], Matrix, &[f32], Finish, &mut Output), usize);

    #[test]
    fn multiplies_strided_rows() {
        let products: [Product; 2] = [(product, PANEL), (tiles::product, tiles::PANEL)];
        let mut rng = fastrand::Rng::with_seed(3);
        for trial in 0..160 {
            // Some are deeper than what is worked on at once.
            let [m, k, n] = [rng.usize(1..40), rng.usize(1..70) * (1 + trial % 2 * 19), 4 * rng.usize(1..30)];
            let mut slots: Vec<u32> = (0..n as u32 / 4 + rng.u32(..3)).collect();
            if rng.bool() {
                rng.shuffle(&mut slots);
            }
            let sc = slots.len() * 4 + rng.usize(..5);
            slots.truncate(n / 4);
            let [sa, sr] = [k + rng.usize(..5), n + rng.usize(..5)];
            let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() - 0.5).collect() };
            let rows = k.next_multiple_of(4);
            let (a, b, bias) = (random(m * sa + rows - k), random(rows * n), random(n));
            let (r, before) = (random(m * sr), random(m * sc));
            let residual = rng.bool().then_some(Matrix { values: &r, stride: sr });
            let finish = Finish { bias: &bias, residual, relu: rng.bool() };
            let results = products.map(|(product, panel)| {
                let matrix = Matrix { values: &a, stride: sa };
                let (mut c, mut b) = (before.clone(), b.clone());
                in_panels(panel, bytemuck::cast_slice_mut(&mut b), rows, n, size_of::<f32>());
                let mut out = Output { values: &mut c, stride: sc, slots: &slots };
                check([m, k, n], matrix, &b, finish, &out);
                product([m, k, n], matrix, &b, finish, &mut out);
                c
            });
            let mut expected: Vec<f64> = before.iter().map(|&v| f64::from(v)).collect();
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let product = |l: usize| f64::from(a[i * sa + l]) * f64::from(b[l * n + j]);
                let residual = residual.map_or(0.0, |r| f64::from(r.values[i * sr + j]));
                let sum = (0..k).map(product).sum::<f64>() + f64::from(bias[j]) + residual;
                expected[i * sc + slots[j / 4] as usize * 4 + j % 4] = if finish.relu { sum.max(0.0) } else { sum };
            }
            for c in &results {
                let wrong = c.iter().zip(&expected).position(|(c, e)| (f64::from(*c) - e).abs() > 1e-4);
                assert_eq!(wrong, None, "{m} × {k} × {n}");
            }
        }
    }

    /// Few and small, for Miri; each slice ends with its matrix, so that an access beyond is one outside.
    #[test]
    fn small_products_stay_inside_their_slices() {
        for [m, k, n] in [[1_usize, 1, 4], [3, 2, 4], [7, 5, 8]] {
            let rows = k.next_multiple_of(4);
            let (a, mut b) = (vec![1.0_f32; extent(m, k, k + 1) + rows - k], vec![1.0_f32; rows * n]);
            arrange(bytemuck::cast_slice_mut(&mut b), rows, n, size_of::<f32>());
            let finish = Finish { bias: &vec![0.5; n], residual: None, relu: false };
            let stride = n + 3;
            let mut c = vec![0.25; extent(m, n, stride)];
            let slots: Vec<u32> = (0..n as u32 / 4).collect();
            let mut out = Output { values: &mut c, stride, slots: &slots };
            affine([m, k, n], Matrix { values: &a, stride: k + 1 }, &b, finish, &mut out);
            for (at, value) in c.iter().enumerate() {
                let expected = if at % stride < n { k as f32 + 0.5 } else { 0.25 };
                assert_eq!(*value, expected, "{m} × {k} × {n} at {at}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "the result is shorter than 2 × 4")]
    fn refuses_a_short_result() {
        let ones = Matrix { values: &[1.0; 8], stride: 4 };
        let finish = Finish { bias: &[0.0; 4], residual: None, relu: false };
        let mut out = Output { values: &mut [0.0; 7], stride: 4, slots: &[0] };
        affine([2, 4, 4], ones, &[1.0; 16], finish, &mut out);
    }
}
