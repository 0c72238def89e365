//! Split of an SK unit: all branches in one pass over the input, with batch norm, ReLU and partial pooling sums.
//!
//! Depthwise branches have one weight quad per tap. Grouped branches of any group size are block-sparse in quads: each
//! output quad reads the run of input quads that its groups need, four weight quads for each.

use super::*;
use crate::graph::Conv2d;
use crate::plan::{LANES, quads};
use crate::weights::FoldedNorm;

mod cpu;

pub(super) const SHADER: &Shader = shader!("sk_branches");
/// Neighbouring pixels of a row that a GPU's thread computes and sums.
const STRIP: usize = 8;
/// Output quads and strips to a workgroup.
const WORKGROUP_QUADS: usize = 8;
const WORKGROUP_STRIPS: usize = 8;
const MAX_BRANCHES: usize = 3;

/// All branches of an SK unit in one pass over the input: `Uₘ = ReLU(BN(conv_m(x)))`, and partial sums of `Σ Uₘ` over
/// positions for the global average pool.
#[derive(Clone, Debug)]
pub struct SkBranches {
    /// One convolution per branch; they differ in dilation (and padding) only.
    pub convs: Vec<Conv2d>,
    /// Batch norm per branch.
    pub norms: Vec<FoldedNorm>,
    /// x, `[C, H, W]`.
    pub input: TensorId,
    /// U₀ … U_{M−1}, in one storage, evenly spaced.
    pub outputs: Vec<TensorId>,
    /// `[C, partial_sums, 1]`: sums over parts of the positions.
    pub partial_sums: TensorId,
}

impl SkBranches {
    /// Whether one step can compute all `convs` of one input: up to three convolutions of stride 1 or 2 that differ in
    /// dilation only and keep the number of channels, with an odd kernel and the padding that centres it.
    pub fn supports(convs: &[Conv2d]) -> bool {
        let Some(first) = convs.first() else { return false };
        let like_first = |c: &Conv2d| {
            (c.in_channels, c.out_channels, c.kernel, c.stride, c.groups)
                == (first.in_channels, first.in_channels, first.kernel, first.stride, first.groups)
                && 2 * c.padding + 1 == c.effective_kernel()
        };
        convs.len() <= MAX_BRANCHES && matches!(first.stride, 1 | 2) && convs.iter().all(like_first)
    }

    /// Number of partial sums for branch outputs of `height × width`: one for every strip of 8 pixels of a row, counted row
    /// by row.
    pub fn partial_sums(height: usize, width: usize) -> usize {
        height * width.div_ceil(STRIP)
    }

    fn sparsity(&self) -> Sparsity {
        Sparsity::new(self.convs[0].in_channels, self.convs[0].groups)
    }
}

/// Which input quads each output quad of a grouped convolution with as many output as input channels reads.
#[derive(Clone, Copy, Debug)]
struct Sparsity {
    /// Channels per group.
    group: usize,
    /// Quads of the input and of the output.
    quads: usize,
    /// Input quads per output quad.
    count: usize,
}

impl Sparsity {
    fn new(channels: usize, groups: usize) -> Self {
        let (group, quads) = (channels / groups, quads(channels));
        let needed = |q: usize| {
            let last = (q * LANES + LANES - 1).min(channels - 1);
            (last / group * group + group - 1) / LANES - q * LANES / group * group / LANES + 1
        };
        Self { group, quads, count: (0..quads).map(needed).max().unwrap_or(1) }
    }
    /// First input quad that output quad `q` reads.
    fn first(&self, q: usize) -> usize {
        (q * LANES / self.group * self.group / LANES).min(self.quads - self.count)
    }
    fn is_depthwise(&self) -> bool {
        self.group == 1
    }
    /// Weight quads for a pair of an output and an input quad.
    fn rows(&self) -> usize {
        if self.is_depthwise() { 1 } else { LANES }
    }
}

impl Kernel for SkBranches {
    fn family(&self) -> &'static str {
        "sk_branches"
    }
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }
    fn outputs(&self) -> Vec<TensorId> {
        self.outputs.iter().copied().chain([self.partial_sums]).collect()
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        if self.input == from {
            self.input = to;
        }
    }
    fn parameters(&self) -> Vec<String> {
        let weights = self.convs.iter().map(|c| c.weight.clone());
        weights.chain(self.norms.iter().flat_map(FoldedNorm::parameters)).collect()
    }
    fn macs(&self, views: &Views) -> u64 {
        let conv = &self.convs[0];
        let per_output = conv.in_channels / conv.groups * conv.kernel.pow(2);
        let outputs = self.outputs.iter().map(|&u| views.of(u)).map(|u| u.positions() * u.channels());
        outputs.map(|outputs| (outputs * per_output) as u64).sum()
    }
    /// Weights `[branch][output quad][tap][input quad][input lane]` of quads of output lanes (depthwise: a single input
    /// quad and no input lane), then biases `[branch][output quad]`.
    fn pack(&self, _views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let sparsity = self.sparsity();
        let Sparsity { group, quads, count, .. } = sparsity;
        let (rows, taps) = (sparsity.rows(), self.convs[0].kernel.pow(2));
        let mut weights = vec![0.0; self.convs.len() * quads * taps * count * rows * LANES];
        let mut biases = vec![0.0; self.convs.len() * quads * LANES];
        for (m, (conv, norm)) in self.convs.iter().zip(&self.norms).enumerate() {
            let (scale, shift) = norm.fold(parameters)?;
            biases[m * quads * LANES..][..shift.len()].copy_from_slice(&shift);
            let weight = parameters.get(&conv.weight)?;
            for (i, &value) in weight.iter().enumerate() {
                let (tap, from, to) = (i % taps, i / taps % group, i / taps / group);
                let from = to / group * group + from;
                let quad = from / LANES - sparsity.first(to / LANES);
                let row = if sparsity.is_depthwise() { 0 } else { from % LANES };
                let at = (((m * quads + to / LANES) * taps + tap) * count + quad) * rows + row;
                weights[at * LANES + to % LANES] = value * scale[to];
            }
        }
        Ok(vec![Packed::Weights(weights), Packed::F32(biases)])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (x, u, sums) = (views.of(self.input), views.of(self.outputs[0]), views.of(self.partial_sums));
        let sparsity = self.sparsity();
        let dilation = |m: usize| self.convs.get(m).map_or(1, |c| c.dilation) as f64;
        let u_step = self.outputs.get(1).map_or(0, |&second| views.of(second).base - u.base);
        let mut constants = vec![
            ("BRANCHES", self.convs.len() as f64),
            ("KERNEL", self.convs[0].kernel as f64),
            ("STRIDE", self.convs[0].stride as f64),
            ("DILATION_0", dilation(0)),
            ("DILATION_1", dilation(1)),
            ("DILATION_2", dilation(2)),
            ("GROUP", sparsity.group as f64),
            ("QUADS", sparsity.quads as f64),
            ("IN_QUADS", sparsity.count as f64),
            ("HEIGHT", x.height as f64),
            ("WIDTH", x.width as f64),
            ("OUT_HEIGHT", u.height as f64),
            ("OUT_WIDTH", u.width as f64),
            ("U_STEP", u_step as f64),
        ];
        constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
        constants.extend(view_constants(["U_ITEM", "U_BASE", "U_STRIDE"], u));
        constants.extend(view_constants(["S_ITEM", "S_BASE", "S_STRIDE"], sums));
        let bindings = vec![
            Operand::Read(x.storage),
            Operand::Constant(0),
            Operand::Constant(1),
            Operand::Write(u.storage),
            Operand::Write(sums.storage),
        ];
        let groups = [sparsity.quads.div_ceil(WORKGROUP_QUADS), sums.positions().div_ceil(WORKGROUP_STRIPS)];
        let workgroups = [groups[0] as u32, groups[1] as u32, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        cpu::run(self, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_of_every_group_is_among_the_input_quads() {
        for channels in 1..=40 {
            for groups in (1..=channels).filter(|g| channels % g == 0) {
                let s = Sparsity::new(channels, groups);
                for to in 0..channels {
                    let first = to / s.group * s.group;
                    let (low, high) = (s.first(to / LANES), s.first(to / LANES) + s.count);
                    assert!(low <= first / LANES && (first + s.group - 1) / LANES < high && high <= s.quads);
                }
            }
        }
        let counts = [(128, 32), (256, 32), (512, 32), (1024, 32), (58, 58), (58, 2), (6, 2)];
        assert_eq!(counts.map(|(c, g)| Sparsity::new(c, g).count), [1, 2, 4, 8, 1, 15, 2]);
    }

    #[test]
    fn branches_may_differ_in_dilation_only() {
        let conv = |kernel: usize, dilation: usize| Conv2d {
            weight: String::new(),
            bias: None,
            in_channels: 8,
            out_channels: 8,
            kernel,
            stride: 2,
            padding: dilation * (kernel - 1) / 2,
            dilation,
            groups: 2,
        };
        assert!(SkBranches::supports(&[conv(3, 1)]));
        assert!(SkBranches::supports(&[conv(5, 1), conv(5, 4), conv(5, 2)]));
        assert!(!SkBranches::supports(&[]));
        assert!(!SkBranches::supports(&[conv(3, 1), conv(5, 1)]));
        assert!(!SkBranches::supports(&[conv(2, 1)]));
        assert!(!SkBranches::supports(&[conv(3, 1), Conv2d { padding: 0, ..conv(3, 1) }]));
        assert!(!SkBranches::supports(&[conv(3, 1), Conv2d { groups: 8, ..conv(3, 1) }]));
        assert!(!SkBranches::supports(&[1, 2, 3, 4].map(|d| conv(3, d))));
    }
}
