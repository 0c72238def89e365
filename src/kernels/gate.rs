//! `y = scale · g ∘ f(x)`: gradients through activations, products and batch norms.

use super::*;
use crate::plan::LANES;
use crate::weights::FoldedNorm;
use pulp::Arch;

pub(super) const SHADER: &Shader = shader!("gate");

/// What multiplies the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateKind {
    /// 1.
    Open,
    /// 1 where x is positive, else 0; x is the ReLU's output.
    Relu,
    /// `x·(1 − x)`; x is the sigmoid's output.
    Sigmoid,
    /// x.
    Product,
}

/// The gradient times a function of x, then times a factor and the scale of a batch norm.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What multiplies.
    pub kind: GateKind,
    /// Batch norm of which the scale is taken.
    pub norm: Option<FoldedNorm>,
    /// For all channels.
    pub factor: f32,
    /// g.
    pub gradient: TensorId,
    /// x, of the shape of g; absent only where the gate is open.
    pub by: Option<TensorId>,
    /// y.
    pub output: TensorId,
}

impl Kernel for Gate {
    fn family(&self) -> &'static str {
        "gate"
    }
    fn inputs(&self) -> Vec<TensorId> {
        std::iter::once(self.gradient).chain(self.by).collect()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for tensor in std::iter::once(&mut self.gradient).chain(&mut self.by).filter(|t| **t == from) {
            *tensor = to;
        }
    }
    fn parameters(&self) -> Vec<String> {
        self.norm.iter().flat_map(FoldedNorm::parameters).collect()
    }
    /// The scale over the lanes of y; zero in padding.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let y = views.of(self.output);
        let scale = match &self.norm {
            Some(norm) => norm.fold(parameters)?.0,
            None => vec![1.0; y.channels()],
        };
        let mut packed = vec![0.0; y.quads() * LANES];
        y.lanes.iter().zip(scale).for_each(|(&lane, scale)| packed[lane as usize] = scale * self.factor);
        Ok(vec![Packed::F32(packed)])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (g, y) = (views.of(self.gradient), views.of(self.output));
        let mut constants = vec![
            ("KIND", f64::from(self.kind as u8)),
            ("QUADS", y.quads() as f64),
            ("POSITIONS", y.positions() as f64),
        ];
        constants.extend(view_constants(["G_ITEM", "G_BASE", "G_STRIDE"], g));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let mut by = Operand::Unused;
        if let Some(x) = self.by.map(|x| views.of(x)) {
            constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
            by = Operand::Read(x.storage);
        }
        let bindings = vec![Operand::Read(g.storage), by, Operand::Constant(0), Operand::Write(y.storage)];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: lowering.grid(y.positions() * y.quads()) }]
    }
    fn run(&self, context: &mut CpuContext) {
        context.write(self.output, |context, out| match self.kind {
            GateKind::Open => self.apply(context, out, |g, _| g),
            GateKind::Relu => self.apply(context, out, |g, x| if x > 0.0 { g } else { 0.0 }),
            GateKind::Sigmoid => self.apply(context, out, |g, x| g * x * (1.0 - x)),
            GateKind::Product => self.apply(context, out, |g, x| g * x),
        });
    }
}

impl Gate {
    /// `out = scale · gate(g, x)`, compiled for each gate: a choice in the innermost loop would keep it from SIMD.
    fn apply(&self, context: &CpuContext, out: &mut [f32], gate: impl Fn(f32, f32) -> f32) {
        let by = self.by.unwrap_or(self.gradient);
        let (g, x, y) = (context.view(self.gradient), context.view(by), context.view(self.output));
        let (gradient, values) = (context.read(self.gradient), context.read(by));
        let (scale, width) = (context.floats(0), y.quads() * LANES);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (n, p) in (0..context.batch).flat_map(|n| (0..y.positions()).map(move |p| (n, p))) {
                    let out = &mut out[y.offset(n, p, 0)..][..width];
                    let gradient = &gradient[g.offset(n, p, 0)..][..width];
                    let values = &values[x.offset(n, p, 0)..][..width];
                    for (((out, g), x), s) in out.iter_mut().zip(gradient).zip(values).zip(&scale[..width]) {
                        *out = gate(*g, *x) * s;
                    }
                }
            },
        );
    }
}
