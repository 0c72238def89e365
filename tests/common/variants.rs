//! All variants of a kernel compute the same.

use crate::common::{Case, generated_input};
use sklens::backend::{Backend, Runner};
use sklens::kernels::{AdapterFacts, Choices};
use sklens::weights::WeightPrecision;
use sklens::weights::generated::parameters;

/// Runs `case` with every candidate of its convolutions, and with what is taken on a GPU and on a phone's, and compares the
/// result with that of the default variants. Returns the candidates, in words.
///
/// # Panics
/// If a value differs by more than `2e-5` of the largest magnitude.
pub async fn check(backend: &Backend, case: &Case) -> Vec<String> {
    let Case { name, graph, options, .. } = case;
    let mut tried = Vec::new();
    for precision in [WeightPrecision::F32, WeightPrecision::F16] {
        let mut runner = Runner::planned(backend, graph, options, &parameters(graph), precision).await.expect("runner");
        let expected = result(&mut runner, case).await;
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, v| largest.max(v.abs()));
        let shapes: Vec<_> = runner.shapes().into_iter().flatten().collect();
        let rounds = shapes.iter().map(|shape| shape.candidates().len()).max().unwrap_or(0);
        let candidates = (0..rounds).map(|round| Choices::default().with_candidate(round, &shapes));
        let hardware = [false, true].map(|mobile| AdapterFacts { software: false, mobile });
        let defaults = hardware.map(|adapter| Choices { adapter, ..Choices::default() });
        for choices in candidates.chain(defaults) {
            runner.record(&choices).await.expect("recorded");
            let found = result(&mut runner, case).await;
            let variants: Vec<_> = shapes.iter().map(|shape| choices.of(shape).to_string()).collect();
            let differs = |(a, b): (&f32, &f32)| (a - b).abs() > 2e-5 * largest || a.is_nan();
            let at = found.iter().zip(&expected).position(differs);
            assert_eq!(at, None, "{name} with {variants:?} and {precision:?}");
            tried.extend(variants);
        }
    }
    tried
}

async fn result(runner: &mut Runner, case: &Case) -> Vec<f32> {
    let Case { graph, options, .. } = case;
    runner.write_nchw(graph.input, &generated_input(graph, options.batch));
    runner.run().await.expect("run").tensor(&runner.plan, graph.output).expect("output")
}
