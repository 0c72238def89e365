//! Overridden attention and returned tensors, on both backends, against the naive interpreter.

#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/compare.rs"]
mod compare;
#[path = "common/interpreter.rs"]
mod interpreter;

use checkpoint::generated_checkpoint;
use compare::compare;
use interpreter::{Tensors, interpret};
use pollster::block_on;
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::graph::{Graph, SkUnit};
use sklens::image::{Photo, WorkingImage};
use sklens::network::preset;
use sklens::overrides::{ALL_UNITS, Override, Overrides, RunOptions};
use sklens::session::{BackendChoice, Session, View};
use sklens::weights::Source;
use sklens::weights::generated::fill;

const SIDE: usize = 64;
const BATCH: usize = 2;
const CLASSES: usize = 10;

fn graph(network: &str) -> Graph {
    preset(network).expect("preset").graph([SIDE, SIDE], CLASSES).expect("graph")
}

fn open(network: &str, choice: BackendChoice) -> Session {
    let source = generated_checkpoint(&graph(network), str::to_string);
    block_on(Session::open(network, source, choice, |_| ())).expect("session")
}

/// Every tensor of the reference, where `forced` gives a unit's attention `[N, M·C]` as values and mask.
fn reference(graph: &Graph, forced: impl Fn(&SkUnit) -> Option<(Vec<f64>, Vec<f64>)>) -> Tensors {
    let input = fill("input", &[BATCH, 3, SIDE, SIDE]).into_iter().map(f64::from).collect();
    let mut inputs = Tensors::from([(graph.input, input)]);
    for unit in &graph.units {
        let size = unit.branches.len() * unit.channels;
        let (values, mask) = forced(unit).unwrap_or_else(|| (vec![0.0; BATCH * size], vec![0.0; BATCH * size]));
        let items = values.chunks(size).zip(mask.chunks(size)).flat_map(|(v, m)| [v, m].concat());
        inputs.insert(unit.override_input, items.collect());
    }
    interpret(graph, BATCH, &inputs)
}

/// A small network, and `large` where no pipelines have to be compiled for it.
fn networks(choice: BackendChoice, large: &'static str) -> impl Iterator<Item = &'static str> {
    ["sk_shufflenet_v2_x0_5"].into_iter().chain((choice == BackendChoice::Cpu).then_some(large))
}

fn overrides(unit: &str, form: Override) -> Overrides {
    [(unit.to_string(), vec![form])].into()
}

/// Logits and attention of a run with `overrides` against the reference.
fn check(session: &mut Session, graph: &Graph, name: &str, overrides: Overrides, expected: &Tensors) {
    let options = RunOptions { overrides, tensors: Vec::new() };
    let input = fill("input", &[BATCH, 3, SIDE, SIDE]);
    let results = block_on(session.analyze_tensor_with(&input, [BATCH, 3, SIDE, SIDE], &options)).expect("analysis");
    let logits: Vec<f32> = results.iter().flat_map(|r| r.logits.clone()).collect();
    compare(&format!("{name}: logits"), &logits, &expected[&graph.output]);
    for (i, unit) in graph.units.iter().enumerate() {
        let attention: Vec<f32> = results.iter().flat_map(|r| r.units[i].attention.clone()).collect();
        compare(&format!("{name}: {}", unit.name), &attention, &expected[&unit.attention]);
    }
}

fn overridden(choice: BackendChoice) {
    for network in networks(choice, "sknet50_k3_k5_k7") {
        let graph = graph(network);
        let mut session = open(network, choice);
        let plain = reference(&graph, |_| None);
        let mut check = |name: &str, overrides, expected: &Tensors| {
            check(&mut session, &graph, &format!("{network}, {name}, {choice:?}"), overrides, expected);
        };
        check("plain", Overrides::new(), &plain);

        let only = |unit: &SkUnit, branch: usize| {
            let value = |i: usize| f64::from(u8::from(i / unit.channels % unit.branches.len() == branch));
            let size = BATCH * unit.branches.len() * unit.channels;
            ((0..size).map(value).collect(), vec![1.0; size])
        };
        let forced = reference(&graph, |unit| Some(only(unit, 0)));
        assert!(far(&forced[&graph.output], &plain[&graph.output]));
        check("all 3×3", overrides(ALL_UNITS, Override::Smallest), &forced);
        check("branch 0", overrides(ALL_UNITS, Override::Branch(0)), &forced);

        let swapped = |unit: &SkUnit| {
            let (last, channels) = (unit.branches.len() - 1, unit.channels);
            let swap =
                |item: &[f64]| [&item[last * channels..], &item[channels..last * channels], &item[..channels]].concat();
            let softmax = &plain[&unit.softmax];
            (softmax.chunks((last + 1) * channels).flat_map(swap).collect(), vec![1.0; softmax.len()])
        };
        check("swap", overrides(ALL_UNITS, Override::Swap), &reference(&graph, |unit| Some(swapped(unit))));

        let unit = &graph.units[5];
        let off = |u: &SkUnit| {
            let mask = |i: usize| f64::from(u8::from([1, 6].contains(&(i % u.channels))));
            let size = BATCH * u.branches.len() * u.channels;
            (u.name == unit.name).then(|| (vec![0.0; size], (0..size).map(mask).collect()))
        };
        check("channels off", overrides(&unit.name, Override::Off(vec![1, 6])), &reference(&graph, off));
        check("plain again", Overrides::new(), &plain);
    }
}

fn far(a: &[f64], b: &[f64]) -> bool {
    let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > 0.01 * scale)
}

/// All tensors at once, which disables every fusion, then some that leave fusions as they are, then none.
fn returned(choice: BackendChoice) {
    for network in networks(choice, "sknet26") {
        let graph = graph(network);
        let expected = reference(&graph, |_| None);
        let mut session = open(network, choice);
        let input = fill("input", &[BATCH, 3, SIDE, SIDE]);
        let all: Vec<String> = graph.tensors.iter().map(|t| t.name.clone()).collect();
        let unit = &graph.units[1];
        let visible =
            [unit.branch_outputs[1], unit.pooled, unit.output].map(|id| graph.tensor(id).name.clone()).to_vec();
        for tensors in [all, visible, Vec::new()] {
            let options = RunOptions { tensors: tensors.clone(), ..RunOptions::default() };
            let results =
                block_on(session.analyze_tensor_with(&input, [BATCH, 3, SIDE, SIDE], &options)).expect("analysis");
            for name in &tensors {
                let id = graph.find(name).expect("tensor");
                assert_eq!(results[0].tensors[name].shape, graph.tensor(id).shape);
                let found: Vec<f32> = results.iter().flat_map(|r| r.tensors[name].data.clone()).collect();
                compare(&format!("{network} on {choice:?}: {name}"), &found, &expected[&id]);
            }
            assert!(results.iter().all(|r| r.tensors.len() == tensors.len()));
            let logits: Vec<f32> = results.iter().flat_map(|r| r.logits.clone()).collect();
            compare(network, &logits, &expected[&graph.output]);
        }
    }
}

macro_rules! on_both {
    ($($test:ident: $function:ident,)*) => {
        mod cpu {
            $(#[test] fn $test() { super::$function(super::BackendChoice::Cpu) })*
        }
        mod gpu {
            $(#[test] fn $test() { super::$function(super::BackendChoice::Gpu) })*
        }
    };
}

on_both! {
    overrides_equal_the_interpreters: overridden,
    returned_tensors_equal_the_interpreters: returned,
}

#[test]
fn attention_of_another_zoom_can_be_frozen() {
    let source = Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
    let mut session = block_on(Session::open(DEFAULT_MODEL, source, BackendChoice::Cpu, |_| ())).expect("session");
    let pixels: Vec<u8> = fill("photo", &[96, 128, 4]).iter().map(|v| ((v + 2.0) * 63.0) as u8).collect();
    let photo = WorkingImage::new(Photo::from_rgba(&pixels, 128, 96).expect("photo"));
    let mut run = |scales: &[f64], overrides: Overrides| {
        let run = RunOptions { overrides, tensors: Vec::new() };
        let view = View { scales: scales.to_vec(), size: Some([SIDE, SIDE]), run, ..View::default() };
        block_on(session.analyze(&photo, &view)).expect("analysis")
    };
    let plain = run(&[1.0, 2.0], Overrides::new());
    let frozen = |from: usize| {
        plain[from].units.iter().map(|u| (u.name.clone(), vec![Override::Values(u.attention.clone())])).collect()
    };
    let far = run(&[1.0, 2.0], frozen(1));
    for (unit, expected) in far[0].units.iter().zip(&plain[1].units) {
        assert_eq!(unit.attention, expected.attention);
        assert_eq!(unit.expected_kernel, expected.expected_kernel);
    }
    assert_eq!(far[1].logits, plain[1].logits);
    assert_ne!(far[0].logits, plain[0].logits);
    assert_eq!(run(&[1.0, 2.0], frozen(0))[0].logits, plain[0].logits);
    assert_eq!(run(&[1.0, 2.0], Overrides::new())[0].logits, plain[0].logits);
}
