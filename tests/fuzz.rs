//! Damaged and malicious weights files: no reader panics, allocates much more than the file has, or refuses without saying
//! why. `SKLENS_FUZZ_SECONDS` goes on for longer than the cases of every run; `cargo xtask fuzz` does so with optimisation
//! and prints the counts.

#[path = "common/caffe.rs"]
mod caffe;
#[path = "common/mutation.rs"]
mod mutation;
#[path = "common/reading.rs"]
mod reading;

use caffe::{Form, caffemodel};
use mutation::mutated;
use reading::verdict;
use sklens::network::NetworkFile;
use std::time::{Duration, Instant};

/// Cases per reader in every run.
const CASES: u64 = 4000;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/weights/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn caffe(form: Form) -> Vec<u8> {
    let text = include_str!("fixtures/weights/small.toml").replace("[1, 1, 1, 1]", "[1]").replace("16", "4");
    let network = NetworkFile::from_toml(&text).unwrap().network().unwrap();
    caffemodel(&network.graph([64, 64], 10).unwrap(), form)
}

fn duration() -> Duration {
    let seconds = std::env::var("SKLENS_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Reads mutations of `seeds`.
fn fuzz(name: &str, seeds: &[Vec<u8>]) {
    for seed in seeds {
        assert_eq!(verdict(seed), Ok(None), "{name}: an undamaged file");
    }
    let (start, duration) = (Instant::now(), duration());
    let (mut cases, mut refused) = (0, 0);
    while cases < CASES || start.elapsed() < duration {
        let mut rng = fastrand::Rng::with_seed(cases);
        let seed = &seeds[rng.usize(..seeds.len())];
        let bytes = mutated(seed, seeds, &mut rng);
        match verdict(&bytes) {
            Ok(message) => refused += u64::from(message.is_some()),
            Err(why) => {
                let path = format!("{}/fuzz-{name}-{cases}", env!("CARGO_TARGET_TMPDIR"));
                std::fs::write(&path, &bytes).expect(&path);
                panic!("{name}, case {cases}: {why}; the file is {path}");
            }
        }
        cases += 1;
    }
    println!("{name}: {cases} files, {refused} of them refused");
    // Some changes leave a whole file, most do not.
    assert!(refused > cases / 4 && refused < cases, "{name}: {refused} of {cases} refused");
}

#[test]
fn safetensors() {
    fuzz("safetensors", &[fixture("views.safetensors"), fixture("small.logits.safetensors")]);
}

#[test]
fn pytorch_zip() {
    fuzz("pytorch-zip", &[fixture("views.pth"), fixture("views.pth"), fixture("small.pth")]);
}

#[test]
fn pytorch_legacy() {
    fuzz("pytorch-legacy", &[fixture("views.legacy.pth")]);
}

#[test]
fn caffemodel_file() {
    let factor = Some(999.98);
    let forms = [Form::default(), Form { old: true, factor: None }, Form { old: true, factor }];
    fuzz("caffemodel", &[&forms.map(caffe)[..], &[fixture("small.caffemodel")]].concat());
}
