//! Matrix multiplication, single-threaded and with SIMD, on checked slices.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(any(target_arch = "wasm32", test))]
mod tiles;

#[cfg(not(target_arch = "wasm32"))]
use native::product;
#[cfg(target_arch = "wasm32")]
use tiles::product;

/// A row-major matrix in a slice.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The values; row `r` starts at `r · stride`.
    pub values: &'a [f32],
    /// Floats from one row to the next.
    pub stride: usize,
}

/// The smallest slice that holds `rows` rows of `columns` floats, `stride` apart.
fn extent(rows: usize, columns: usize, stride: usize) -> usize {
    assert!(columns <= stride || rows <= 1, "rows of {columns} floats overlap at a stride of {stride}");
    if rows == 0 { 0 } else { (rows - 1) * stride + columns }
}

/// `c += a · b` for a of m × k, b of k × n and c of m × n with rows `c_stride` floats apart; n is a multiple of 4.
///
/// # Panics
/// If a slice is shorter than its matrix, rows overlap, or n is no multiple of 4.
pub fn multiply_add(size: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], c_stride: usize) {
    let [m, k, n] = size;
    assert!(n.is_multiple_of(4), "the right matrix has {n} columns, which are not whole quads");
    assert!(a.values.len() >= extent(m, k, a.stride), "the left matrix is shorter than {m} × {k}");
    assert!(b.values.len() >= extent(k, n, b.stride), "the right matrix is shorter than {k} × {n}");
    assert!(c.len() >= extent(m, n, c_stride), "the result is shorter than {m} × {n}");
    product(size, a, b, c, c_stride);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [`multiply_add`] or one of its implementations.
    type Product = fn([usize; 3], Matrix, Matrix, &mut [f32], usize);

    #[test]
    fn multiplies_strided_rows() {
        let products: [Product; 2] = [multiply_add, tiles::product];
        let mut rng = fastrand::Rng::with_seed(3);
        for trial in 0..120 {
            // Some are deeper than what is worked on at once.
            let [m, k, n] = [rng.usize(1..40), rng.usize(1..70) * (1 + trial % 2 * 19), 4 * rng.usize(1..12)];
            let [sa, sb, sc] = [k + rng.usize(..5), n + rng.usize(..5), n + rng.usize(..5)];
            let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() - 0.5).collect() };
            let (a, b, before) = (random(m * sa), random(k * sb), random(m * sc));
            let matrix = |values, stride| Matrix { values, stride };
            let results = products.map(|product| {
                let mut c = before.clone();
                product([m, k, n], matrix(&a, sa), matrix(&b, sb), &mut c, sc);
                c
            });
            for (i, j) in (0..m).flat_map(|i| (0..sc).map(move |j| (i, j))) {
                let product = |l: usize| f64::from(a[i * sa + l]) * f64::from(b[l * sb + j]);
                let sum: f64 = if j < n { (0..k).map(product).sum() } else { 0.0 };
                let expected = f64::from(before[i * sc + j]) + sum;
                for c in &results {
                    assert!((f64::from(c[i * sc + j]) - expected).abs() < 1e-4, "{m} × {k} × {n} at {i}, {j}");
                }
            }
        }
    }

    /// Few and small, for Miri; each slice ends with its matrix, so that an access beyond is one outside.
    #[test]
    fn small_products_stay_inside_their_slices() {
        for [m, k, n] in [[1, 1, 4], [3, 2, 4], [7, 5, 8]] {
            let ones = |rows, columns, stride| vec![1.0_f32; extent(rows, columns, stride)];
            let (a, b) = (ones(m, k, k + 1), ones(k, n, n + 2));
            let (a, b) = (Matrix { values: &a, stride: k + 1 }, Matrix { values: &b, stride: n + 2 });
            let stride = n + 3;
            let mut c = vec![0.5; extent(m, n, stride)];
            multiply_add([m, k, n], a, b, &mut c, stride);
            for (at, value) in c.iter().enumerate() {
                let product = if at % stride < n { k as f32 } else { 0.0 };
                assert_eq!(*value, 0.5 + product, "{m} × {k} × {n} at {at}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "the result is shorter than 2 × 4")]
    fn refuses_a_short_result() {
        let ones = Matrix { values: &[1.0; 8], stride: 4 };
        multiply_add([2, 2, 4], ones, ones, &mut [0.0; 7], 4);
    }
}
