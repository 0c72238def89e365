//! What the conformance tests share: cases, running them on a backend, comparing with the reference.

pub mod cases;
pub mod compare;
pub mod interpreter;

use compare::compare;
use interpreter::{Tensors, interpret};
use sklens::backend::{Backend, Runner};
use sklens::graph::{Graph, TensorId};
use sklens::plan::PlanOptions;
use sklens::weights::generated::fill;

/// A graph to run on generated weights and inputs.
#[derive(Debug)]
pub struct Case {
    /// What it covers, with its parameters; printed on failure.
    pub name: String,
    /// The graph; `graph.output` and every unit's attention are compared.
    pub graph: Graph,
    /// Options of the plan.
    pub options: PlanOptions,
    /// Overrides `[N, 2·M·C]` per unit.
    pub overrides: Vec<(TensorId, Vec<f32>)>,
}

/// The picture `[N, 3, H, W]` of a case.
pub fn generated_input(graph: &Graph, batch: usize) -> Vec<f32> {
    let [c, h, w] = graph.tensor(graph.input).shape;
    fill("input", &[batch, c, h, w])
}

/// Runs `case` on `backend` and compares every tensor that it reads back with the reference.
///
/// # Panics
/// If a value differs by more than `1e-4` of the tensor's largest magnitude, or the backend did no work.
pub async fn check(backend: &Backend, case: &Case) {
    let Case { name, graph, options, overrides } = case;
    let batch = options.batch;
    let mut runner = Runner::generated(backend, graph, options).await.expect("runner");
    let input = generated_input(graph, batch);
    runner.write_nchw(graph.input, &input);
    let mut inputs = Tensors::from([(graph.input, input.iter().map(|&v| f64::from(v)).collect())]);
    for unit in &graph.units {
        inputs.insert(unit.override_input, vec![0.0; batch * graph.tensor(unit.override_input).shape[0]]);
    }
    for (id, values) in overrides {
        runner.write_nchw(*id, values);
        inputs.insert(*id, values.iter().map(|&v| f64::from(v)).collect());
    }
    let values = runner.run().await.expect("run");
    assert_eq!(backend.name() == "gpu", runner.dispatches() > 0, "{name}: dispatches");
    let expected = interpret(graph, batch, &inputs);
    let mut ids = vec![graph.output];
    ids.extend(graph.units.iter().flat_map(|u| [u.attention, u.pooled, u.logits, u.softmax]));
    ids.extend(options.retain.iter().map(|n| graph.find(n).expect("retained tensor")));
    for id in ids {
        let found = values.tensor(&runner.plan, id).expect("read back");
        compare(&format!("{name} on {}: {}", backend.name(), graph.tensor(id).name), &found, &expected[&id]);
    }
}
