//! The product by the crate `gemm`, which picks the machine's widest instruction set.

use super::Matrix;

/// `c += a · b` for matrices that were checked, b row by row.
pub(super) fn add_product([m, k, n]: [usize; 3], a: Matrix, b: &[f32], c: &mut [f32], c_stride: usize) {
    // SAFETY: the assertions of the caller keep every access of the three strided matrices inside its
    // slice and the rows of c apart, c is borrowed exclusively, and f32 is an element type that gemm supports.
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
