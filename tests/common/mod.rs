//! What the conformance tests share: cases, running them on a backend, comparing with the reference.

pub mod cases;
pub mod compare;
pub mod interpreter;

use compare::compare;
use interpreter::{Tensors, interpret};
use sklens::backend::{Backend, Constants, Runner};
use sklens::graph::{Graph, TensorId};
use sklens::plan::{Plan, PlanOptions};
use sklens::weights::Parameters;
use sklens::weights::generated::fill;
use std::rc::Rc;

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

/// All parameters of `graph`, generated.
pub fn generated_parameters(graph: &Graph) -> Parameters {
    let mut parameters = Parameters::default();
    for p in graph.parameters() {
        parameters.insert(p.name.clone(), fill(&p.name, &p.shape));
    }
    parameters
}

/// The picture `[N, 3, H, W]` of a case.
pub fn generated_input(graph: &Graph, batch: usize) -> Vec<f32> {
    let [c, h, w] = graph.tensor(graph.input).shape;
    fill("input", &[batch, c, h, w])
}

/// Plans `graph` and makes it ready with generated weights.
pub async fn prepare(backend: &Backend, graph: &Graph, options: &PlanOptions) -> Runner {
    let plan = Plan::new(graph, options).expect("plan");
    let parameters = generated_parameters(graph);
    let mut constants = Constants::new(backend);
    for step in &plan.steps {
        constants.push(backend, step.pack(&plan.views, &parameters).expect("pack")).expect("constants");
    }
    Runner::new(backend, plan, Rc::new(constants)).await.expect("runner")
}

/// Fills a tensor's storage with `[N, C, H, W]` values.
pub fn write_nchw(runner: &mut Runner, id: TensorId, values: &[f32]) {
    let view = runner.plan.views.of(id).clone();
    let floats = runner.plan.storages[view.storage.0].item * 4 * runner.plan.batch;
    let mut storage = vec![0.0; floats];
    view.write_nchw(runner.plan.batch, values, &mut storage);
    runner.write(id, &storage);
}

/// Runs `case` on `backend` and compares every tensor that it reads back with the reference.
///
/// # Panics
/// If a value differs by more than `1e-4` of the tensor's largest magnitude, or the backend did no work.
pub async fn check(backend: &Backend, case: &Case) {
    let Case { name, graph, options, overrides } = case;
    let batch = options.batch;
    let mut runner = prepare(backend, graph, options).await;
    let input = generated_input(graph, batch);
    write_nchw(&mut runner, graph.input, &input);
    let mut inputs = Tensors::from([(graph.input, input.iter().map(|&v| f64::from(v)).collect())]);
    for unit in &graph.units {
        inputs.insert(unit.override_input, vec![0.0; batch * graph.tensor(unit.override_input).shape[0]]);
    }
    for (id, values) in overrides {
        write_nchw(&mut runner, *id, values);
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
