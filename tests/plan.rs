//! What every plan must keep: memory, order, counts.

use sklens::graph::{Graph, TensorId};
use sklens::kernels::{Choices, Lowering, Operand};
use sklens::network::{Network, presets};
use sklens::plan::{LANES, Plan, PlanOptions, StorageId, lower_bound};
use std::collections::BTreeSet;

/// Activation memory over what is needed at once: for SKNet-26, 50 and 101, and for the paper's other networks.
const DEEP_MEMORY_BOUND: f64 = 1.1;
const MEMORY_BOUND: f64 = 1.32;
/// Dispatches of SKNet-50's default plan.
const SKNET50_DISPATCHES: usize = 75;

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
        let lowering = Lowering { views: &plan.views, batch: plan.batch, choices: &Choices::default() };
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

/// Floats of the largest set of storages that hold a value which is still needed, counted from what the steps read and
/// write.
fn needed(plan: &Plan) -> usize {
    let storage = |id: &TensorId| plan.views.of(*id).storage;
    let host: BTreeSet<_> = plan.overrides.iter().map(storage).collect();
    let writes: Vec<BTreeSet<_>> = plan.steps.iter().map(|s| s.outputs().iter().map(storage).collect()).collect();
    let reads: Vec<BTreeSet<_>> = plan.steps.iter().map(|s| s.inputs().iter().map(storage).collect()).collect();
    let mut written = BTreeSet::from([storage(&plan.input)]);
    (0..plan.steps.len())
        .map(|at| {
            written.extend(&writes[at]);
            let live = |id: &&StorageId| {
                plan.read_back.contains(id) || writes[at].contains(id) || reads[at..].iter().any(|r| r.contains(id))
            };
            host.iter().chain(written.difference(&host).filter(live)).map(|id| plan.storages[id.0].item * LANES).sum()
        })
        .max()
        .unwrap_or(0)
}

#[test]
fn memory_is_near_the_lower_bound() {
    let papers = |name: &str| name.starts_with("sknet") || name.starts_with("sk_");
    for (name, _, plan) in plans().into_iter().filter(|(name, ..)| papers(name)) {
        let used: usize = plan.buffer_sizes(1).iter().sum();
        let needed = needed(&plan);
        assert_eq!(needed, lower_bound(&plan.storages) * LANES, "{name}: lifetimes are too long or too short");
        let deep = ["sknet26", "sknet50", "sknet101"].iter().any(|deep| name.starts_with(deep));
        let bound = if deep { DEEP_MEMORY_BOUND } else { MEMORY_BOUND };
        assert!(used as f64 <= bound * needed as f64, "{name}: {used} floats, at least {needed} needed");
    }
}

#[test]
fn sknet50_needs_few_dispatches() {
    let network = sklens::network::preset("sknet50").expect("preset");
    let plan = Plan::new(&network.graph([224, 224], 1000).expect("graph"), &PlanOptions::batch(1)).expect("plan");
    let lowering = Lowering { views: &plan.views, batch: 1, choices: &Choices::default() };
    let dispatches: usize = plan.steps.iter().map(|s| s.lower(&lowering).len()).sum();
    assert!(dispatches <= SKNET50_DISPATCHES, "{dispatches} dispatches");
}

/// Compiling one is what a first run on a software adapter takes longest for.
#[test]
fn attention_of_one_shape_is_one_pipeline() {
    for (name, shapes) in [("sknet50", 4), ("sknet26", 4), ("sk_shufflenet_v2_x1_0", 3)] {
        let graph = sklens::network::preset(name).expect("preset").graph([224, 224], 1000).expect("graph");
        let plan = Plan::new(&graph, &PlanOptions::batch(1)).expect("plan");
        let lowering = Lowering { views: &plan.views, batch: plan.batch, choices: &Choices::default() };
        let dispatches = plan.steps.iter().flat_map(|step| step.lower(&lowering));
        let constants = dispatches.filter(|dispatch| dispatch.shader.name == "sk_attention").map(|d| {
            let values = d.constants.iter().map(|(name, value)| (*name, value.to_bits()));
            values.collect::<Vec<_>>()
        });
        assert_eq!(constants.collect::<BTreeSet<_>>().len(), shapes, "{name}");
    }
}

/// Plans of one packing share constants, and attention's say where these lie.
#[test]
fn results_and_overrides_lie_at_one_place_at_every_size() {
    for network in presets() {
        let places = [([97, 128], 1), ([64, 64], 3)].map(|(size, batch)| {
            let graph = network.graph(size, 10).expect("graph");
            let plan = Plan::new(&graph, &PlanOptions::batch(batch)).expect("plan");
            let tensors = graph.units.iter().flat_map(|u| [u.override_input, u.pooled, u.logits, u.attention]);
            let views = tensors.map(|id| plan.views.of(id)).map(|view| (view.item, view.base));
            (plan.packing(), views.collect::<Vec<_>>())
        });
        assert_eq!(places[0], places[1], "{}", network.name);
    }
}

#[test]
fn unknown_tensors_and_empty_batches_are_refused() {
    let graph = presets()[0].graph([64, 64], 10).expect("graph");
    let unknown = PlanOptions { retain: vec!["layer9".into()], ..PlanOptions::batch(1) };
    assert!(Plan::new(&graph, &unknown).unwrap_err().message.contains("layer9"));
    assert!(Plan::new(&graph, &PlanOptions::default()).is_err());
}

#[test]
fn folded_batch_norms_cost_no_fusion() {
    for network in presets() {
        let steps = |folded| {
            let graph = Network { folded, ..network.clone() }.graph([97, 128], 10).expect("graph");
            assert_eq!(graph.parameters().iter().any(|p| p.name.ends_with("running_var")), !folded, "{}", network.name);
            let plan = Plan::new(&graph, &PlanOptions::batch(1)).expect("plan");
            plan.steps.iter().map(|step| step.family()).collect::<Vec<_>>()
        };
        assert_eq!(steps(true), steps(false), "{}", network.name);
    }
}
