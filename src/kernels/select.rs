//! Select of an SK unit: the branches weighted by their attention (paper, equation 6).

use super::*;
use crate::plan::LANES;
use pulp::Arch;

pub(super) const SHADER: &Shader = shader!("select");

/// `V = Σ aₘ·Uₘ`, per channel.
#[derive(Clone, Debug)]
pub struct Select {
    /// a, `[M·C, 1, 1]`, branch-major.
    pub attention: TensorId,
    /// U₀ … U_{M−1}, `[C, H, W]`.
    pub branches: Vec<TensorId>,
    /// V, `[C, H, W]`.
    pub output: TensorId,
}

impl Select {
    /// Quads from each branch to the next, if the branches lie evenly spaced in one storage.
    pub(super) fn spacing(&self, views: &Views) -> Option<usize> {
        let all: Vec<_> = self.branches.iter().map(|&u| views.of(u)).collect();
        let step = match all[..] {
            [first, second, ..] => second.base.checked_sub(first.base)?,
            _ => 0,
        };
        let like = |view: &View, base: usize| View { base, ..view.clone() };
        let even = all.windows(2).all(|w| *w[1] == like(w[0], w[0].base + step));
        even.then_some(step)
    }
}

impl Kernel for Select {
    fn family(&self) -> &'static str {
        "select"
    }
    fn inputs(&self) -> Vec<TensorId> {
        std::iter::once(self.attention).chain(self.branches.iter().copied()).collect()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for tensor in std::iter::once(&mut self.attention).chain(&mut self.branches).filter(|t| **t == from) {
            *tensor = to;
        }
    }
    fn macs(&self, views: &Views) -> u64 {
        let y = views.of(self.output);
        (self.branches.len() * y.positions() * y.channels()) as u64
    }
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    /// One dispatch for the branches of an SK unit, which share a storage; otherwise one dispatch per branch.
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (a, y) = (views.of(self.attention), views.of(self.output));
        let dispatch = |first: usize, count: usize, step: usize| {
            let u = views.of(self.branches[first]);
            let mut constants = vec![
                ("FIRST", first as f64),
                ("BRANCHES", count as f64),
                ("QUADS", y.quads() as f64),
                ("POSITIONS", y.positions() as f64),
                ("U_STEP", step as f64),
            ];
            constants.extend(view_constants(["A_ITEM", "A_BASE", "A_STRIDE"], a).into_iter().take(2));
            constants.extend(view_constants(["U_ITEM", "U_BASE", "U_STRIDE"], u));
            constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
            let bindings = vec![Operand::Read(a.storage), Operand::Read(u.storage), Operand::Write(y.storage)];
            let workgroups = lowering.grid(y.positions() * y.quads());
            Dispatch { shader: SHADER, constants, bindings, workgroups }
        };
        match self.spacing(views) {
            Some(step) => vec![dispatch(0, self.branches.len(), step)],
            None => (0..self.branches.len()).map(|m| dispatch(m, 1, 0)).collect(),
        }
    }
    fn run(&self, context: &mut CpuContext) {
        let (a, y) = (context.view(self.attention), context.view(self.output));
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            let attention = context.read(self.attention);
            let branches: Vec<_> = self.branches.iter().map(|&u| (context.view(u), context.read(u))).collect();
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for n in 0..context.batch {
                        let weights = &attention[a.offset(n, 0, 0)..];
                        for p in 0..y.positions() {
                            let sum = &mut out[y.offset(n, p, 0)..][..width];
                            sum.fill(0.0);
                            for ((u, values), weights) in branches.iter().zip(weights.chunks_exact(width)) {
                                let u = &values[u.offset(n, p, 0)..][..width];
                                sum.iter_mut().zip(weights.iter().zip(u)).for_each(|(s, (w, u))| *s += w * u);
                            }
                        }
                    }
                },
            );
        });
    }
}
