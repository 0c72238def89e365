//! Matrix multiplication, single-threaded and with SIMD, on checked slices.

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

/// `c += a · b` for a of m × k, b of k × n and c of m × n with rows `c_stride` floats apart.
///
/// # Panics
/// If a slice is shorter than its matrix, or rows overlap.
pub fn multiply_add([m, k, n]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], c_stride: usize) {
    assert!(a.values.len() >= extent(m, k, a.stride), "the left matrix is shorter than {m} × {k}");
    assert!(b.values.len() >= extent(k, n, b.stride), "the right matrix is shorter than {k} × {n}");
    assert!(c.len() >= extent(m, n, c_stride), "the result is shorter than {m} × {n}");
    // SAFETY: the assertions keep every access of the three strided matrices inside its slice and the rows of c apart,
    // c is borrowed exclusively, and f32 is an element type that gemm supports.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_stride as isize,
            true,
            a.values.as_ptr(),
            1,
            a.stride as isize,
            b.values.as_ptr(),
            1,
            b.stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_strided_rows() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..60 {
            let [m, k, n] = [rng.usize(1..40), rng.usize(1..70), rng.usize(1..40)];
            let [sa, sb, sc] = [k + rng.usize(..5), n + rng.usize(..5), n + rng.usize(..5)];
            let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() - 0.5).collect() };
            let (a, b, before) = (random(m * sa), random(k * sb), random(m * sc));
            let mut c = before.clone();
            let matrix = |values, stride| Matrix { values, stride };
            multiply_add([m, k, n], matrix(&a, sa), matrix(&b, sb), &mut c, sc);
            for i in 0..m {
                for j in 0..sc {
                    let product = |l: usize| f64::from(a[i * sa + l]) * f64::from(b[l * sb + j]);
                    let sum: f64 = if j < n { (0..k).map(product).sum() } else { 0.0 };
                    let expected = f64::from(before[i * sc + j]) + sum;
                    assert!((f64::from(c[i * sc + j]) - expected).abs() < 1e-4, "{m} × {k} × {n} at {i}, {j}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "the result is shorter than 2 × 2")]
    fn refuses_a_short_result() {
        let ones = Matrix { values: &[1.0; 4], stride: 2 };
        multiply_add([2, 2, 2], ones, ones, &mut [0.0; 3], 2);
    }
}
