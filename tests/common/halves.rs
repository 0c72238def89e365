//! Weights that stay f16 in memory compute what rounded weights do.

use crate::common::{Case, generated_input};
use half::f16;
use sklens::backend::{Backend, Constants, Runner};
use sklens::kernels::Packed;
use sklens::plan::Plan;
use sklens::weights::generated::fill;
use sklens::weights::{Parameters, WeightPrecision};
use std::rc::Rc;

/// Runs `case` with weights that stay f16 in memory, and with weights in f32 that were rounded to f16 beforehand.
///
/// # Panics
/// If a value differs by more than `1e-6` of the tensor's largest magnitude.
pub async fn check(backend: &Backend, case: &Case) {
    let kept = result(backend, case, |constant| constant.kept(WeightPrecision::F16)).await;
    let rounded = result(backend, case, |constant| match constant {
        Packed::Weights(v) => Packed::Weights(v.into_iter().map(|v| f16::from_f32(v).to_f32()).collect()),
        other => other,
    });
    let rounded = rounded.await;
    let largest = rounded.iter().fold(f32::MIN_POSITIVE, |largest, v| largest.max(v.abs()));
    let differs = |(a, b): &(&f32, &f32)| (*a - *b).abs() > 1e-6 * largest || a.is_nan();
    assert_eq!(kept.iter().zip(&rounded).position(|pair| differs(&pair)), None, "{} on {}", case.name, backend.name());
}

/// The output of `case` with the constants that `edit` makes of the packed ones.
async fn result(backend: &Backend, case: &Case, edit: impl Fn(Packed) -> Packed) -> Vec<f32> {
    let Case { graph, options, .. } = case;
    let plan = Plan::new(graph, options).expect("plan");
    let mut parameters = Parameters::default();
    for p in graph.parameters() {
        parameters.insert(p.name.clone(), fill(&p.name, &p.shape));
    }
    let mut constants = Constants::new(backend);
    for step in &plan.steps {
        let packed = step.pack(&plan.views, &parameters).expect("packed");
        let packed = packed.into_iter().map(&edit).collect();
        constants.push(backend, step.as_ref(), &plan.views, packed).expect("same backend");
    }
    let mut runner = Runner::new(backend, plan, Rc::new(constants)).await.expect("runner");
    runner.write_nchw(graph.input, &generated_input(graph, options.batch));
    runner.run().await.expect("run").tensor(&runner.plan, graph.output).expect("output")
}
