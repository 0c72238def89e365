//! Many analyses, changes of network and injected faults in one process: nothing is lost and memory stays flat.
//! `SKLENS_SOAK_SECONDS` sets how long (default 20); `cargo xtask soak` runs it with optimisation and prints the counts.

use pollster::block_on;
use sklens::ErrorCode;
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::image::{WorkingImage, decode};
use sklens::session::{BackendChoice, Session, View};
use sklens::weights::Source;
use std::time::{Duration, Instant};

/// Resident memory in MiB, where the system tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn open(choice: BackendChoice) -> Session {
    let source = Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
    block_on(Session::open(DEFAULT_MODEL, source, choice, |_| ())).expect("session")
}

#[derive(Debug, Default)]
struct Counts {
    analyses: u64,
    sessions: u64,
    bad_photos: u64,
    bad_views: u64,
    lost: u64,
}

#[test]
fn nothing_is_lost_and_memory_stays_flat() {
    let seconds = std::env::var("SKLENS_SOAK_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery/koala.jpg")).expect("photo");
    let photo = WorkingImage::new(decode(&file).expect("JPEG"));
    let (mut counts, mut rng) = (Counts::default(), fastrand::Rng::with_seed(11));
    let mut session = open(BackendChoice::Cpu);
    let view = View { size: Some([112, 112]), ..View::default() };
    let expected = block_on(session.analyze(&photo, &view)).expect("analysis").remove(0).logits;
    let (start, mut early) = (Instant::now(), None);
    while start.elapsed() < Duration::from_secs(seconds) {
        match rng.usize(..20) {
            0 => {
                let choice = if rng.u8(..4) == 0 { BackendChoice::Gpu } else { BackendChoice::Cpu };
                session = open(choice);
                counts.sessions += 1;
            }
            1 => {
                let mut damaged = file.clone();
                damaged.truncate(rng.usize(..file.len() - 2));
                assert_eq!(decode(&damaged).expect_err("truncated").code, ErrorCode::BadImage);
                counts.bad_photos += 1;
            }
            2 => {
                let view = View { scales: vec![rng.f64() - 1.0], ..View::default() };
                assert_eq!(block_on(session.analyze(&photo, &view)).expect_err("refused").code, ErrorCode::BadOption);
                counts.bad_views += 1;
            }
            3..6 => {
                let view = View { scales: vec![1.0 + rng.f64(); rng.usize(1..=3)], ..view.clone() };
                counts.lost += u64::from(block_on(session.analyze(&photo, &view)).is_err());
                counts.analyses += 1;
            }
            _ => {
                let same = block_on(session.analyze(&photo, &view))
                    .is_ok_and(|results| results[0].logits.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3));
                counts.lost += u64::from(!same);
                counts.analyses += 1;
            }
        }
        if early.is_none() && start.elapsed() > Duration::from_secs(seconds / 4) {
            early = resident();
        }
    }
    let late = resident();
    println!("{counts:?} in {seconds} s; MiB resident after a quarter and at the end: {early:?}, {late:?}");
    assert_eq!(counts.lost, 0, "{counts:?}");
    assert!(counts.analyses > 10 && counts.bad_photos + counts.bad_views > 0, "{counts:?}");
    if let (Some(early), Some(late)) = (early, late) {
        assert!(late < early * 1.2 + 64.0, "memory grew from {early} to {late} MiB");
    }
}
