//! Fuse and select of an SK unit up to the attention (paper, equations 2 to 5).

use super::branch_softmax::{override_attention, softmax};
use super::*;
use crate::cpu::simd::relu;
use crate::graph;
use crate::plan::LANES;
use crate::weights::FoldedNorm;
use pulp::Arch;

pub(super) const SHADER: &Shader = shader!("sk_attention");

/// Largest C, d and M, for which the shader has workgroup memory.
const MAX_CHANNELS: usize = 2048;
const MAX_WIDTH: usize = 256;
const MAX_BRANCHES: usize = 4;
/// Quads of channels to a workgroup, at most.
const SLICE: usize = 64;
/// Quads that a workgroup selects before another one is worth its own s and z.
const MIN_SELECTED: usize = 1024;
/// Threads of a workgroup, and workgroups of a batch item at most.
const SHARING: (usize, usize) = (256, 16);
/// The same on a CPU in disguise, which runs few at once and gives each group of four threads that meet at a barrier a stack.
const SHARING_IN_SOFTWARE: (usize, usize) = (64, 4);

/// Pool → fc → BN → ReLU → fc → softmax over branches → override, and the Select behind it, in one dispatch.
///
/// The first five results lie in one storage.
#[derive(Clone, Debug)]
pub struct SkAttention {
    /// W, `[d, C]`.
    pub reduce: graph::Linear,
    /// Batch norm behind W.
    pub reduce_norm: FoldedNorm,
    /// V, `[M·C, d]`, branch-major.
    pub select: graph::Linear,
    /// M.
    pub branches: usize,
    /// Partial sums `[C, parts, 1]` of U over positions; s is their sum divided by `divisor`.
    pub partial_sums: TensorId,
    /// Number of positions behind the partial sums; 1 if they are a mean already.
    pub divisor: usize,
    /// Values and mask `[2·M·C, 1, 1]`.
    pub override_input: TensorId,
    /// s, `[C, 1, 1]`.
    pub pooled: TensorId,
    /// z, `[d, 1, 1]`.
    pub reduced: TensorId,
    /// V·z, `[M·C, 1, 1]`, branch-major: each branch starts a new quad.
    pub logits: TensorId,
    /// Softmax of the logits, laid out like them.
    pub softmax: TensorId,
    /// Softmax, overridden where the mask is set.
    pub attention: TensorId,
    /// The Select that `attention` weights, if it is computed here. Its branches lie evenly spaced in one storage.
    pub output: Option<Select>,
}

impl SkAttention {
    /// Whether the step can compute units of `channels`, an attention of `width` and that many branches.
    pub fn supports(channels: usize, width: usize, branches: usize) -> bool {
        channels <= MAX_CHANNELS && width <= MAX_WIDTH && branches <= MAX_BRANCHES
    }
}

impl Kernel for SkAttention {
    fn family(&self) -> &'static str {
        "sk_attention"
    }
    fn inputs(&self) -> Vec<TensorId> {
        let branches = self.output.iter().flat_map(|select| &select.branches);
        [self.partial_sums, self.override_input].iter().chain(branches).copied().collect()
    }
    fn outputs(&self) -> Vec<TensorId> {
        let results = [self.pooled, self.reduced, self.logits, self.softmax, self.attention];
        results.into_iter().chain(self.output.as_ref().map(|select| select.output)).collect()
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for tensor in [&mut self.partial_sums, &mut self.override_input].into_iter().filter(|t| **t == from) {
            *tensor = to;
        }
        if let Some(select) = &mut self.output {
            select.rewire(from, to);
        }
    }
    fn parameters(&self) -> Vec<String> {
        let weights = [&self.reduce.weight, &self.select.weight].into_iter().chain(&self.select.bias).cloned();
        weights.chain(self.reduce_norm.parameters()).collect()
    }
    fn macs(&self, views: &Views) -> u64 {
        let select = self.output.as_ref().map_or(0, |select| select.macs(views));
        self.reduce.macs() + self.select.macs() + select
    }
    /// W as `[C][d]` and its bias, V as `[d][M·C]` and its bias; every dimension padded to quads, batch norm in W. Then where
    /// overrides and results lie, which depends neither on the picture's size nor on the batch.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (s, z, logits) = (views.of(self.pooled), views.of(self.reduced), views.of(self.logits));
        let (scale, shift) = self.reduce_norm.fold(parameters)?;
        let reduce = transposed(parameters.get(&self.reduce.weight)?, s, z, |o| scale[o]);
        let select = transposed(parameters.get(&self.select.weight)?, z, logits, |_| 1.0);
        let select_bias = match &self.select.bias {
            Some(bias) => parameters.get(bias)?.to_vec(),
            None => vec![0.0; logits.channels()],
        };
        let with_bias = |weight: Vec<f32>, bias: &[f32], view| Packed::F32([weight, in_lanes(bias, view)].concat());
        let overrides = views.of(self.override_input);
        let results =
            [self.pooled, self.reduced, self.logits, self.softmax, self.attention].map(|id| views.of(id).base);
        let places = [overrides.item, overrides.base, s.item].into_iter().chain(results);
        Ok(vec![
            with_bias(reduce, &shift, z),
            with_bias(select, &select_bias, logits),
            Packed::U32(places.map(|place| place as u32).collect()),
        ])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (parts, overrides) = (views.of(self.partial_sums), views.of(self.override_input));
        let (s, z) = (views.of(self.pooled), views.of(self.reduced));
        let (threads, most) = if lowering.choices.adapter.software { SHARING_IN_SOFTWARE } else { SHARING };
        let slice = s.quads().min(SLICE).min(threads / self.branches);
        let mut constants = vec![
            ("BRANCHES", self.branches as f64),
            ("CHANNELS", s.channels() as f64),
            ("QUADS", s.quads() as f64),
            ("REDUCED_QUADS", z.quads() as f64),
            ("THREADS", threads as f64),
            ("SLICE", slice as f64),
            ("PARTS", parts.positions() as f64),
            ("DIVISOR", self.divisor as f64),
        ];
        constants.extend(view_constants(["P_ITEM", "P_BASE", "P_STRIDE"], parts));
        let mut bindings = vec![
            Operand::Read(parts.storage),
            Operand::Read(overrides.storage),
            Operand::Constant(0),
            Operand::Constant(1),
            Operand::Write(s.storage),
        ];
        let slices = s.quads().div_ceil(slice);
        let mut workgroups = [slices as u32, 1, lowering.batch as u32];
        match &self.output {
            // One buffer must not stand in for both, since the shader writes the second.
            None => bindings.extend([Operand::Read(parts.storage), Operand::Unused]),
            Some(select) => {
                let (u, v) = (views.of(select.branches[0]), views.of(select.output));
                constants.extend([
                    ("POSITIONS", v.positions() as f64),
                    ("U_STEP", select.spacing(views).expect("the branches of a unit share a storage") as f64),
                ]);
                constants.extend(view_constants(["U_ITEM", "U_BASE", "U_STRIDE"], u));
                constants.extend(view_constants(["V_ITEM", "V_BASE", "V_STRIDE"], v));
                bindings.extend([Operand::Read(u.storage), Operand::Write(v.storage)]);
                workgroups[1] = (v.positions() * slice / MIN_SELECTED).clamp(1, (most / slices).max(1)) as u32;
            }
        }
        bindings.push(Operand::Constant(2));
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let views = [self.pooled, self.reduced, self.logits, self.softmax, self.attention].map(|id| context.view(id));
        let (parts, overrides) = (context.view(self.partial_sums), context.view(self.override_input));
        let mut results = views.map(|view| vec![0.0_f32; view.quads() * LANES]);
        context.write(self.pooled, |context, out| {
            let sums = context.read(self.partial_sums);
            let override_values = context.read(self.override_input);
            let [reduce, select] = [0, 1].map(|i| context.floats(i));
            for n in 0..context.batch {
                let [s, z, logits, weights, attention] = &mut results;
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        s.fill(0.0);
                        for p in 0..parts.positions() {
                            let part = &sums[parts.offset(n, p, 0)..][..s.len()];
                            s.iter_mut().zip(part).for_each(|(s, v)| *s += v);
                        }
                        s.iter_mut().for_each(|v| *v /= self.divisor as f32);
                        linear(s, reduce, z);
                        z.iter_mut().for_each(|v| *v = relu(*v));
                        linear(z, select, logits);
                    },
                );
                softmax(logits, views[0].channels(), weights);
                let override_values = &override_values[overrides.offset(n, 0, 0)..][..2 * weights.len()];
                override_attention(weights, override_values, attention);
                for (result, view) in results.iter().zip(views) {
                    out[view.offset(n, 0, 0)..][..result.len()].copy_from_slice(result);
                }
            }
        });
        if let Some(select) = &self.output {
            select.run(context);
        }
    }
}

/// `weight [out, in]` as `[in][out]`, placed in the lanes of `x` and `y`, row `o` times `scale(o)`.
fn transposed(weight: &[f32], x: &View, y: &View, scale: impl Fn(usize) -> f32) -> Vec<f32> {
    let width = y.quads() * LANES;
    let mut packed = vec![0.0; x.quads() * LANES * width];
    for (o, row) in weight.chunks_exact(x.channels()).enumerate() {
        for (&value, &lane) in row.iter().zip(&x.lanes) {
            packed[lane as usize * width + y.lanes[o] as usize] = value * scale(o);
        }
    }
    packed
}

/// `values` in the lanes of `view`.
fn in_lanes(values: &[f32], view: &View) -> Vec<f32> {
    let mut packed = vec![0.0; view.quads() * LANES];
    values.iter().zip(&view.lanes).for_each(|(&value, &lane)| packed[lane as usize] = value);
    packed
}

/// `y = Wᵀ·x + bias` with W as `[in][out]`, then the bias.
#[inline(always)]
fn linear(x: &[f32], weight: &[f32], y: &mut [f32]) {
    let (weight, bias) = weight.split_at(x.len() * y.len());
    y.copy_from_slice(bias);
    for (&x, row) in x.iter().zip(weight.chunks_exact(y.len())) {
        y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StorageId;

    #[test]
    fn weights_follow_branch_major_lanes() {
        let view = |slots: u32, lanes: &[u32]| View {
            storage: StorageId(0),
            height: 1,
            width: 1,
            item: 4,
            base: 0,
            stride: slots as usize,
            slots: (0..slots).collect(),
            lanes: lanes.to_vec(),
        };
        let packed = transposed(&[1.0, 2.0], &view(1, &[0]), &view(2, &[0, 4]), |o| [1.0, 10.0][o]);
        assert_eq!(packed.len(), 4 * 8);
        assert_eq!((packed[0], packed[4]), (1.0, 20.0));
        assert_eq!(packed.iter().filter(|&&v| v != 0.0).count(), 2);
        assert_eq!(in_lanes(&[5.0, 6.0], &view(2, &[0, 4])), [5.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0]);
    }
}
