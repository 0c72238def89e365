//! Files of PyTorch and Caffe hold the same weights as the framework that wrote them, and their network is recognised.

#[path = "common/caffe.rs"]
mod caffe;
#[path = "common/golden.rs"]
mod golden;

use caffe::{Form, caffemodel};
use golden::{Golden, integers};
use pollster::block_on;
use sklens::ErrorCode;
use sklens::network::{Network, NetworkFile, preset};
use sklens::session::{BackendChoice, Session};
use sklens::weights::generated::fill;
use sklens::weights::{Checkpoint, Source, compare, recognise};
use std::path::PathBuf;

const TOLERANCE: f32 = 1e-4;

fn file(name: &str) -> Source {
    Source::File(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights").join(name))
}

fn open(name: &str) -> Checkpoint {
    block_on(Checkpoint::open(file(name))).unwrap()
}

fn refused(name: &str) -> String {
    let error = block_on(Checkpoint::open(file(name))).expect_err("refused");
    assert_eq!(error.code, ErrorCode::BadWeights);
    error.message
}

fn small() -> Network {
    described(include_str!("fixtures/weights/small.toml"))
}

fn described(text: &str) -> Network {
    NetworkFile::from_toml(text).unwrap().network().unwrap()
}

fn read(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    block_on(async { checkpoint.reader().await?.read(&[name.to_string()]).await?.get(name).map(<[f32]>::to_vec) })
        .unwrap()
}

fn logits(network: Network, checkpoint: Checkpoint, shape: [usize; 4]) -> Vec<f32> {
    let mut session = block_on(Session::open_checkpoint(network, checkpoint, BackendChoice::Cpu, |_| ())).unwrap();
    let results = block_on(session.analyze_tensor(&fill("input", &shape), shape)).unwrap();
    results.into_iter().flat_map(|r| r.logits).collect()
}

/// Largest difference relative to the largest expected value.
fn deviation(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale
}

/// Compares the file `name` of a network with the framework's logits in the file `expected`.
fn gives(name: &str, network: Network, shape: [usize; 4], expected: &str) {
    let checkpoint = open(name);
    assert_eq!(compare(&checkpoint, &network).unwrap(), Vec::<String>::new(), "{name}");
    let found = deviation(&logits(network, checkpoint, shape), &read(&open(expected), "logits"));
    assert!(found < TOLERANCE, "{name}: logits deviate by {found}");
}

#[test]
fn timms_files_give_timms_logits() {
    for name in ["small.safetensors", "small.pth"] {
        gives(name, small(), [2, 3, 64, 77], "small.logits.safetensors");
    }
}

#[test]
fn a_file_of_protobufs_own_library_gives_pytorchs_logits() {
    let network = described(include_str!("fixtures/weights/small_caffe.toml"));
    gives("small.caffemodel", network, [2, 3, 66, 77], "small.caffemodel.logits.safetensors");
}

#[test]
fn views_of_storages_are_what_pytorch_sees() {
    let expected = open("views.safetensors");
    for name in ["views.pth", "views.legacy.pth"] {
        let checkpoint = open(name);
        assert_eq!(checkpoint.set, "model_ema", "{name}: averaged weights come first");
        assert_eq!(checkpoint.tensors().len(), expected.tensors().len());
        for (tensor, entry) in expected.tensors() {
            let found = &checkpoint.tensors()[tensor];
            assert_eq!((&found.shape, &found.dtype), (&entry.shape, &entry.dtype), "{name}: {tensor}");
            if entry.dtype.size().is_some() {
                assert_eq!(read(&checkpoint, tensor), read(&expected, tensor), "{name}: {tensor}");
            }
        }
    }
}

#[test]
fn programs_and_modules_are_refused() {
    assert!(refused("script.pt").contains("TorchScript"));
    let module = refused("module.pth");
    assert!(module.contains("torch.nn.modules.activation.ReLU") && module.contains("state_dict()"), "{module}");
    assert!(refused("small.toml").contains("small.toml"));
}

/// The files stay in `target/tmp` for the tests of the page.
#[test]
fn the_authors_files_give_the_goldens_logits() {
    let golden = Golden::read("sknet50_caffe");
    let shape: [usize; 4] = integers(&golden.document["shape"]).try_into().unwrap();
    let graph = preset("sknet50_caffe").unwrap().graph([64, 64], 1000).unwrap();
    let old = Form { old: true, factor: Some(999.98) };
    for (name, form) in [("sknet50.caffemodel", Form::default()), ("sknet50.v1.caffemodel", old)] {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, caffemodel(&graph, form)).unwrap();
        let checkpoint = block_on(Checkpoint::open(Source::File(path))).unwrap();
        let found = recognise(&checkpoint).unwrap();
        assert_eq!(found.network.as_deref(), Some("sknet50_caffe"), "{:?}", found.mismatches);
        let network = preset("sknet50_caffe").unwrap();
        let found = deviation(&logits(network, checkpoint, shape), &golden.tensor("logits"));
        assert!(found < TOLERANCE, "{form:?}: logits deviate by {found}");
    }
}

#[test]
fn what_fits_nothing_is_compared_with_the_closest() {
    let found = recognise(&open("small.pth")).unwrap();
    assert_eq!((found.network, found.candidates), (None, Vec::new()));
    assert!(
        found.mismatches.iter().any(|m| m.starts_with("wrong shape: layer1.0.conv1.conv.weight is [16, 64, 1, 1]"))
    );
    let given = compare(&open("small.pth"), &preset("skresnet18").unwrap()).unwrap();
    assert!(given.iter().any(|m| m.starts_with("missing: ")) && given.iter().any(|m| m.starts_with("surplus: ")));
}
