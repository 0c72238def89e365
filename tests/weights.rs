//! Damaged and unfitting weights are refused with everything that is wrong.

use pollster::block_on;
use safetensors::tensor::{Dtype, TensorView};
use sklens::network::preset;
use sklens::session::{BackendChoice, Session};
use sklens::weights::generated::fill;
use sklens::weights::{RANDOM, Source, random_file};
use sklens::{Error, ErrorCode};
use std::collections::{BTreeMap, HashMap};

const MODEL: &str = "sk_shufflenet_v2_x0_5";

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(dtype: Dtype) -> Tensors {
    let graph = preset(MODEL).unwrap().graph([64, 64], 10).unwrap();
    let encode = |v: f32| match dtype {
        Dtype::F16 => half::f16::from_f32(v).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(v).to_le_bytes().to_vec(),
        _ => v.to_le_bytes().to_vec(),
    };
    let tensor = |p: sklens::graph::Parameter| {
        let bytes = fill(&p.name, &p.shape).into_iter().flat_map(encode).collect();
        (p.name, (dtype, p.shape, bytes))
    };
    graph.parameters().into_iter().map(tensor).collect()
}

fn file(tensors: &Tensors, metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors.iter().map(|(n, (d, s, b))| (n, TensorView::new(*d, s.clone(), b).unwrap()));
    let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn open(bytes: Vec<u8>) -> Result<Session, Error> {
    block_on(Session::open(MODEL, Source::Bytes(bytes.into()), BackendChoice::Cpu, |_| ()))
}

fn refused(bytes: Vec<u8>) -> String {
    let error = open(bytes).expect_err("refused");
    assert_eq!(error.code, ErrorCode::BadWeights);
    error.message
}

#[test]
fn half_precision_files_give_nearly_the_same_logits() {
    let input = fill("input", &[1, 3, 64, 64]);
    let logits = |dtype| {
        let mut session = open(file(&tensors(dtype), &[])).unwrap();
        block_on(session.analyze_tensor(&input, [1, 3, 64, 64])).unwrap()[0].logits.clone()
    };
    let exact = logits(Dtype::F32);
    let scale = exact.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (dtype, tolerance) in [(Dtype::F16, 0.02), (Dtype::BF16, 0.15)] {
        let found = logits(dtype);
        let worst = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst > 0.0 && worst < tolerance * scale, "{dtype:?}: {worst} of {scale}");
    }
}

#[test]
fn every_fault_is_listed_at_once() {
    let mut all = tensors(Dtype::F32);
    all.remove("conv5.0.weight");
    all.insert("surplus.weight".into(), (Dtype::F32, vec![2], vec![0; 8]));
    all.insert("stage2.0.branch2.0.num_batches_tracked".into(), (Dtype::I64, vec![], vec![0; 8]));
    let (_, shape, _) = all.get_mut("conv1.0.weight").unwrap();
    *shape = vec![24, 27];
    all.insert("conv1.1.bias".into(), (Dtype::I32, vec![24], vec![0; 96]));
    let message = refused(file(&all, &[]));
    for part in [
        "4 tensors differ",
        "missing: conv5.0.weight, shape [1024, 192, 1, 1]",
        "surplus: surplus.weight, shape [2]",
        "wrong shape: conv1.0.weight is [24, 27] and should be [24, 3, 3, 3]",
        "wrong type: conv1.1.bias is I32",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let whole = file(&tensors(Dtype::F32), &[]);
    assert!(refused(Vec::new()).contains("0 bytes"));
    assert!(refused(whole[..whole.len() - 1].to_vec()).contains("truncated"));
    assert!(refused(whole[..100].to_vec()).contains("header"));
    assert!(refused(vec![0xff; 64]).contains("header"));
    let mut garbled = whole.clone();
    garbled[9] = b'!';
    assert!(refused(garbled).contains("header"));
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=rng.usize(..3) {
            let at = rng.usize(..4000);
            bytes[at] = rng.u8(..);
        }
        bytes.truncate(rng.usize(..=whole.len()).max(8));
        // Any outcome but a panic is right.
        drop(open(bytes));
    }
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let mut all = tensors(Dtype::F32);
    all.get_mut("fc.bias").unwrap().2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refused(file(&all, &[])).contains("fc.bias holds NaN"));
}

#[test]
fn metadata_sets_preprocessing_and_labels_or_is_refused_by_name() {
    let all = tensors(Dtype::F32);
    let labels = serde_json::to_string(&(0..10).map(|i| format!("thing {i}")).collect::<Vec<_>>()).unwrap();
    let mut session = open(file(&all, &[("input_size", "96"), ("crop_pct", "0.5"), ("labels", &labels)])).unwrap();
    let info = session.info().unwrap();
    assert_eq!((info.input_size, info.crop_pct, info.classes), ([96, 96], 0.5, 10));
    let results = block_on(session.analyze_tensor(&fill("input", &[1, 3, 64, 64]), [1, 3, 64, 64])).unwrap();
    assert!(results[0].top[0].label.starts_with("thing "));
    for (key, value) in [
        ("input_size", "4000"),
        ("mean", "0.1,0.2"),
        ("std", "1,0,1"),
        ("crop_pct", "-1"),
        ("interpolation", "magic"),
        ("labels", "[\"one\"]"),
    ] {
        assert!(refused(file(&all, &[(key, value)])).contains(key), "{key}");
    }
}

#[test]
fn bad_tensors_and_unknown_models_are_refused() {
    let mut session = open(file(&tensors(Dtype::F32), &[])).unwrap();
    for (length, shape) in [(10, [1, 3, 64, 64]), (0, [0, 3, 64, 64]), (4 * 64 * 64, [1, 4, 64, 64]), (3, [1, 3, 1, 1])]
    {
        let error = block_on(session.analyze_tensor(&vec![0.0; length], shape)).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOption, "{shape:?}");
    }
    let unknown = block_on(Session::open("alexnet", Source::Static(&[]), BackendChoice::Cpu, |_| ())).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UnknownModel);
    assert!(unknown.message.contains("sknet50"));
}

#[test]
fn a_file_of_random_weights_holds_the_generated_ones_and_says_so() {
    let graph = preset(MODEL).unwrap().graph([64, 64], 10).unwrap();
    let bytes: Vec<u8> = random_file(&graph).unwrap().flatten().collect();
    let parsed = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["weights"], RANDOM);
    let parameters = graph.parameters();
    assert_eq!(parsed.len(), parameters.len());
    for p in parameters {
        let tensor = parsed.tensor(&p.name).unwrap();
        assert_eq!(tensor.shape(), p.shape, "{}", p.name);
        let expected: Vec<u8> = fill(&p.name, &p.shape).into_iter().flat_map(f32::to_le_bytes).collect();
        assert!(tensor.data() == expected, "{}", p.name);
    }
    assert_eq!(open(bytes).unwrap().info().unwrap().metadata["weights"], RANDOM);
}
