//! Plain loops over small arrays, compiled for the widest instruction set of the machine.
//!
//! A kernel implements [`pulp::WithSimd`] with `#[inline(always)]` functions and runs through `Arch::new().dispatch`:
//! LLVM then vectorises its loops with AVX2 or AVX-512 natively, and with simd128 where the wasm build enables it.

use pulp::Simd;

/// `a · b + c`, fused where `S` has an instruction for it; never a library call.
#[inline(always)]
pub fn mul_add<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::IS_SCALAR || cfg!(target_arch = "wasm32") { a * b + c } else { a.mul_add(b, c) }
}

/// `max(v, 0)`, but NaN for NaN, so that an overflow shows in the results; one instruction.
#[inline(always)]
pub fn relu(v: f32) -> f32 {
    if v < 0.0 { 0.0 } else { v }
}
