//! The command line as people and scripts use it.

use serde_json::Value;
use std::process::{Command, Output};

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery/bison.jpg");

fn sklens(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sklens")).args(arguments).output().expect("sklens runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
}

#[test]
fn analyze_prints_one_object_per_photo_and_scale() {
    let output = sklens(&["analyze", PHOTO, "--scales", "1,1.5,2", "--backend", "cpu", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    assert_eq!(lines.iter().map(|l| l["scale"].as_f64().unwrap()).collect::<Vec<_>>(), [1.0, 1.5, 2.0]);
    for line in &lines {
        assert_eq!(line["photo"], PHOTO);
        assert_eq!(line["logits"].as_array().unwrap().len(), 200);
        let top = line["top"].as_array().unwrap();
        assert_eq!(top.len(), 5);
        assert!(top.iter().any(|class| class["label"] == "bison"), "{top:?}");
        let units = line["units"].as_array().unwrap();
        assert_eq!(units.len(), 16);
        for unit in units {
            let attention: Vec<f64> =
                unit["attention"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let half = attention.len() / 2;
            let difference = (0..half).map(|c| attention[half + c] - attention[c]).sum::<f64>() / half as f64;
            assert!((difference - unit["meanDifference"].as_f64().unwrap()).abs() < 1e-5);
        }
        assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    }
    assert_ne!(lines[0]["logits"], lines[2]["logits"]);
}

/// Largest difference of the photo's logits between two ways to run the bundled network.
fn difference(ways: [&[&str]; 2]) -> f64 {
    let logits = |way: &[&str]| -> Vec<f64> {
        let line = lines(&sklens(&[&["analyze", PHOTO, "--json"], way].concat())).remove(0);
        line["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let [a, b] = ways.map(logits);
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn backends_agree_on_a_photo() {
    let worst = difference([&["--backend", "cpu"], &["--backend", "gpu"]]);
    assert!(worst < 1e-3, "{worst}");
}

#[test]
fn weights_in_f16_change_little_but_something() {
    let worst = difference([&["--backend", "cpu"], &["--backend", "cpu", "--weight-precision", "f16"]]);
    assert!((1e-5..3e-2).contains(&worst), "{worst}");
}

#[test]
fn a_bad_photo_is_reported_and_the_rest_is_done() {
    let folder = std::env::temp_dir().join(format!("sklens-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let bad = folder.join("broken.jpg");
    std::fs::write(&bad, b"\xff\xd8\xff nothing").unwrap();
    let bad = bad.to_str().unwrap();
    let output = sklens(&["analyze", bad, PHOTO, "--backend", "cpu", "--json"]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["photo"], bad);
    assert!(lines[0]["error"].is_string() && lines[0]["logits"].is_null());
    assert_eq!(lines[1]["photo"], PHOTO);
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.jpg"));
}

#[test]
fn wrong_calls_exit_with_2_and_say_why() {
    for (arguments, why) in [
        (&["analyze"][..], "PHOTOS"),
        (&["analyze", PHOTO, "--model", "alexnet"], "alexnet"),
        (&["analyze", PHOTO, "--model", "sknet50"], "--weights"),
        (&["analyze", PHOTO, "--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (&["analyze", PHOTO, "--scales", "0.5"], "0.5"),
        (&["analyze", PHOTO, "--scales", "nan"], "NaN"),
        (&["analyze", PHOTO, "--center", "1"], "X,Y"),
        (&["analyze", PHOTO, "--size", "9"], "9"),
        (&["analyze", PHOTO, "--backend", "tpu"], "tpu"),
    ] {
        let output = sklens(arguments);
        let error = String::from_utf8_lossy(&output.stderr).to_string();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(why), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_ready_tensor_replaces_photos() {
    let path = std::env::temp_dir().join(format!("sklens-x-{}.safetensors", std::process::id()));
    let shape = vec![2, 3, 64, 96];
    let bytes: Vec<u8> =
        sklens::weights::generated::fill("input", &shape).into_iter().flat_map(f32::to_le_bytes).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap();
    std::fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    let output = sklens(&["analyze", "--tensor", path.to_str().unwrap(), "--backend", "cpu", "--json"]);
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines(&output).len(), 2);
}

#[test]
fn models_lists_presets_with_counts() {
    let output = sklens(&["models", "--json"]);
    let models: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let sknet50 = models.iter().find(|m| m["name"] == "sknet50").unwrap();
    assert_eq!(sknet50["params"], 27_479_784);
    assert_eq!(sknet50["macs"], 4_462_710_784_u64);
    assert_eq!(sknet50["units"][2]["name"], "SK_2_3");
    assert_eq!(sknet50["units"][2]["branches"][1]["size"], 5);
    assert!(String::from_utf8(sklens(&["models"]).stdout).unwrap().contains("27,479,784"));
}

#[test]
fn a_file_for_1000_classes_without_names_gets_imagenets() {
    use sklens::weights::generated::fill;
    let graph = sklens::network::preset("sk_shufflenet_v2_x0_5").unwrap().graph([64, 64], 1000).unwrap();
    let tensors: Vec<_> = graph
        .parameters()
        .into_iter()
        .map(|p| (fill(&p.name, &p.shape).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>(), p))
        .collect();
    let views = tensors.iter().map(|(bytes, p)| {
        (&p.name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, p.shape.clone(), bytes).unwrap())
    });
    let path = std::env::temp_dir().join(format!("sklens-w-{}.safetensors", std::process::id()));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let weights = path.to_str().unwrap();
    let model = "sk_shufflenet_v2_x0_5";
    let output = sklens(&["analyze", PHOTO, "--model", model, "--weights", weights, "--backend", "cpu", "--json"]);
    std::fs::remove_file(&path).unwrap();
    let line = lines(&output).remove(0);
    let names: Vec<String> =
        serde_json::from_str(include_str!("../models/imagenet1k-labels.json")).expect("a list of names");
    for class in line["top"].as_array().unwrap() {
        assert_eq!(class["label"], names[class["index"].as_u64().unwrap() as usize]);
    }
}

#[test]
fn bench_times_every_layer_against_the_roofline() {
    let options = ["bench", "--model", "sk_shufflenet_v2_x0_5", "--size", "64", "--batch", "2", "--backend", "cpu"];
    let output = sklens(&[&options[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let benchmark = lines(&output).remove(0);
    assert_eq!(benchmark["batch"], 2);
    assert!(benchmark["roofline"]["gflops"].as_f64().unwrap() > 0.0);
    assert!(benchmark["roofline"]["gigabytes"].as_f64().unwrap() > 0.0);
    let layers = benchmark["layers"].as_array().unwrap();
    assert_eq!(layers[0]["kernel"], "dense_conv");
    assert!(layers.iter().all(|layer| layer["milliseconds"].as_f64().unwrap() > 0.0));
    let table = String::from_utf8(sklens(&options).stdout).unwrap();
    assert_eq!(table.lines().count(), layers.len() + 5, "{table}");
    assert!(!sklens(&["bench", "--batch", "0", "--backend", "cpu"]).status.success());
}
