//! Plain loops over small arrays, compiled for the widest instruction set of the machine, and quads as registers.
//!
//! A kernel implements [`pulp::WithSimd`] with `#[inline(always)]` functions and runs through `Arch::new().dispatch`:
//! LLVM then vectorises its loops with AVX2 or AVX-512 natively, and with simd128 where the wasm build enables it.

use crate::plan::LANES;
use half::f16;
use pulp::{Arch, Simd};

/// `a · b + c`, fused where `S` has an instruction for it; never a library call.
#[inline(always)]
pub fn mul_add<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::IS_SCALAR || cfg!(target_arch = "wasm32") { a * b + c } else { a.mul_add(b, c) }
}

/// The channels of a quad at one position.
pub type Quad = [f32; LANES];

/// `sum + w ∘ x` for one row of weights (depthwise), `sum + Σ wₗ·xₗ` for four.
#[inline(always)]
pub fn multiply_add_quad<S: Simd, const ROWS: usize>(sum: Lanes, x: &Quad, rows: &[Lanes; ROWS]) -> Lanes {
    if ROWS == 1 {
        return mul_add_lanes::<S>(load(*x), rows[0], sum);
    }
    x.iter().zip(rows).fold(sum, |sum, (x, row)| mul_add_lanes::<S>(splat(*x), *row, sum))
}

/// `max(v, 0)`, but NaN for NaN, so that an overflow shows in the results; one instruction.
#[inline(always)]
pub fn relu(v: f32) -> f32 {
    if v < 0.0 { 0.0 } else { v }
}

/// Fills `wide` with `halves`, which are finite.
pub fn widen(halves: &[f16], wide: &mut Vec<f32>) {
    // What brings an exponent from the bias of f16 to that of f32, subnormal numbers included.
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
    wide.clear();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            wide.extend(halves.iter().map(|half| {
                let bits = u32::from(half.to_bits());
                let magnitude = f32::from_bits((bits & 0x7fff) << 13) * SCALE;
                f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
            }));
        },
    );
}

#[cfg(target_arch = "wasm32")]
pub use wasm::{Lanes, add_lanes, at_least, load, mul_add_lanes, splat, store};

#[cfg(not(target_arch = "wasm32"))]
pub use plain::{Lanes, add_lanes, at_least, load, mul_add_lanes, splat, store};

#[cfg(target_arch = "wasm32")]
mod wasm {
    use pulp::Simd;
    use std::arch::wasm32::{f32x4, f32x4_add, f32x4_pmax, f32x4_splat, v128};

    /// Four floats in a register.
    pub type Lanes = v128;

    /// The lanes of `v`.
    #[inline(always)]
    pub fn load([a, b, c, d]: [f32; 4]) -> Lanes {
        f32x4(a, b, c, d)
    }

    /// `v` in every lane.
    #[inline(always)]
    pub fn splat(v: f32) -> Lanes {
        f32x4_splat(v)
    }

    /// `a + b`.
    #[inline(always)]
    pub fn add_lanes(a: Lanes, b: Lanes) -> Lanes {
        f32x4_add(a, b)
    }

    /// `least` where `v` is less, and NaN for NaN.
    #[inline(always)]
    pub fn at_least(v: Lanes, least: Lanes) -> Lanes {
        f32x4_pmax(v, least)
    }

    /// `a · b + c`; fused if the module is built for relaxed SIMD.
    #[inline(always)]
    pub fn mul_add_lanes<S: Simd>(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        #[cfg(target_feature = "relaxed-simd")]
        return std::arch::wasm32::f32x4_relaxed_madd(a, b, c);
        #[cfg(not(target_feature = "relaxed-simd"))]
        return f32x4_add(std::arch::wasm32::f32x4_mul(a, b), c);
    }

    /// The lanes as an array.
    #[inline(always)]
    pub fn store(v: Lanes) -> [f32; 4] {
        bytemuck::cast(v)
    }
}

/// Arrays, which LLVM keeps in registers.
#[cfg(not(target_arch = "wasm32"))]
mod plain {
    use super::mul_add;
    use pulp::Simd;
    use std::array::from_fn;

    /// Four floats.
    pub type Lanes = [f32; 4];

    /// The lanes of `v`.
    #[inline(always)]
    pub fn load(v: [f32; 4]) -> Lanes {
        v
    }

    /// `v` in every lane.
    #[inline(always)]
    pub fn splat(v: f32) -> Lanes {
        [v; 4]
    }

    /// `a + b`.
    #[inline(always)]
    pub fn add_lanes(a: Lanes, b: Lanes) -> Lanes {
        from_fn(|i| a[i] + b[i])
    }

    /// `least` where `v` is less, and NaN for NaN.
    #[inline(always)]
    pub fn at_least(v: Lanes, least: Lanes) -> Lanes {
        from_fn(|i| if v[i] < least[i] { least[i] } else { v[i] })
    }

    /// `a · b + c`; fused where `S` has an instruction for it.
    #[inline(always)]
    pub fn mul_add_lanes<S: Simd>(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        from_fn(|i| mul_add::<S>(a[i], b[i], c[i]))
    }

    /// The lanes as an array.
    #[inline(always)]
    pub fn store(v: Lanes) -> [f32; 4] {
        v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_half_widens_exactly() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|v| v.is_finite()).collect();
        let mut wide = vec![1.0];
        widen(&halves, &mut wide);
        assert_eq!(wide.len(), 2 * 31 * 1024);
        assert!(halves.iter().zip(&wide).all(|(half, v)| half.to_f32().to_bits() == v.to_bits()));
    }
}
