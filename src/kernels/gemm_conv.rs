//! Convolutions on the CPU as products of a matrix of input rows, one per output pixel, with the packed weights.

use super::conv_step::{ConvStep, blocks};
use crate::cpu::CpuContext;
use crate::cpu::gemm::{Finish, Matrix, Output, affine};
use crate::plan::{LANES, View};

/// Floats of input or output rows that are worked on at once, so that they stay in the cache.
const PANEL: usize = if cfg!(target_arch = "wasm32") { 1 << 13 } else { 1 << 16 };
/// Rows below which reading the weights again for each panel costs more than the cache saves.
const MIN_ROWS: usize = 64;

/// Computes `step`, whose first constant is the `width × lanes of y` matrix and the bias. The input row of an output
/// position lies at that position of `stored`, or else is filled in by `fill(context, item, position, row)`, where it may
/// be followed by up to three floats of any value.
pub(super) fn run(
    step: &ConvStep,
    context: &mut CpuContext,
    width: usize,
    stored: Option<&View>,
    mut fill: impl FnMut(&CpuContext, usize, usize, &mut [f32]),
) {
    let y = context.view(step.output);
    let columns = y.quads() * LANES;
    let rows = (PANEL / width.max(columns)).clamp(MIN_ROWS, 512);
    let stride = width + LANES - 1;
    let mut left = vec![0.0; if stored.is_some() { 0 } else { rows.min(y.positions()) * stride }];
    context.write(step.output, |context, out| {
        let constants = context.floats(0);
        let (weights, bias) = constants.split_at(constants.len() - columns);
        let residual = step.residual.map(|id| (context.view(id), context.read(id)));
        for (n, panel) in (0..context.batch).flat_map(|n| blocks(y.positions(), rows).map(move |panel| (n, panel))) {
            let a = match stored {
                Some(x) => rows_of(x, context.read(step.input), n, panel.start),
                None => {
                    panel.clone().zip(left.chunks_exact_mut(stride)).for_each(|(p, row)| fill(context, n, p, row));
                    Matrix { values: &left, stride }
                }
            };
            let residual = residual.map(|(view, values)| rows_of(view, values, n, panel.start));
            let finish = Finish { bias, residual, relu: step.relu };
            let values = &mut out[(n * y.item + y.base + panel.start * y.stride) * LANES..];
            let mut out = Output { values, stride: y.stride * LANES, slots: &y.slots };
            affine([panel.len(), width, columns], a, weights, finish, &mut out);
        }
    });
}

/// Copies quads from `values` to `row`, each from the first float of a move to the second.
pub(super) fn copy(moves: &[(usize, usize)], values: &[f32], row: &mut [f32]) {
    for &(from, to) in moves {
        row[to..][..LANES].copy_from_slice(&values[from..][..LANES]);
    }
}

/// The quads of `view`, which follow each other, from position `p` of batch item `n` on: one row per position.
fn rows_of<'a>(view: &View, values: &'a [f32], n: usize, p: usize) -> Matrix<'a> {
    Matrix { values: &values[view.offset(n, p, 0)..], stride: view.stride * LANES }
}
