//! `sklens models`, the generated table of networks, and networks that users describe.

use serde_json::Value;
use sklens::network::{NetworkFile, SkNetFile, SkShuffleNetFile, preset};
use sklens::{ErrorCode, Result};
use std::path::Path;
use std::process::{Command, Output};

fn sklens(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sklens")).args(arguments).output().expect("sklens runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A file in the folder for temporary files of tests.
fn file(name: &str, content: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn the_documented_table_is_what_the_command_prints() {
    let output = sklens(&["models", "--markdown"]);
    assert!(output.status.success());
    let documented = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/networks.md")).unwrap();
    assert_eq!(text(&output.stdout), documented, "write it anew with `sklens models --markdown`");
}

#[test]
fn the_documented_descriptions_are_the_defaults() {
    let documented = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/networks.md")).unwrap();
    let examples: Vec<_> = documented.split("```toml\n").skip(1).filter_map(|s| s.split_once("```")).collect();
    let files = examples.iter().map(|(toml, _)| NetworkFile::from_toml(toml).unwrap());
    let defaults = [NetworkFile::Sknet(SkNetFile::default()), NetworkFile::SkShufflenetV2(SkShuffleNetFile::default())];
    assert_eq!(files.collect::<Vec<_>>(), defaults);
}

#[test]
fn json_tells_what_is_published() {
    let list: Value = serde_json::from_slice(&sklens(&["models", "--json"]).stdout).unwrap();
    let find = |name: &str| list.as_array().unwrap().iter().find(|m| m["name"] == name).unwrap();
    let sknet50 = find("sknet50");
    assert_eq!(sknet50["aliases"][0], "skresnext50_32x4d");
    assert_eq!((&sknet50["paper"]["top1Error"], &sknet50["accuracy"]["top1"]), (&20.79.into(), &80.168.into()));
    assert_eq!(sknet50["selectMacs"], 5_519_360);
    assert_eq!(find("resnext50_32x4d")["units"], Value::Array(Vec::new()));
    assert_eq!(find("sknet26")["paper"], Value::Null);
}

#[test]
fn a_described_network_stands_beside_the_papers() {
    let toml = file("described.toml", "[sknet]\nname = \"mine\"\ndepths = [2, 2, 2, 2]\n");
    let output = sklens(&["models", "--describe", &toml]);
    let rows: Vec<&str> = text(&output.stdout).lines().collect();
    assert!(rows[1].starts_with("mine ") && rows[1].contains(" 16,746,408 "), "{}", rows[1]);
    assert!(rows.iter().any(|row| row.starts_with("sknet50_k3_k5_k7 ")));

    let json = file("described.json", r#"{"sk_shufflenet_v2": {"widths": [48, 96, 192]}}"#);
    let list: Value = serde_json::from_slice(&sklens(&["models", "--json", "--describe", &json]).stdout).unwrap();
    assert_eq!((&list[0]["params"], &list[0]["macs"]), (&1_460_264.into(), &42_083_488.into()));
}

#[test]
fn analyze_takes_a_described_network() {
    let toml = file("analyzed.toml", "[sknet]\nname = \"mine\"\n");
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/rgb.jpg");
    let output = sklens(&["analyze", photo, "--model", &toml]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("mine is not bundled"), "{}", text(&output.stderr));

    // The bundled weights fit the description of their own network and no other.
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/models/sk_shufflenet_v2_x1_0.tiny200.safetensors");
    let run =
        |toml: &str| sklens(&["analyze", photo, "--model", toml, "--weights", bundled, "--backend", "cpu", "--json"]);
    let same = run(&file("same.toml", "[sk_shufflenet_v2]\n"));
    let preset = sklens(&["analyze", photo, "--backend", "cpu", "--json"]);
    let logits = |output: &Output| serde_json::from_slice::<Value>(&output.stdout).unwrap()["logits"].clone();
    assert!(logits(&same).as_array().unwrap().len() == 200 && logits(&same) == logits(&preset));
    let other = run(&file("other.toml", "[sk_shufflenet_v2]\nwidths = [48, 96, 192]\n"));
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("sk_shufflenet_v2"), "{}", text(&other.stderr));
}

fn read(toml: &str) -> Result<()> {
    NetworkFile::from_toml(toml)?.network().map(|_| ())
}

#[test]
fn bad_values_are_refused_with_the_reason() {
    let sknet = |line: &str| format!("[sknet]\n{line}\n");
    let shuffle = |line: &str| format!("[sk_shufflenet_v2]\n{line}\n");
    let cases = [
        (sknet("groups = 48"), "128 input and 128 output channels are not divisible by 48 groups"),
        (sknet("groups = 0"), "groups must be at least 1"),
        (sknet("branches = [{ kernel = 4 }]"), "kernel 4 is even"),
        (sknet("branches = [{ kernel = 0 }]"), "kernel is 0"),
        (sknet("branches = [{ kernel = 3, dilation = 0 }]"), "dilation is 0"),
        (sknet("branches = [{ kernel = 3, groups = 5 }]"), "divisible by 5"),
        (sknet("branches = []"), "M, the number of branches, is 0"),
        (sknet("branches = [{ kernel = 3, size = 5 }]"), "unknown field `size`"),
        (sknet("branches = [{ kernel = 3 }, { kernel = 3 }, { kernel = 3 }]\nsplit_input = true"), "into 3 branches"),
        (sknet("depths = []"), "stages in depths is 0"),
        (sknet("depths = [3, 0]"), "depths is 0"),
        (sknet("depths = [3, 1000000]"), "depths is 1000000"),
        (sknet("width = 18446744073709551615"), "width"),
        (sknet("width = 100000"), "width is 100000; it must be from 1 to 1024"),
        (sknet("out_width = 0"), "out_width is 0"),
        (sknet("r = 0"), "r is 0"),
        (sknet("l = 0"), "l is 0"),
        (sknet("classes = 0"), "classes is 0"),
        (sknet("input_size = [224, 48]"), "input size 224×48 is out of range; both sides must be from 64 to 512"),
        (sknet("small_input = true\nceil_mode = true"), "ceil_mode"),
        (sknet("dept = [3]"), "unknown field `dept`"),
        (sknet("depths = 3"), "line 2"),
        (shuffle("widths = [116, 232]"), "depths gives 3 stages and widths 2"),
        (shuffle("widths = [115, 232, 464]"), "115 is odd"),
        (shuffle("head = 0"), "head is 0"),
        ("[vgg]".into(), "unknown variant `vgg`, expected `sknet` or `sk_shufflenet_v2`"),
        ("depths = [3]".into(), "expected `sknet` or `sk_shufflenet_v2`"),
        ("".into(), "not understood"),
    ];
    for (toml, reason) in cases {
        let error = read(&toml).expect_err(&toml);
        assert_eq!(error.code, ErrorCode::BadOption, "{toml}");
        assert!(error.message.contains(reason), "{toml}: {error}");
    }
    assert!(NetworkFile::from_json("{").unwrap_err().message.contains("line 1"));
}

#[test]
fn the_files_faults_name_the_file() {
    let output = sklens(&["models", "--describe", &file("even.toml", "[sknet]\nbranches = [{ kernel = 2 }]")]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("even.toml") && message.contains("kernel 2 is even"), "{message}");
    let missing = sklens(&["models", "--describe", "missing.json"]);
    assert!(text(&missing.stderr).contains("missing.json: cannot be read"), "{}", text(&missing.stderr));
}

#[test]
fn an_empty_description_is_the_papers_network() {
    let architecture = |file: NetworkFile| file.network().unwrap().architecture;
    let same = |file: NetworkFile, name: &str| assert_eq!(architecture(file), preset(name).unwrap().architecture);
    same(NetworkFile::Sknet(SkNetFile::default()), "sknet50");
    same(NetworkFile::SkShufflenetV2(SkShuffleNetFile::default()), "sk_shufflenet_v2_x1_0");
    let text = r#"
        [sknet]
        depths = [3, 3, 3]
        width = 512
        groups = 16
        r = 32
        small_input = true
        classes = 10
        input_size = [32, 32]
        branches = [{ kernel = 1 }, { kernel = 3 }]
    "#;
    let file = NetworkFile::from_toml(text).unwrap();
    same(file.clone(), "sknet29_cifar10");
    assert_eq!(NetworkFile::from_json(&serde_json::to_string(&file).unwrap()).unwrap(), file);
}
