//! What every plan must keep: memory, order, counts.

use sklens::graph::{Graph, TensorId};
use sklens::kernels::{Lowering, Operand};
use sklens::network::presets;
use sklens::plan::{Plan, PlanOptions, lower_bound};

/// Activation memory over the largest set of storages alive at once, for the paper's networks.
const MEMORY_BOUND: f64 = 1.18;
/// Dispatches of SKNet-50's default plan.
const SKNET50_DISPATCHES: usize = 91;

fn plans() -> Vec<(String, Graph, Plan)> {
    let options = [
        PlanOptions::batch(1),
        PlanOptions { fold_select: true, ..PlanOptions::batch(3) },
        PlanOptions { retain: vec!["fc".into()], ..PlanOptions::batch(2) },
    ];
    let mut all = Vec::new();
    for network in presets() {
        for options in &options {
            let graph = network.graph([97, 128], 10).expect("graph");
            let plan = Plan::new(&graph, options).expect("plan");
            all.push((format!("{} {options:?}", network.name), graph, plan));
        }
    }
    all
}

#[test]
fn no_dispatch_reads_and_writes_one_buffer() {
    for (name, _, plan) in plans() {
        let lowering = Lowering { views: &plan.views, batch: plan.batch };
        for step in &plan.steps {
            for dispatch in step.lower(&lowering) {
                let buffers = |write: bool| {
                    dispatch.bindings.iter().filter_map(move |operand| match operand {
                        Operand::Read(id) if !write => Some(*id),
                        Operand::Write(id) if write => Some(*id),
                        _ => None,
                    })
                };
                for written in buffers(true) {
                    for read in buffers(false) {
                        let same = plan.buffer_of(written) == plan.buffer_of(read);
                        assert!(!same, "{name}: {} reads what it writes", step.family());
                    }
                }
                assert!(dispatch.bindings.len() <= 8, "{name}: {} binds too much", step.family());
                assert!(
                    dispatch.workgroups.iter().all(|n| (1..=65_535).contains(n)),
                    "{name}: {:?}",
                    dispatch.workgroups
                );
            }
        }
    }
}

/// Replays the plan on buffers that remember whose value they hold.
#[test]
fn every_step_reads_what_was_written_for_it() {
    for (name, graph, plan) in plans() {
        let mut holds = vec![None; plan.buffer_sizes(1).len()];
        let storage = |id: TensorId| plan.views.of(id).storage;
        for id in [plan.input].iter().chain(&plan.overrides) {
            holds[plan.buffer_of(storage(*id))] = Some(storage(*id));
        }
        for step in &plan.steps {
            for input in step.inputs() {
                let wanted = storage(input);
                assert_eq!(
                    holds[plan.buffer_of(wanted)],
                    Some(wanted),
                    "{name}: {} reads a reused buffer",
                    step.family()
                );
            }
            for output in step.outputs() {
                holds[plan.buffer_of(storage(output))] = Some(storage(output));
            }
        }
        for &id in &plan.read_back {
            assert_eq!(holds[plan.buffer_of(id)], Some(id), "{name}: a result was overwritten");
        }
        assert!(plan.read_back.contains(&storage(graph.output)));
    }
}

#[test]
fn memory_is_near_the_lower_bound() {
    let papers = |name: &str| name.starts_with("sknet") || name.starts_with("sk_");
    for (name, _, plan) in plans().into_iter().filter(|(name, ..)| papers(name)) {
        let used: usize = plan.buffer_sizes(1).iter().sum();
        let bound = lower_bound(&plan.storages) * 4;
        assert!(used as f64 <= MEMORY_BOUND * bound as f64, "{name}: {used} floats, at least {bound} needed");
    }
}

#[test]
fn sknet50_needs_few_dispatches() {
    let network = sklens::network::preset("sknet50").expect("preset");
    let plan = Plan::new(&network.graph([224, 224], 1000).expect("graph"), &PlanOptions::batch(1)).expect("plan");
    let lowering = Lowering { views: &plan.views, batch: 1 };
    let dispatches: usize = plan.steps.iter().map(|s| s.lower(&lowering).len()).sum();
    assert!(dispatches <= SKNET50_DISPATCHES, "{dispatches} dispatches");
}

#[test]
fn unknown_tensors_and_empty_batches_are_refused() {
    let graph = presets()[0].graph([64, 64], 10).expect("graph");
    let unknown = PlanOptions { retain: vec!["layer9".into()], ..PlanOptions::batch(1) };
    assert!(Plan::new(&graph, &unknown).unwrap_err().message.contains("layer9"));
    assert!(Plan::new(&graph, &PlanOptions::default()).is_err());
}
