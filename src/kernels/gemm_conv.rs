//! Convolutions on the CPU as products of a matrix of input rows, one per output pixel, with the packed weights.

use super::conv_step::{ConvStep, blocks, start_row};
use crate::cpu::CpuContext;
use crate::cpu::gemm::{Matrix, multiply_add};
use crate::cpu::simd::relu;
use crate::plan::{LANES, View};

/// Floats of input or output rows that are worked on at once, so that they stay in the cache.
const PANEL: usize = 1 << 16;
/// Rows below which reading the weights again for each panel costs more than the cache saves.
const MIN_ROWS: usize = 64;

/// Computes `step`, whose first constant is the `width × lanes of y` matrix and the bias. The input row of an output
/// position lies at that position of `stored`, or else is filled in by `fill(context, item, position, row)`.
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
    let mut left = vec![0.0; if stored.is_some() { 0 } else { rows * width }];
    let in_place = y.is_contiguous();
    let mut right = vec![0.0; if in_place { 0 } else { rows * columns }];
    context.write(step.output, |context, out| {
        let (weights, bias) = context.floats(0).split_at(width * columns);
        let weights = Matrix { values: weights, stride: columns };
        let residual = step.residual.map(|id| (context.view(id), context.read(id)));
        for (n, panel) in (0..context.batch).flat_map(|n| blocks(y.positions(), rows).map(move |panel| (n, panel))) {
            let a = match stored {
                Some(x) => {
                    let values = &context.read(step.input)[x.offset(n, panel.start, 0)..];
                    Matrix { values, stride: x.stride * LANES }
                }
                None => {
                    panel.clone().zip(left.chunks_exact_mut(width)).for_each(|(p, row)| fill(context, n, p, row));
                    Matrix { values: &left, stride: width }
                }
            };
            let (c, stride) = match in_place {
                true => (&mut out[y.offset(n, panel.start, 0)..], y.stride * LANES),
                false => (&mut right[..], columns),
            };
            for (p, row) in panel.clone().zip(c.chunks_mut(stride)) {
                let residual = residual.map(|(r, values)| &values[r.offset(n, p, 0)..][..columns]);
                start_row(&mut row[..columns], bias, residual);
            }
            multiply_add([panel.len(), width, columns], a, weights, c, stride);
            if step.relu {
                for row in c.chunks_mut(stride).take(panel.len()) {
                    row[..columns].iter_mut().for_each(|v| *v = relu(*v));
                }
            }
            if !in_place {
                for (p, row) in panel.zip(right.chunks_exact(columns)) {
                    for (k, quad) in row.chunks_exact(LANES).enumerate() {
                        out[y.offset(n, p, k)..][..LANES].copy_from_slice(quad);
                    }
                }
            }
        }
    });
}
