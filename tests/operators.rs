//! The reference interpreter itself against PyTorch's operators.

#[allow(dead_code, reason = "this test uses the interpreter only")]
mod common;
#[path = "common/golden.rs"]
mod golden;

use common::interpreter::{Tensors, interpret};
use golden::{Golden, integers};
use serde_json::Value;
use sklens::graph::{Branch, Graph, GraphBuilder, Pool, PoolKind, TensorId};
use sklens::network::blocks::{AttentionWidth, Groups, SkBranch, SkConv, UnitPlace, sk_unit, squeeze_excite};
use sklens::weights::generated::fill;

/// PyTorch ran in f64 on f32 weights, the goldens are rounded to f32.
const TOLERANCE: f64 = 1e-6;

struct Case<'a> {
    name: &'a str,
    params: &'a Value,
    inputs: &'a Value,
}

impl Case<'_> {
    fn number(&self, key: &str) -> usize {
        self.params[key].as_u64().unwrap_or_else(|| panic!("{}: no {key}", self.name)) as usize
    }
    fn shape(&self, argument: &str) -> Vec<usize> {
        integers(&self.inputs[argument])
    }

    /// The graph, the batch, and which argument each input tensor takes.
    fn graph(&self, op: &str) -> (Graph, usize, Vec<(TensorId, String)>) {
        let first = if op == "select" { "branch0" } else { "input" };
        let shape = self.shape(first);
        let pad = |i: usize| shape.get(i).copied().unwrap_or(1);
        let mut b = GraphBuilder::new([pad(1), pad(2), pad(3)]);
        let x = b.picture();
        let mut inputs = vec![(x, first.to_string())];
        let name = self.name;
        let y = match op {
            "conv2d" => {
                let weight = self.shape("weight");
                let branch =
                    Branch { kernel: weight[2], dilation: self.number("dilation"), groups: self.number("groups") };
                let bias = !self.inputs["bias"].is_null();
                b.conv(name, x, weight[0], branch, self.number("stride"), self.number("padding"), bias).unwrap()
            }
            "batch_norm" => b.batch_norm(name, x),
            "max_pool2d" | "avg_pool2d" => {
                let pool = Pool {
                    kind: if op == "max_pool2d" { PoolKind::Max } else { PoolKind::Average },
                    kernel: self.number("kernel"),
                    stride: self.number("stride"),
                    padding: self.number("padding"),
                    ceil_mode: self.params["ceil_mode"].as_bool().unwrap(),
                };
                b.pool(name, x, pool).unwrap()
            }
            "global_avg_pool" => b.global_average_pool(name, x),
            "sigmoid" => b.sigmoid(name, x),
            "squeeze_excite" => {
                let width = AttentionWidth::PerStage(vec![self.shape("fc1.bias")[0]]);
                squeeze_excite(&mut b, &UnitPlace { stage: 2, index: 1, path: name.into() }, x, &width).unwrap()
            }
            "linear" => b.linear(name, x, self.shape("weight")[0], true, false).unwrap(),
            "channel_shuffle" => b.channel_shuffle(name, x, self.number("groups")).unwrap(),
            "select" => {
                let m = self.number("branches");
                let mut branches = vec![x];
                for i in 1..m {
                    let id = b.input(format!("branch{i}"), [shape[1], shape[2], shape[3]]);
                    inputs.push((id, format!("branch{i}")));
                    branches.push(id);
                }
                let logits = b.input("logits", [m * shape[1], 1, 1]);
                inputs.push((logits, "logits".into()));
                let attention = b.branch_softmax("attention", logits, m).unwrap();
                b.select("output", attention, &branches).unwrap()
            }
            "selective_kernel" => {
                let channels = self.number("channels");
                let kernels = integers(&self.params["kernels"]).into_iter().zip(integers(&self.params["dilations"]));
                let groups = Groups::Count(self.number("groups"));
                let branches = kernels.map(|(kernel, dilation)| SkBranch { kernel, dilation, groups }).collect();
                let attention = Some(AttentionWidth::PerStage(vec![self.number("reduced")]));
                let split_input = self.params["split_input"].as_bool().unwrap();
                let sk = SkConv { branches, split_input, attention };
                let place = UnitPlace { stage: 2, index: 1, path: name.into() };
                sk_unit(&mut b, &place, x, channels, self.number("stride"), &sk).unwrap()
            }
            other => panic!("{name}: no operator {other}"),
        };
        (b.finish(y), shape[0], inputs)
    }
}

#[test]
fn the_interpreter_computes_what_pytorch_computes() {
    let golden = Golden::read("operators");
    let cases = golden.document["cases"].as_array().expect("cases");
    assert!(cases.len() >= 47, "{} cases", cases.len());
    for entry in cases {
        let text = |key: &str| entry[key].as_str().expect("text");
        let case = Case { name: text("name"), params: &entry["params"], inputs: &entry["inputs"] };
        let (graph, batch, arguments) = case.graph(text("op"));
        let mut inputs = Tensors::new();
        for (id, argument) in arguments {
            let values = fill(&format!("{}.{argument}", case.name), &case.shape(&argument));
            inputs.insert(id, values.into_iter().map(f64::from).collect());
        }
        for unit in &graph.units {
            inputs.insert(unit.override_input, vec![0.0; batch * graph.tensor(unit.override_input).shape[0]]);
        }
        let all = interpret(&graph, batch, &inputs);
        compare(case.name, &all[&graph.output], &golden.tensor(&format!("{}.output", case.name)));
        if let Some(expected) = golden.get(&format!("{}.attention", case.name)) {
            let attention = graph.units.first().map(|u| u.attention).or(graph.find("attention")).expect("attention");
            compare(case.name, &all[&attention], &expected);
        }
    }
}

fn compare(name: &str, found: &[f64], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let scale = expected.iter().fold(1.0_f64, |m, &v| m.max(f64::from(v).abs()));
    for (i, (&a, &b)) in found.iter().zip(expected).enumerate() {
        assert!((a - f64::from(b)).abs() <= TOLERANCE * scale, "{name}: element {i} is {a} and should be {b}");
    }
}
