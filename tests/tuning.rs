//! What the tuner measured is used until it is switched off, and changes no result.

use pollster::block_on;
use sklens::ErrorCode;
use sklens::network::{Network, NetworkFile};
use sklens::session::{BackendChoice, OpenOptions, Session, Tuning};
use sklens::weights::generated::fill;
use sklens::weights::{Source, random_file};
use std::process::Command;

const SHAPE: [usize; 4] = [1, 3, 64, 64];

/// One stage of the small network: few shapes, each of which has many variants to compile.
fn description() -> String {
    include_str!("fixtures/weights/small.toml").replace("[1, 1, 1, 1]", "[1]")
}

fn network() -> Network {
    NetworkFile::from_toml(&description()).expect("description").network().expect("network")
}

fn open(options: OpenOptions) -> Session {
    let graph = network().graph([64, 64], 10).expect("graph");
    let file: Vec<u8> = random_file(&graph).expect("weights").collect::<Vec<_>>().concat();
    block_on(Session::open_network(network(), Source::Bytes(file.into()), options, |_| ())).expect("session")
}

fn on_gpu(tunings: &[Tuning]) -> Session {
    open(OpenOptions { tunings: tunings.to_vec(), ..BackendChoice::Gpu.into() })
}

fn logits(session: &mut Session) -> Vec<f32> {
    let results = block_on(session.analyze_tensor(&fill("input", &SHAPE), SHAPE)).expect("results");
    results.into_iter().flat_map(|result| result.logits).collect()
}

fn tuned(session: &Session) -> usize {
    session.info().expect("info").tuned
}

#[test]
fn a_tuning_is_used_where_it_fits_and_can_be_left_out() {
    let mut session = on_gpu(&[]);
    let expected = logits(&mut session);
    assert_eq!(tuned(&session), 0, "an adapter is tuned only when asked to");
    let mut rounds = Vec::new();
    let tuning = block_on(session.tune(None, 1, |done, total| rounds.push((done, total)))).expect("tuning");
    let total = rounds.len() - 1;
    assert!(total > 1 && rounds.into_iter().eq((0..=total).map(|done| (done, total))));
    assert!(tuning.choices.len() >= 3, "{tuning:?}");
    assert!(tuning.choices.keys().any(|shape| shape.starts_with("pointwise matrix")), "{tuning:?}");
    assert_eq!(tuned(&session), tuning.choices.len());
    // What is known is not measured again.
    assert_eq!(block_on(session.tune(None, 1, |_, _| ())).expect("tuning"), tuning);

    let mut other_session = on_gpu(&[]);
    assert!(other_session.adopt(&tuning));
    assert!(!other_session.adopt(&Tuning { adapter: "another adapter".into(), ..Tuning::default() }));
    assert_eq!(tuned(&other_session), tuning.choices.len());

    // Every choice another one than the default, so that it shows in the pipelines.
    let other = |shape: &String| (shape.clone(), if shape.contains("matrix") { "split" } else { "1x1x4" }.to_string());
    let strange = Tuning { choices: tuning.choices.keys().map(other).collect(), ..tuning.clone() };
    let elsewhere = Tuning { adapter: "another adapter".into(), ..strange.clone() };
    let earlier = Tuning { version: "0.0.1".into(), ..strange.clone() };
    for (tunings, count) in [
        (vec![tuning.clone()], tuning.choices.len()),
        (vec![tuning.clone(), strange], tuning.choices.len()),
        (vec![elsewhere], 0),
        (vec![earlier], 0),
        (vec![], 0),
    ] {
        let mut session = on_gpu(&tunings);
        assert_eq!(tuned(&session), count, "{tunings:?}");
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, v| largest.max(v.abs()));
        for (found, expected) in logits(&mut session).iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-4 * largest, "{found} in place of {expected} with {tunings:?}");
        }
    }
}

#[test]
fn the_cpu_has_nothing_to_tune() {
    let error = block_on(open(BackendChoice::Cpu.into()).tune(None, 1, |_, _| ())).expect_err("refused");
    assert_eq!(error.code, ErrorCode::BadOption);
}

#[test]
fn the_command_keeps_its_tuning_for_later_ones() {
    let folder = tempfile::tempdir().expect("folder");
    let model = folder.path().join("small.toml");
    std::fs::write(&model, description()).expect("description");
    let bench = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sklens"))
            .args(["bench", "--backend", "gpu", "--json", "--model"])
            .arg(&model)
            .args(options)
            .env("XDG_CACHE_HOME", folder.path())
            .output()
            .expect("sklens runs");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{messages}");
        messages
    };
    assert!(!bench(&[]).contains("tuned"), "nothing is tuned unless asked for");
    assert!(bench(&["--tune"]).contains("shapes are tuned for"));
    assert!(bench(&[]).contains("With tuned kernels"));
    assert!(!bench(&["--untuned"]).contains("With tuned kernels"));
}
