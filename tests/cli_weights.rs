//! Weights on the command line: recognised networks, `inspect`, `convert`.

#[path = "common/caffe.rs"]
mod caffe;

use caffe::{Form, caffemodel};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use sklens::graph::Graph;
use sklens::network::{NetworkFile, preset};
use sklens::weights::generated::fill;
use sklens::weights::random_file;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery/bison.jpg");
const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/sk_shufflenet_v2_x1_0.tiny200.safetensors");

fn fixture(name: &str) -> String {
    format!("{ROOT}/tests/fixtures/weights/{name}")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("UTF-8").to_string()
}

fn sklens(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sklens")).args(arguments).output().expect("sklens runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeds(arguments: &[&str]) -> Output {
    let output = sklens(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    output
}

/// The message with which `arguments` are refused.
fn refused(arguments: &[&str]) -> String {
    let output = sklens(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty());
    stderr(&output)
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_slice(&succeeds(arguments).stdout).expect("a JSON object")
}

fn logits(weights: &str, more: &[&str]) -> Vec<f64> {
    let arguments = [&["analyze", PHOTO, "--weights", weights, "--backend", "cpu", "--json"], more].concat();
    json(&arguments)["logits"].as_array().expect("logits").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Largest difference relative to the largest expected value.
fn deviation(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(scale > 0.0);
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale
}

fn small() -> Graph {
    let text = include_str!("fixtures/weights/small.toml");
    NetworkFile::from_toml(text).unwrap().network().unwrap().graph([64, 64], 10).unwrap()
}

/// A file whose values are all zero; its length is there, its bytes are not on the disk.
fn zeros(graph: &Graph, path: &str) {
    let mut parts = random_file(graph).unwrap();
    std::fs::write(path, parts.next().unwrap()).unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let values: usize = graph.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
    file.set_len(file.metadata().unwrap().len() + 4 * values as u64).unwrap();
}

#[test]
fn the_network_is_recognised_or_every_difference_listed() {
    let output = succeeds(&["analyze", PHOTO, "--weights", BUNDLED, "--backend", "cpu"]);
    assert!(stderr(&output).starts_with("sk_shufflenet_v2_x1_0 on cpu"), "{}", stderr(&output));
    let message = refused(&["analyze", PHOTO, "--weights", &fixture("small.pth")]);
    assert!(message.contains("fit no network known here; sknet26 is the closest, 217 tensors differ"), "{message}");
    assert_eq!(message.lines().count(), 218);
    let message = refused(&["analyze", PHOTO, "--weights", BUNDLED, "--model", "sk_shufflenet_v2_x0_5"]);
    assert!(message.contains("does not fit sk_shufflenet_v2_x0_5"), "{message}");
}

#[test]
fn equal_candidates_are_named() {
    let folder = folder();
    let weights = path(&folder, "sknet50.safetensors");
    zeros(&preset("sknet50").unwrap().graph([64, 64], 1000).unwrap(), &weights);
    let output = succeeds(&["analyze", PHOTO, "--weights", &weights, "--size", "64", "--backend", "cpu"]);
    let note = stderr(&output);
    assert!(note.contains("fit sknet50, which is taken, and as well sknet50_caffe, sknet50_k3_k3,"), "{note}");
    assert!(note.contains("--model"), "{note}");
    let report = json(&["inspect", &weights, "--json"]);
    assert_eq!(report["recognised"], "sknet50");
    assert!(report["candidates"].as_array().unwrap().contains(&"sknet50_k5_k7".into()), "{report}");
    let chosen =
        ["analyze", PHOTO, "--weights", &weights, "--size", "64", "--backend", "cpu", "--model", "sknet50_k5_k7"];
    assert!(stderr(&succeeds(&chosen)).starts_with("sknet50_k5_k7 on cpu"));
}

#[test]
fn inspect_tells_what_a_file_holds() {
    let report = json(&["inspect", &fixture("views.pth"), "--json"]);
    assert_eq!((&report["format"], &report["set"]), (&"pytorch".into(), &"model_ema".into()));
    assert_eq!(report["sets"], serde_json::json!(["model_ema", "model"]));
    assert_eq!(report["recognised"], Value::Null);
    assert!(!report["mismatches"].as_array().unwrap().is_empty());
    let other = json(&["inspect", &fixture("views.pth"), "--set", "model", "--json"]);
    assert_eq!(other["set"], "model");
    let output = succeeds(&["inspect", BUNDLED]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["network: sk_shufflenet_v2_x1_0", "  F16  [24, 3, 3, 3] conv1.0.weight"] {
        assert!(text.lines().any(|l| l == line), "{line:?} is not in {text}");
    }
    assert!(text.lines().next().unwrap().ends_with(".safetensors: safetensors"), "{text}");
    assert!(refused(&["inspect", PHOTO]).contains("bison.jpg"));
}

#[test]
fn a_set_that_is_not_there_is_refused_with_those_that_are() {
    let message = refused(&["inspect", &fixture("views.pth"), "--set", "ema"]);
    assert!(message.contains("there is no set \"ema\"; there are model_ema, model"), "{message}");
    assert!(refused(&["inspect", BUNDLED, "--set", "ema"]).contains("one set"));
    assert!(refused(&["analyze", PHOTO, "--set", "ema"]).contains("--weights"));
}

#[test]
fn converted_weights_give_the_same_logits() {
    let folder = folder();
    let model = fixture("small.toml");
    let caffe = path(&folder, "small.caffemodel");
    std::fs::write(&caffe, caffemodel(&small(), Form { old: true, factor: Some(3.0) })).unwrap();
    let of_a_preset: (&str, &[&str]) = (BUNDLED, &[]);
    let described: &[&str] = &["--model", &model];
    for (weights, more) in [of_a_preset, (&fixture("small.pth"), described), (&caffe, described)] {
        let expected = logits(weights, more);
        for (options, tolerance) in [
            (&[][..], 0.0),
            (&["--f32"][..], 0.0),
            (&["--fold"], 1e-5),
            (&["--f16"], 0.02),
            (&["--f16", "--fold"], 0.02),
        ] {
            let out = path(&folder, "out.safetensors");
            succeeds(&[&["convert", weights, &out], more, options].concat());
            let found = deviation(&logits(&out, more), &expected);
            assert!(found <= tolerance, "{weights} {options:?}: logits deviate by {found}");
            let report = json(&["inspect", &out, "--json"]);
            let has = |part: &str| {
                let tensors = report["tensors"].as_array().unwrap();
                tensors.iter().any(|t| t["name"].as_str().unwrap().contains(part))
            };
            assert_eq!(has("running_mean"), !options.contains(&"--fold"), "{options:?}");
            assert_eq!(report["tensors"][0]["dtype"], if options.contains(&"--f16") { "F16" } else { "F32" });
        }
    }
}

/// A folded file runs with the same fusions, and one that is folded again is the same file.
#[test]
fn folded_weights_can_be_converted_again() {
    let folder = folder();
    let [once, twice, plain] = ["1.safetensors", "2.safetensors", "3.safetensors"].map(|name| path(&folder, name));
    succeeds(&["convert", BUNDLED, &once, "--fold"]);
    succeeds(&["convert", &once, &twice, "--fold"]);
    succeeds(&["convert", &once, &plain]);
    let read = |path: &str| {
        let bytes = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, tensor): (&str, TensorView)| (name.to_string(), tensor.data().to_vec());
        file.iter().map(tensor).collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(read(&once).contains_key("conv1.0.bias"));
    assert!(read(&once) == read(&twice) && read(&once) == read(&plain));
}

#[test]
fn converting_caffe_weights_keeps_their_network() {
    let folder = folder();
    let [caffe, out] = ["a.caffemodel", "a.safetensors"].map(|name| path(&folder, name));
    let graph = preset("sknet50_caffe").unwrap().graph([64, 64], 1000).unwrap();
    std::fs::write(&caffe, caffemodel(&graph, Form::default())).unwrap();
    succeeds(&["convert", &caffe, &out, "--f16"]);
    let report = json(&["inspect", &out, "--json"]);
    assert_eq!((&report["recognised"], &report["format"]), (&"sknet50_caffe".into(), &"safetensors".into()));
}

#[test]
fn weights_of_unknown_networks_are_converted_but_not_folded() {
    let folder = folder();
    let out = path(&folder, "views.safetensors");
    let message = refused(&["convert", &fixture("views.pth"), &out, "--fold"]);
    assert!(message.contains("fit no network known here"), "{message}");
    assert!(!Path::new(&out).exists());
    let output = succeeds(&["convert", &fixture("views.pth"), &out]);
    assert!(stderr(&output).contains("no network known here"));
    let report = json(&["inspect", &out, "--json"]);
    assert!(report["tensors"].as_array().unwrap().iter().all(|t| t["dtype"] == "F32"));
}

#[test]
fn what_f16_cannot_hold_is_refused_by_name_and_nothing_is_written() {
    let folder = folder();
    let [weights, out] = ["in.safetensors", "out.safetensors"].map(|name| path(&folder, name));
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = small()
        .parameters()
        .into_iter()
        .map(|p| {
            let mut values = fill(&p.name, &p.shape);
            if p.name == "layer2.0.conv1.bn.bias" {
                values[1] = -65520.0;
            }
            (p.name, p.shape, values.into_iter().flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views = tensors.iter().map(|(n, s, b)| (n, TensorView::new(Dtype::F32, s.clone(), b).unwrap()));
    std::fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::write(&out, "before").unwrap();
    let message = refused(&["convert", &weights, &out, "--f16"]);
    assert!(message.contains("layer2.0.conv1.bn.bias holds -65520") && message.contains("f32"), "{message}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "before");
    let left: Vec<PathBuf> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    succeeds(&["convert", &weights, &out]);
    assert!(refused(&["convert", &weights, "/nowhere/out.safetensors"]).contains("/nowhere/out.safetensors"));
}
