//! Overrides and tensors on the command line.

use serde_json::Value;
use std::process::{Command, Output};

fn analyze(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sklens"))
        .args(["analyze", "--backend", "cpu", "--size", "64"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/rgb.jpg"))
        .args(options)
        .output()
        .expect("sklens runs")
}

#[test]
fn overrides_and_tensors_reach_the_results() {
    let options = ["--json", "--override", "*=largest", "--override", "SK_2_1=off:0,1", "--tensors", "conv1.0"];
    let output = analyze(&options);
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let units = result["units"].as_array().expect("units");
    assert_eq!(units[1]["meanDifference"], 1.0);
    assert_eq!(units[1]["expectedKernel"], 5.0);
    let attention = |i: usize| units[0]["attention"][i].as_f64().expect("attention");
    let channels = units[0]["attention"].as_array().expect("attention").len() / 2;
    assert_eq!([attention(channels), attention(channels + 1), attention(channels + 2)], [0.0, 0.0, 1.0]);
    let field = &units[15]["receptiveField"];
    assert_eq!(field["expected"], field["largest"]);
    assert!(field["smallest"].as_f64() < field["largest"].as_f64());
    let shape: Vec<u64> = serde_json::from_value(result["tensors"]["conv1.0"]["shape"].clone()).expect("shape");
    let values = result["tensors"]["conv1.0"]["data"].as_array().expect("data").len() as u64;
    assert_eq!(values, shape.iter().product::<u64>());
    assert_eq!(shape[1..], [32, 32]);
}

#[test]
fn what_does_not_fit_is_a_usage_error_that_names_it() {
    for (options, named) in [
        (["--override", "SK_9_9=swap"], "SK_9_9"),
        (["--override", "SK_2_1=branch:2"], "SK_2_1"),
        (["--override", "SK_2_1=biggest"], "biggest"),
        (["--override", "SK_2_1"], "UNIT=FORM"),
        (["--json", "--tensors=layer9"], "layer9"),
    ] {
        let output = analyze(&options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(named) && output.stdout.is_empty(), "{message}");
    }
}
