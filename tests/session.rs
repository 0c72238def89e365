//! Sessions at the edge of what they accept.

use pollster::block_on;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use sklens::backend::Backend;
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::network::preset;
use sklens::plan::{Plan, PlanOptions};
use sklens::session::{BackendChoice, Session};
use sklens::weights::generated::fill;
use sklens::weights::{Checkpoint, Source};
use sklens::{Error, ErrorCode, Result};
use std::collections::HashMap;

fn bundled() -> &'static [u8] {
    weights(DEFAULT_MODEL).expect("bundled weights")
}

fn open(source: Source) -> Result<Session> {
    block_on(Session::open(DEFAULT_MODEL, source, BackendChoice::Cpu, |_| ()))
}

/// Why the bundled weights are refused with a tensor replaced, or with other metadata.
fn refusal(tensor: &str, values: Option<f32>, metadata: &[(&str, &str)]) -> Error {
    let file = SafeTensors::deserialize(bundled()).expect("safetensors");
    let value = |view: &TensorView| values.map(|v| v.to_le_bytes().repeat(view.shape().iter().product()));
    let replaced: HashMap<_, _> = file.iter().filter(|(n, _)| *n == tensor).map(|(n, v)| (n, value(&v))).collect();
    let views = file.iter().map(|(name, view)| match replaced.get(name) {
        Some(Some(bytes)) => {
            (name, TensorView::new(safetensors::Dtype::F32, view.shape().to_vec(), bytes).expect("view"))
        }
        _ => (name, view),
    });
    let metadata = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let bytes = safetensors::serialize(views, Some(metadata)).expect("serialise");
    let error = open(Source::Bytes(bytes.into())).expect_err("refused");
    assert_eq!(error.code, ErrorCode::BadWeights);
    error
}

#[test]
fn a_split_batch_gives_what_its_items_give() {
    let (batch, side) = (24, 224);
    let item = 3 * side * side;
    let input = fill("input", &[batch, 3, side, side]);
    let graph = preset(DEFAULT_MODEL).expect("preset").graph([side, side], 200).expect("graph");
    let plan = Plan::new(&graph, &PlanOptions::batch(1)).expect("plan");
    let most = Backend::Cpu.max_batch(&plan, graph.weight_bytes()).expect("batch");
    assert!((2..batch).contains(&most), "{most} items make a batch");
    let mut session = open(Source::Static(bundled())).expect("session");
    let all = block_on(session.analyze_tensor(&input, [batch, 3, side, side])).expect("analysis");
    assert_eq!(all.len(), batch);
    for n in [0, 15, 23] {
        let alone = block_on(session.analyze_tensor(&input[n * item..][..item], [1, 3, side, side])).expect("analysis");
        let differences = all[n].logits.iter().zip(&alone[0].logits).map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f32::max) < 1e-4, "item {n}");
    }
}

#[test]
fn inputs_that_no_network_can_work_with_are_refused() {
    let mut session = open(Source::Static(bundled())).expect("session");
    let mut run = |input: &[f32]| block_on(session.analyze_tensor(input, [1, 3, 64, 64])).expect_err("refused");
    let mut input = fill("input", &[1, 3, 64, 64]);
    let overflow: Vec<f32> = input.iter().map(|v| v * 1e38).collect();
    assert_eq!(run(&overflow).code, ErrorCode::BadWeights);
    input[77] = f32::NAN;
    let error = run(&input);
    assert_eq!(error.code, ErrorCode::BadOption);
    assert!(error.message.contains("77"), "{error}");
}

#[test]
fn negative_variances_are_named() {
    let error = refusal("conv1.1.running_var", Some(-1.0), &[]);
    assert!(error.message.contains("conv1.1"), "{error}");
}

#[test]
fn lists_of_numbers_hold_nothing_else() {
    let error = refusal("", None, &[("mean", "0.5, x, 0.5, 0.5")]);
    assert!(error.message.contains("mean"), "{error}");
}

#[test]
fn offsets_behind_the_end_of_all_addresses_are_refused() {
    let size = u64::MAX / 8;
    let tensors = (0..8_u64).map(|i| {
        format!(r#""t{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#, i * size, (i + 1) * size)
    });
    let header = format!("{{{}}}", tensors.collect::<Vec<_>>().join(","));
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    // The tensors come in any order, and the last one is the worst.
    for _ in 0..40 {
        let error = block_on(Checkpoint::open(Source::Bytes(bytes.as_slice().into()))).expect_err("refused");
        assert!(error.message.contains("truncated"), "{error}");
    }
}
