//! `y = act(W·x + b + residual)`: 1×1 convolutions, as products of matrices; x may be an SK unit's Select.

use super::variant::{SPLIT_POSITIONS, SPLIT_QUADS, STAGED_POSITIONS, STAGED_QUADS};
use super::*;
use crate::graph::Conv2d;
use crate::plan::LANES;

pub(super) const SHADER: &Shader = shader!("pointwise");

/// Blocks of both matrices in workgroup memory.
pub(super) const STAGED: &Shader = shader!("pointwise_shared", "staged");
/// The inputs shared among the threads of a workgroup.
pub(super) const SPLIT: &Shader = shader!("pointwise_shared", "split");

/// A 1×1 convolution of any stride, without groups and padding.
#[derive(Clone, Debug)]
pub struct Pointwise {
    /// The convolution.
    pub step: ConvStep,
    /// A Select that is computed while loading; then `step.input` is its output and is never stored. Its branches are
    /// plain tensors of one storage, one after the other.
    pub select: Option<Select>,
}

impl Pointwise {
    /// Whether `conv` is a 1×1 convolution without groups and padding.
    pub fn supports(conv: &Conv2d) -> bool {
        conv.kernel == 1 && conv.groups == 1 && conv.padding == 0
    }

    /// The view of x, or of the first branch that x is selected from.
    fn source<'a>(&self, views: &'a Views) -> &'a View {
        views.of(self.select.as_ref().map_or(self.step.input, |s| s.branches[0]))
    }

    fn product(&self, lowering: &Lowering) -> Shape {
        let (x, y) = (self.source(lowering.views), lowering.views.of(self.step.output));
        let plain = self.select.is_none() && x.is_contiguous() && y.is_contiguous();
        Shape::new(if plain { Kind::Matrix } else { Kind::Dense }, SHADER, x.quads(), y, lowering)
    }

    /// The dispatch of a variant with workgroup memory, which covers `positions` and `quads` of y.
    fn lower_shared(&self, lowering: &Lowering, shader: &'static Shader, [positions, quads]: [usize; 2]) -> Dispatch {
        let views = lowering.views;
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let bindings = vec![
            Operand::Read(x.storage),
            self.step.residual_operand(views),
            Operand::Constant(0),
            Operand::Write(y.storage),
        ];
        let groups = [y.quads().div_ceil(quads), y.positions().div_ceil(positions), lowering.batch];
        let constants = self.step.constants(views, x);
        Dispatch { shader, constants, bindings, workgroups: groups.map(|count| count as u32) }
    }
}

impl Kernel for Pointwise {
    fn family(&self) -> &'static str {
        "pointwise"
    }
    fn inputs(&self) -> Vec<TensorId> {
        match &self.select {
            None => self.step.inputs(),
            Some(s) => {
                std::iter::once(s.attention).chain(s.branches.iter().copied()).chain(self.step.residual).collect()
            }
        }
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.step.output]
    }
    fn input_layout(&self, input: TensorId) -> InputLayout {
        if self.select.is_none() && self.step.residual != Some(input) { InputLayout::Any } else { InputLayout::Plain }
    }
    /// A residual is plain, so the output must be as well.
    fn writes_views(&self) -> bool {
        self.step.residual.is_none()
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        self.step.rewire(from, to);
        if let Some(select) = &mut self.select {
            select.rewire(from, to);
        }
    }
    fn parameters(&self) -> Vec<String> {
        self.step.parameters()
    }
    fn macs(&self, views: &Views) -> u64 {
        self.step.macs(views) + self.select.as_ref().map_or(0, |select| select.macs(views))
    }
    /// `[lane of x][lane of y]` and the bias; then, if either view is not contiguous, the slots of x and of y.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (self.source(views), views.of(self.step.output));
        let mut packed = vec![Packed::Weights(self.step.pack_matrix(x, y, parameters)?)];
        if !(x.is_contiguous() && y.is_contiguous()) {
            packed.push(Packed::U32([x.slots.as_slice(), &y.slots].concat()));
        }
        Ok(packed)
    }
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        Some(self.product(lowering))
    }
    fn arrange(&self, views: &Views, constants: &mut [Packed]) {
        constants[0].arrange(&self.source(views).used_lanes(), views.of(self.step.output).quads() * LANES);
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let tiling = match lowering.choices.of(&self.product(lowering)) {
            Variant::Staged => return vec![self.lower_shared(lowering, STAGED, [STAGED_POSITIONS, STAGED_QUADS])],
            Variant::Split => return vec![self.lower_shared(lowering, SPLIT, [SPLIT_POSITIONS, SPLIT_QUADS])],
            Variant::Direct(tiling) => tiling,
        };
        let views = lowering.views;
        let (x, y) = (self.source(views), views.of(self.step.output));
        let mut constants = self.step.constants(views, x);
        constants.extend(tiling.constants());
        let tables = [!x.is_contiguous(), !y.is_contiguous()];
        constants.extend([("X_TABLE", f64::from(tables[0])), ("Y_TABLE", f64::from(tables[1]))]);
        let mut attention = Operand::Unused;
        if let Some(select) = &self.select {
            let a = views.of(select.attention);
            let base = |m: usize| views.of(select.branches[m]).base;
            let step = if select.branches.len() > 1 { base(1) - base(0) } else { 0 };
            debug_assert!((0..select.branches.len()).all(|m| base(m) == base(0) + m * step));
            constants.extend([("BRANCHES", select.branches.len() as f64), ("BRANCH_STEP", step as f64)]);
            constants.extend([("A_ITEM", a.item as f64), ("A_BASE", a.base as f64)]);
            attention = Operand::Read(a.storage);
        }
        let table = if tables.contains(&true) { Operand::Constant(1) } else { Operand::Unused };
        let bindings = vec![
            Operand::Read(x.storage),
            attention,
            self.step.residual_operand(views),
            Operand::Constant(0),
            table,
            Operand::Write(y.storage),
        ];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: tiling.workgroups(y, lowering) }]
    }
    fn run(&self, context: &mut CpuContext) {
        let views = context.views();
        let (x, y) = (self.source(views), views.of(self.step.output));
        let stride = self.step.conv.stride;
        let at = |p: usize| p / y.width * stride * x.width + p % y.width * stride;
        match &self.select {
            Some(select) => {
                let width = x.quads() * LANES;
                let a = views.of(select.attention);
                gemm_conv::run(&self.step, context, x.channels(), None, |context, n, p, row| {
                    let attention = &context.read(select.attention)[a.offset(n, 0, 0)..];
                    row.fill(0.0);
                    for (&branch, a) in select.branches.iter().zip(attention.chunks_exact(width)) {
                        let u = &context.read(branch)[views.of(branch).offset(n, at(p), 0)..];
                        row.iter_mut().zip(u).zip(a).for_each(|((v, u), a)| *v += a * u);
                    }
                });
            }
            None => {
                let moves = x.moves();
                let in_place = moves.iter().all(|&(from, to)| from == moves[0].0 + to);
                let stored = (stride == 1 && in_place).then_some(x);
                gemm_conv::run(&self.step, context, x.channels(), stored, |context, n, p, row| {
                    let start = (n * x.item + x.base + at(p) * x.stride) * LANES;
                    gemm_conv::copy(&moves, &context.read(self.step.input)[start..], row);
                });
            }
        }
    }
}
